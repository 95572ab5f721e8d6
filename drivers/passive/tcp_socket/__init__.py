"""The kernel's own view of a connection that another program of this machine has to a device."""
