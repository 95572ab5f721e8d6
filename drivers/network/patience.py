"""Waiting for several sockets at once, never past a deadline, and not once somebody wants us to end."""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping

from drivers.api import Deadline

SLICE_S = 0.2  #: how long a wish to end may go unnoticed


class Patience:
    """What a probe may spend."""

    def __init__(self, deadline: Deadline, ended: Callable[[], bool] = lambda: False) -> None:
        self.deadline = deadline
        self._ended = ended

    def within(self, seconds: float) -> Patience:
        return Patience(self.deadline.within(seconds), self._ended)

    def over(self) -> bool:
        return self._ended() or self.deadline.expired()

    def wait(self, wanted: Mapping[int, int], at_most_s: float = 60.0) -> set[int]:
        """Descriptor -> poll events; those that have something, empty at the end of patience."""
        poller = select.poll()
        for descriptor, events in wanted.items():
            poller.register(descriptor, events)
        until = self.deadline.within(at_most_s)
        while not self._ended():
            left_s = until.remaining_s()
            ready = poller.poll(1000 * min(SLICE_S, left_s))
            if ready or left_s <= 0:
                return {descriptor for descriptor, _events in ready}
        return set()
