"""The checks of `tillwatch doctor`, each one function over what was given; nothing is opened."""
