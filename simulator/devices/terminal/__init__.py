"""Payment terminals, simulated."""
