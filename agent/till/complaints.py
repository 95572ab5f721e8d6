"""Logs what goes wrong again and again: the first at once, the others summed up once a minute."""

from __future__ import annotations

import logging

from drivers.api import Clock

EACH_S = 60.0

log = logging.getLogger("tillwatch.till")


class Complaints:
    """`note` counts; at most one line each EACH_S."""

    def __init__(self, about: str, clock: Clock) -> None:
        self._about = about
        self._clock = clock
        self._since = 0
        self._next_s = float("-inf")

    def note(self, reason: str) -> None:
        """`reason` is ours, never what was said: that may be anything."""
        self._since += 1
        now_s = self._clock.monotonic_s()
        if now_s >= self._next_s:
            times = "" if self._since == 1 else f" ({self._since} times since the last line)"
            log.warning("%s: %s%s", self._about, reason, times)
            self._since, self._next_s = 0, now_s + EACH_S
