"""How often to ask what costs metered data: soon at first, then ever more rarely."""

from __future__ import annotations

SOON = 4
SOON_S = 3.0
CAP_S = 600.0


class Pace:
    """`due` says whether to ask now, `took` that it was done."""

    def __init__(self) -> None:
        self._count = 0
        self._next_s = float("-inf")

    def due(self, now_s: float) -> bool:
        return now_s >= self._next_s

    def took(self, now_s: float) -> None:
        self._count += 1
        self._next_s = now_s + min(CAP_S, SOON_S * 2.0 ** max(0, min(self._count - SOON, 20)))

    def reset(self) -> None:
        self._count, self._next_s = 0, float("-inf")
