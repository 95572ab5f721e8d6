"""One thread that waits for all doors and all moments at once, and sleeps in between."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from typing import Protocol

LONGEST_S = 3600.0
"""epoll counts milliseconds in an int: what is further away is waited for in turns."""


class Part(Protocol):
    """Something the loop keeps going."""

    def tick(self, now_s: float) -> None:
        """Do all that is due by now."""
        ...

    def next_s(self, now_s: float) -> float | None:
        """When something is due next; None: not without input."""
        ...


class Loop:
    """Runs its parts until stopped. `stop` alone may be called from a signal handler or another thread."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._selector = selectors.DefaultSelector()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._stopping = False
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back while `fd` has something to read."""
        if fd not in self._callbacks:
            self._selector.register(fd, selectors.EVENT_READ)
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Before `fd` is closed, and when there is nothing to do with what it has."""
        if self._callbacks.pop(fd, None):
            self._selector.unregister(fd)

    def stop(self) -> None:
        self._stopping = True
        try:
            self._waker.send(b"\0")
        except BlockingIOError:
            return  # it is full of wake-ups already

    def run(self) -> None:
        while not self._stopping:
            self.once()

    def once(self) -> None:
        """Tick all parts, then wait for the next moment or input."""
        now_s = time.monotonic()
        for part in self.parts:
            part.tick(now_s)
        moments = [moment for part in self.parts if (moment := part.next_s(now_s)) is not None]
        wait_s = min(LONGEST_S, max(0.0, min(moments) - time.monotonic())) if moments else None
        for key, _ in self._selector.select(wait_s):
            # An earlier callback of the same round may have closed this one.
            if callback := self._callbacks.get(key.fd):
                callback()

    def close(self) -> None:
        self._selector.close()
        self._waker.close()
        self._woken.close()
