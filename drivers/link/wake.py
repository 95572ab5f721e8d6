"""Waits for one descriptor, or for a call from another thread, until a deadline."""

from __future__ import annotations

import math
import os
import select
import weakref

from drivers.api import Deadline


class Waiter:
    """`wake` may come from any thread; it ends the wait in progress, or the next one."""

    def __init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # A link can be closed and opened again for years, so the descriptor ends with the object.
        weakref.finalize(self, os.close, self._event)

    def wake(self) -> None:
        os.eventfd_write(self._event, 1)

    def woken(self) -> bool:
        """Whether it was called since the last wait, which is over with this; at once."""
        try:
            os.eventfd_read(self._event)
        except BlockingIOError:
            return False
        return True

    def pause(self, deadline: Deadline) -> bool:
        """Wait for a call alone; whether one came."""
        poller = select.poll()
        poller.register(self._event, select.POLLIN)
        poller.poll(math.ceil(deadline.remaining_s() * 1000))
        return self.woken()

    def wait(self, descriptor: int | None, events: int, deadline: Deadline, *, wakeable: bool = True) -> int:
        """The poll(2) events of `descriptor`; 0 at the deadline or when woken."""
        poller = select.poll()
        if wakeable:
            poller.register(self._event, select.POLLIN)
        if descriptor is not None:
            poller.register(descriptor, events)
        ready = dict(poller.poll(math.ceil(deadline.remaining_s() * 1000)))
        if ready.pop(self._event, 0):
            self.woken()
        return ready.get(descriptor, 0) if descriptor is not None else 0
