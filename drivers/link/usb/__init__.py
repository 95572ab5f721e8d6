"""USB devices: found by identity, claimed, read in slices."""
