"""Is the shop open, and what does closing time excuse? Pure but for its clock.

Nothing is hidden by hours that cannot be told: without hours, or with a clock that is not right, all
is judged as ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from agent.diagnosis.hours import Hours
from drivers.api import Clock

OPENING_GRACE_S = 900.0
"""Printers are switched on late; one that never came back is a fault so long after opening."""

CLOCK_WAIT_S = 120.0
"""A clock that is not synchronised right after the start may become so in a moment."""

CLOCK_KEPT_S = 3 * 86_400.0
"""A clock that was synchronised is right to the minute for days, without a network over a long weekend."""

_NO_EXCUSE = (-math.inf, -math.inf)


class Opening:
    """One shop's hours (None: not configured), on a clock that `synced` vouches for."""

    def __init__(self, hours: Hours | None, clock: Clock, synced: Callable[[], bool]) -> None:
        self._hours = hours
        self._clock = clock
        self._synced = synced
        self._started_s = clock.monotonic_s()
        self._right_s = -math.inf  #: when the clock was synchronised last

    def open(self) -> bool | None:
        """Now; None where it cannot be told."""
        if self._hours is None or not self.clock_known():
            return None
        return self._hours.open_at(self._clock.wall_s())

    def clock_known(self) -> bool:
        """The wall clock can be believed."""
        now_s = self._clock.monotonic_s()
        if self._synced():
            self._right_s = now_s
        return now_s < self._right_s + CLOCK_KEPT_S

    def excuse(self) -> tuple[float, float]:
        """What `Diagnosis.excuse` is to be told now."""
        if self._hours is None:
            return _NO_EXCUSE
        if not self.clock_known():
            return self._started_s + CLOCK_WAIT_S, self._started_s
        wall_s = self._clock.wall_s()
        stretch = self._hours.stretch(wall_s)
        if not stretch.open:
            return math.inf, math.inf
        if stretch.begins_s is None:
            return _NO_EXCUSE
        opened_s = self._clock.monotonic_s() - (wall_s - stretch.begins_s)
        return opened_s + OPENING_GRACE_S, opened_s

    def next_due_s(self) -> float | None:
        """When (monotonic) the answers change by themselves."""
        if self._hours is None:
            return None
        known = self.clock_known()
        change_s = self._hours.due_s(self._clock) if known else self._started_s + CLOCK_WAIT_S
        moments = (change_s, self._right_s + CLOCK_KEPT_S)
        now_s = self._clock.monotonic_s()
        return min((s for s in moments if s is not None and s > now_s), default=None)
