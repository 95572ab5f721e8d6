"""Card readers, simulated."""
