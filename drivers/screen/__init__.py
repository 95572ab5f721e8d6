"""The main screen: what can be seen of it without being seen."""
