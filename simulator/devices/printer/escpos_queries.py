"""What an ESC/POS printer tells of itself when asked in the queue: identity and maintenance counters."""

from __future__ import annotations

from collections.abc import Mapping

# GS I n (TM-T88III p313; TM-J2000 p469): one byte, or a block that ends with NUL.
IDENTITY: Mapping[int, bytes] = {
    1: b"\x20",
    49: b"\x20",
    2: b"\x02",
    50: b"\x02",
    3: b"\x04",
    51: b"\x04",
    33: b"\x3d\x21\x02\x40\x40\x00",
    65: b"\x5f1.00 ESC/POS\x00",
    66: b"\x5fEPSON\x00",
    69: b"\x5f\x00",
}

LINES, HEATED, CUTS, SECONDS = "lines", "heated", "cuts", "seconds"

# GS g 2 (TM-T81 p116, TM-T88 p476): counters that GS g 0 resets, and the same over the printer's life.
_RESETTABLE = {20: LINES, 21: HEATED, 50: CUTS, 70: SECONDS}
_CUMULATIVE = {148: LINES, 149: HEATED, 178: CUTS, 198: SECONDS}


IDENTITY_KNOBS: Mapping[int, str] = {67: "model", 68: "serial"}
"""What is told by a knob, so that one printer can be swapped for another."""


class Counters:
    """Kept in the printer's own memory: neither power-off nor ESC @ touches them."""

    def __init__(self) -> None:
        self._life = dict.fromkeys(_RESETTABLE.values(), 0.0)
        self._reset_at = dict(self._life)

    def add(self, what: str, amount: float) -> None:
        self._life[what] += amount

    def reset(self, number: int) -> None:
        """GS g 0."""
        if what := _RESETTABLE.get(number):
            self._reset_at[what] = self._life[what]

    def answer(self, number: int) -> bytes | None:
        """The block that answers GS g 2; None for a counter there is not."""
        if what := _CUMULATIVE.get(number):
            amount = self._life[what]
        elif what := _RESETTABLE.get(number):
            amount = self._life[what] - self._reset_at[what]
        else:
            return None
        return b"\x5f%d\x00" % (amount / 3600 if what == SECONDS else amount)

    def standing(self) -> dict[str, int]:
        return {what: int(amount) for what, amount in self._life.items()}
