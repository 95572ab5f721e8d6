"""A network printer's port: one connection at a time, the next one waits its turn unanswered.

Unplugged or without power, connects time out: the kernel drops a SYN while the queue of the listening
socket is full, so it is filled with connections of our own. An open connection is then reset; a real one
would fall silent, which a socket on the same machine cannot.
"""

from __future__ import annotations

import select
import socket
import struct
import time

from simulator.doors.door import DoorError, Inside
from simulator.doors.line import Line
from simulator.loop import Loop

AHEAD_BYTES = 4096
_LUMP = 512
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_FILL_AT_MOST = 8
_FILLED_AFTER_MS = 20


class TcpDoor:
    """`simulator.doors.door.Door` for `tcp:`."""

    def __init__(self, host: str, port: int, loop: Loop) -> None:
        self._host, self._port = host, port
        self._loop = loop
        self._to_device = Line(0.0, _LUMP)
        self._listener: socket.socket
        self._peer: socket.socket | None = None
        self._filled = False
        self._reachable = True
        self._inside: Inside

    def open(self, inside: Inside, now_s: float) -> None:  # noqa: ARG002
        self._inside = inside
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.setblocking(False)
        try:
            self._listener.bind((self._host, self._port))
        except OSError as error:
            self._listener.close()
            raise DoorError(
                f"tcp:{self._host}:{self._port}: {error.strerror}; port 0 chooses a free one"
            ) from error
        self._host, self._port = self._listener.getsockname()
        self._admit()

    def address(self) -> str:
        return f"tcp:{self._host}:{self._port}"

    def follow(self, *, plugged: bool, powered: bool, now_s: float) -> None:  # noqa: ARG002
        reachable = plugged and powered
        if reachable == self._reachable:
            return
        self._reachable = reachable
        if reachable:
            self._admit()
        else:
            self._shut()

    def close(self) -> None:
        self._drop_peer()
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()

    def put(self, data: bytes, now_s: float) -> None:  # noqa: ARG002
        if self._peer is None:
            return
        try:
            self._peer.send(data)
        except BlockingIOError:
            return  # the host does not read: what it misses is lost
        except OSError:  # also ETIMEDOUT: its machine is gone
            self._drop_peer()

    def next_s(self, now_s: float) -> float | None:  # noqa: ARG002
        return self._to_device.next_s() if self._inside.room() else None

    def tick(self, now_s: float) -> None:
        if self._inside.room() and (data := self._to_device.take(now_s)):
            self._inside.deliver(data, now_s)
        self._listen()

    def _listen(self) -> None:
        """Accept when nobody is connected; read only what can be worked on."""
        if self._peer is None:
            if self._reachable:
                self._loop.watch(self._listener.fileno(), self._accept)
            return
        if self._inside.room() and self._to_device.waiting_bytes < AHEAD_BYTES:
            self._loop.watch(self._peer.fileno(), self._read)
        else:
            self._loop.unwatch(self._peer.fileno())

    def _accept(self) -> None:
        try:
            self._peer, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it went away while it waited
        self._peer.setblocking(False)
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.unwatch(self._listener.fileno())

    def _read(self) -> None:
        if self._peer is None:
            return
        try:
            data = self._peer.recv(AHEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop_peer()
            return
        rate = self._inside.intake_bytes_s()
        self._to_device.byte_s = 1 / rate if rate else 0.0
        self._to_device.put(data, time.monotonic())

    def _drop_peer(self, *, reset: bool = False) -> None:
        if self._peer is None:
            return
        self._loop.unwatch(self._peer.fileno())
        if reset:
            self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._peer.close()
        self._peer = None
        self._listen()

    def _admit(self) -> None:
        if self._filled:
            self._empty_queue()
        self._filled = False
        self._listener.listen(1)

    def _shut(self) -> None:
        self._drop_peer(reset=True)
        self._to_device.clear()
        self._loop.unwatch(self._listener.fileno())
        self._listener.listen(0)
        self._empty_queue()
        for _ in range(_FILL_AT_MOST):
            if not self._connect_own():
                break
        self._filled = True

    def _connect_own(self) -> bool:
        """One more connection in the queue; False once it is full.

        Closed at once: it stays in the queue all the same, and nobody takes it for a program that connects.
        """
        with socket.socket() as filler:
            filler.setblocking(False)
            filler.connect_ex((self._host, self._port))
            poll = select.poll()
            poll.register(filler, select.POLLOUT)
            return bool(poll.poll(_FILLED_AFTER_MS))

    def _empty_queue(self) -> None:
        while True:
            try:
                waiting, _ = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            waiting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            waiting.close()
