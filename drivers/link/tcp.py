"""A TCP connection, as network printers offer on port 9100."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import sys
import termios
from typing import Any

from drivers.api import Deadline
from drivers.errors import LinkLost, Unreachable
from drivers.link.address import TcpAddress
from drivers.link.resolve import Resolver
from drivers.link.wake import Waiter

READ_BYTES = 4096


class TcpLink:
    """One connection. Connecting, with the name's resolution, stays within the deadline."""

    scheme = "tcp"
    proves_power = True

    def __init__(self, address: TcpAddress, *, ahead_bytes: int = 0) -> None:
        """`ahead_bytes`: so much may be written ahead of the device; the system's own choice where 0."""
        self._address = self.address = address
        self._ahead_bytes = ahead_bytes
        self.held = address.hold
        self._waiter = Waiter()
        self._resolver = Resolver(address.host, address.port, socket.SOCK_STREAM)
        self._socket: socket.socket | None = None

    def open(self, deadline: Deadline) -> None:
        if self._socket is not None:
            return
        reason = "no address"
        for family, kind, protocol, _, place in self._resolver.places(deadline):
            try:
                self._socket = self._connected((family, kind, protocol), place, deadline)
            except OSError as error:  # also an IPv6 address where the kernel has none
                reason = error.strerror or str(error)
            else:
                return
        raise self._unreachable(reason)

    def close(self) -> None:
        made, self._socket = self._socket, None
        if made is not None:
            made.close()

    def is_open(self) -> bool:
        return self._socket is not None

    def read(self, deadline: Deadline) -> bytes:
        if self._socket is None:
            self._waiter.wait(None, 0, deadline)
            return b""
        if not self._waiter.wait(self._socket.fileno(), select.POLLIN, deadline):
            return b""
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._lost(error.strerror) from error
        if not data:
            raise self._lost("closed by the device")
        return data

    def write(self, data: bytes, deadline: Deadline) -> int:
        if self._socket is None:
            raise self._lost("not open")
        sent = 0
        while sent < len(data):
            try:
                sent += self._socket.send(data[sent:])
            except BlockingIOError:
                if deadline.expired():
                    break
                self._waiter.wait(self._socket.fileno(), select.POLLOUT, deadline, wakeable=False)
            except OSError as error:
                raise self._lost(error.strerror) from error
        return sent

    def power_line(self) -> bool | None:
        return None

    def busy(self) -> bool:
        return False

    def fileno(self) -> int:
        """The descriptor, for a poll(2) of the caller's own; -1 while closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def waiting_bytes(self) -> int:
        """So many written bytes are not acknowledged yet."""
        if self._socket is None:
            return 0
        return int.from_bytes(fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4)), sys.byteorder)

    def shut(self) -> None:
        """Nothing more will be written; what the device still says can be read."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # broken already: the next read says so
                self._socket.shutdown(socket.SHUT_WR)

    def wake(self) -> None:
        self._waiter.wake()

    def _connected(self, how: tuple[int, int, int], place: Any, deadline: Deadline) -> socket.socket:
        made = socket.socket(*how)
        try:
            made.setblocking(False)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._ahead_bytes:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._ahead_bytes)
            code = made.connect_ex(place)
            if code == errno.EINPROGRESS:
                ready = self._waiter.wait(made.fileno(), select.POLLOUT, deadline, wakeable=False)
                code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if ready else errno.ETIMEDOUT
            if code:
                raise OSError(code, os.strerror(code))
        except OSError:
            made.close()
            raise
        return made

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(f"{self._address.host}:{self._address.port}: {why}")

    def _lost(self, why: str | None) -> LinkLost:
        return LinkLost(f"{self._address.host}:{self._address.port}: the connection broke: {why}")
