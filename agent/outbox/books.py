"""What the outbox holds, counted: pure arithmetic, copied for each transaction and swapped at its commit."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Klass = Literal["event", "result"]
Gap = tuple[int, int]
"""Missing numbers, first and last."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one class is kept; the oldest goes first."""

    rows: int
    bytes: int
    age_s: float


LIMITS: Mapping[Klass, Limits] = {
    "event": Limits(rows=20_000, bytes=16 * 2**20, age_s=30 * 86_400),
    "result": Limits(rows=2_000, bytes=4 * 2**20, age_s=30 * 86_400),
}


@dataclass(frozen=True, slots=True)
class Usage:
    rows: int = 0
    bytes: int = 0

    def plus(self, rows: int, size: int) -> Usage:
        return Usage(self.rows + rows, self.bytes + size)

    def within(self, limits: Limits) -> bool:
        return self.rows <= limits.rows and self.bytes <= limits.bytes


@dataclass(slots=True)
class Books:
    """`gaps` are the numbers that went missing and that no stored row names yet."""

    stream: str
    last_seq: int = 0
    dead_letters: int = 0
    usage: dict[str, Usage] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)

    def copy(self) -> Books:
        return replace(self, usage=dict(self.usage), gaps=list(self.gaps))

    def count(self, klass: str, rows: int, size: int) -> None:
        self.usage[klass] = self.of(klass).plus(rows, size)

    def of(self, klass: str) -> Usage:
        return self.usage.get(klass, Usage())

    def waiting(self) -> int:
        return sum(usage.rows for usage in self.usage.values())

    def miss(self, first: int, last: int) -> None:
        """Note numbers as missing; neighbours become one gap."""
        apart = []
        for gap in self.gaps:
            if gap[1] < first - 1 or gap[0] > last + 1:
                apart.append(gap)
            else:
                first, last = min(first, gap[0]), max(last, gap[1])
        insort(apart, (first, last))
        self.gaps = apart
