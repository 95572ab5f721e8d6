"""The counter, simulated: devices that speak real bytes over real ttys and sockets."""
