"""A clock that tests turn by hand."""

from __future__ import annotations

from typing import Protocol


class Sleeper(Protocol):
    """Wants to be woken at a moment, and then does what is due."""

    def next_due_s(self) -> float: ...
    def advance(self) -> None: ...


class TurnedClock:
    """Both clocks of `drivers.api.Clock`; they move only when told."""

    def __init__(self, monotonic_s: float = 1000.0, wall_s: float = 1_790_000_000.0) -> None:
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._sleeper: Sleeper | None = None

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def wall_s(self) -> float:
        return self._wall_s

    def advance(self, seconds: float) -> None:
        self._monotonic_s += seconds
        self._wall_s += seconds

    def turn_to(self, monotonic_s: float) -> None:
        """Forward to a moment on the monotonic clock; never back. Wakes the sleeper on the way."""
        while self._sleeper and (due_s := self._sleeper.next_due_s()) <= monotonic_s:
            self.advance(max(0.0, due_s - self._monotonic_s))
            self._sleeper.advance()
            if self._sleeper.next_due_s() <= due_s:
                break  # it waits for something else than time
        self.advance(max(0.0, monotonic_s - self._monotonic_s))

    def wakes(self, sleeper: Sleeper) -> None:
        self._sleeper = sleeper

    def step_wall(self, seconds: float) -> None:
        """A jump of the wall clock alone, as a time server makes it."""
        self._wall_s += seconds
