"""Customer displays, simulated."""
