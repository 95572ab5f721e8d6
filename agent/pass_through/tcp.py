"""The till's door as a TCP port: one connection at a time, the next one waits, as at a network printer."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios

from agent.pass_through.till import Line
from drivers.errors import LinkUnusable
from drivers.link.address import TillTcp

AHEAD_BYTES = 8192
"""So much may the till write ahead of a device that takes nothing, about what a printer's port holds."""
KEEPALIVE_S = 60
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_WAITING = struct.Struct("i")


class TcpTill:
    """`agent.pass_through.till.Till` for `tcp:`. Made by the supervisor, used by each worker."""

    edge = False
    each_connects = True
    spent = False

    def __init__(self, at: TillTcp) -> None:
        self.connected = self.ended = False
        self._peer: socket.socket | None = None
        self._listener = socket.socket(socket.AF_INET6 if ":" in at.host else socket.AF_INET)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, AHEAD_BYTES)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, AHEAD_BYTES)
            self._listener.setblocking(False)
            self._listener.bind((at.host, at.port))
            self._listener.listen(1)
        except OSError as error:
            self._listener.close()
            raise LinkUnusable(
                f"tcp:{at.host}:{at.port}: {error.strerror}",
                hint="choose another port or address for the till",
            ) from error

    def fileno(self) -> int:
        return (self._peer or self._listener).fileno()

    def came(self) -> bool:
        if self._peer is None:
            try:
                self._peer, _ = self._listener.accept()
            except OSError:  # none waits, or it went away while it waited
                return False
            self._peer.setblocking(False)
            self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A till that vanished without a word must not block the port for ever.
            self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
            self.connected, self.ended = True, False
        return True

    def waiting_bytes(self) -> int:
        if self._peer is None:
            return 0
        return int(_WAITING.unpack(fcntl.ioctl(self._peer, termios.FIONREAD, bytes(4)))[0])

    def read(self, most: int) -> bytes:
        if self._peer is None:
            return b""
        try:
            data = self._peer.recv(most)
        except BlockingIOError:
            return b""
        except OSError:  # reset
            data = b""
        self.ended = not data
        return data

    def write(self, data: bytes) -> None:
        if self._peer is not None:
            with contextlib.suppress(OSError):  # it reads nothing, or has gone: `read` tells
                self._peer.send(data)

    def line(self) -> Line | None:
        return None

    def hang_up(self, *, reset: bool = False) -> None:
        peer, self._peer = self._peer, None
        self.connected = self.ended = False
        if peer is not None:
            if reset:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            peer.close()

    def renew(self) -> None:
        """A port serves any number of tills."""

    def close(self) -> None:
        self.hang_up()
        self._listener.close()
