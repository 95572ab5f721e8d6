"""USB, simulated: to pyusb over a socket, to a kernel by USB/IP."""
