"""Whether a program of this machine is connected to a device that takes one connection at a time."""

from __future__ import annotations

from drivers.api import Clock, Deadline
from drivers.errors import LinkError
from drivers.link.address import TcpAddress
from drivers.passive.source import LOOK_S
from drivers.passive.tcp_socket import wire
from drivers.passive.tcp_socket.source import Kernel


class TillConnection:
    """Asks the kernel; nothing is sent to the device."""

    def __init__(self, place: TcpAddress, clock: Clock) -> None:
        self._clock = clock
        self._kernel = Kernel(place, clock)

    def there(self) -> bool:
        """Somebody is connected, or connects. False also where the kernel does not tell."""
        try:
            sockets = self._kernel.sockets(Deadline.after(self._clock, LOOK_S))
        except LinkError:
            return False
        return any(one.state not in wire.OVER and one.key[1] for one in sockets)  # inode 0: nobody's any more
