"""The daemon's seat at a device: one connection, the newest; nothing here ever waits for it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from drivers.errors import LinkUnusable
from drivers.link.shared_wire import FRAME_MOST, Frame, decode, encode
from drivers.link.unix import short_address

AHEAD_BYTES = 65536
"""What a daemon that hangs may leave unread; then it loses its seat, and takes it anew when it goes on."""
FRAMES_MOST = 32  #: taken at one go


class Seat:
    """A listening socket at `path`, made by the supervisor; who sits there, in the worker."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._peer: socket.socket | None = None
        self.gone = False  #: who sat there has hung up: it should leave
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            with short_address(path) as address:
                self.listener.bind(address)
            path.chmod(0o600)
            self.listener.setblocking(False)
            self.listener.listen(4)
        except OSError as error:
            self.listener.close()
            raise LinkUnusable(
                f"{path}: {error.strerror}", hint="agent.till_dir must be writable for this user"
            ) from error

    @property
    def taken(self) -> bool:
        return self._peer is not None

    def peer(self) -> int:
        """The descriptor of who sits there; -1 for nobody."""
        return -1 if self._peer is None else self._peer.fileno()

    def came(self) -> socket.socket | None:
        """A newcomer; it takes the seat with `sit`."""
        try:
            newcomer, _ = self.listener.accept()
        except OSError:  # none waits, or it went away while it waited
            return None
        return newcomer

    def sit(self, newcomer: socket.socket) -> None:
        newcomer.setblocking(False)
        newcomer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, AHEAD_BYTES)
        self._peer, self.gone = newcomer, False

    def leave(self) -> None:
        peer, self._peer, self.gone = self._peer, None, False
        if peer is not None:
            peer.close()

    def frames(self) -> Iterator[Frame]:
        """What it said; `gone` is set at its end."""
        for _ in range(FRAMES_MOST):
            if self._peer is None:
                return
            try:
                datagram = self._peer.recv(FRAME_MOST)
            except BlockingIOError:
                return
            except OSError:
                datagram = b""
            if not datagram:
                self.gone = True
                return
            frame = decode(datagram)
            if frame is not None:
                yield frame

    def say(self, frame: Frame) -> None:
        """`gone` is set if it reads nothing any more."""
        if self._peer is not None:
            try:
                self._peer.send(encode(frame))
            except OSError:
                self.gone = True

    def close(self) -> None:
        self.leave()
        self.listener.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
