"""Sleeping until somebody calls, or a connection has something to read or room to write."""

from __future__ import annotations

import select
import socket
from contextlib import suppress

from agent.uplink.client import Connection


class Waker:
    """`wake` may be called from any thread, also after `close`; the rest belongs to the one that sleeps."""

    def __init__(self) -> None:
        self._out, self._in = socket.socketpair()
        self._out.setblocking(False)
        self._in.setblocking(False)

    def wake(self) -> None:
        with suppress(OSError):  # full: it is awake already; closed: it has ended
            self._in.send(b"\0")

    def sleep(self, connection: Connection | None, seconds: float) -> tuple[bool, bool]:
        """Whether the connection is readable, and whether it is writable while it wants to write."""
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if connection is not None:
            if connection.fileno() < 0:
                return False, False
            writing = select.POLLOUT if connection.want_write() else 0
            poll.register(connection.fileno(), select.POLLIN | writing)
        ready = dict(poll.poll(max(0.0, seconds) * 1000))
        if ready.pop(self._out.fileno(), 0):
            with suppress(BlockingIOError):
                self._out.recv(4096)
        seen = next(iter(ready.values()), 0)
        return bool(seen & ~select.POLLOUT), bool(seen & select.POLLOUT)

    def close(self) -> None:
        self._out.close()
        self._in.close()
