"""What is asked once an hour, and anew when the device was away: who it is.

It is believed as any reading is: three alike in a row, before anybody is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, TypeVar

from drivers.api import Clock, Deadline
from drivers.belief import Belief

AGAIN_S = 3600.0
RETRY_S = 30.0  #: after no answer
AWAY_POLLS = 1.5  #: not looked at for so long, a poll was missed, and it may be another device by now
TRIES = 6  #: in one look

What = TypeVar("What")


class Seldom(Generic[What]):
    """`ask` brings it, or None where no answer came."""

    def __init__(self, clock: Clock, poll_s: float, ask: Callable[[Deadline], What | None]) -> None:
        self._clock = clock
        self._away_s = AWAY_POLLS * poll_s
        self._ask = ask
        self._belief: Belief[What] = Belief()
        self._due_s = self._looked_s = -math.inf

    def doubt(self) -> None:
        """It may be another device: ask at the next look."""
        self._due_s = -math.inf

    def look(self, deadline: Deadline) -> What | None:
        """What is believed, asked for where that is due. Raises what `ask` raises."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s > self._away_s:
            self.doubt()
        if now_s >= self._due_s:
            self._ask_now(deadline)
        self._looked_s = self._clock.monotonic_s()
        return self._belief.reading

    def _ask_now(self, deadline: Deadline) -> None:
        for _ in range(TRIES):
            said = self._ask(deadline)
            if said is None:
                self._due_s = self._clock.monotonic_s() + RETRY_S
                return
            self._belief.hear(said)
            if not self._belief.doubtful:
                self._due_s = self._clock.monotonic_s() + AGAIN_S
                return
            if deadline.expired():
                return
