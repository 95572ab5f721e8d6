"""A clock that tests turn by hand."""

from __future__ import annotations


class TurnedClock:
    """Both clocks of `drivers.api.Clock`; they move only when told."""

    def __init__(self, monotonic_s: float = 1000.0, wall_s: float = 1_790_000_000.0) -> None:
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def wall_s(self) -> float:
        return self._wall_s

    def advance(self, seconds: float) -> None:
        self._monotonic_s += seconds
        self._wall_s += seconds

    def turn_to(self, monotonic_s: float) -> None:
        """Forward to a moment on the monotonic clock; never back."""
        self.advance(max(0.0, monotonic_s - self._monotonic_s))

    def step_wall(self, seconds: float) -> None:
        """A jump of the wall clock alone, as a time server makes it."""
        self._wall_s += seconds
