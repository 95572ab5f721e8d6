"""Sources that look at a device from beside."""
