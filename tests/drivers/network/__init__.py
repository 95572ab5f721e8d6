"""The network as a device."""
