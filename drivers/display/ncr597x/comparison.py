"""Whether a display shows what it was told. Pure.

It was told over a line that may spoil a character, and may have lost its text with its power; so a
difference is answered by telling it anew, and only one that stays the same in spite of that is a fault.
"""

from __future__ import annotations

from drivers.api import Json

TIMES = 3  #: the same difference, told anew in between


class Comparison:
    """`wrong`: None until the text was read as told once, or wrong three times."""

    def __init__(self) -> None:
        self.wrong: bool | None = None
        self.evidence: dict[str, Json] = {}
        self._shown = b""
        self._times = 0

    def forget(self) -> None:
        """Nobody knows what it shows, or it shows what is not the agent's."""
        self.wrong, self.evidence, self._shown, self._times = None, {}, b"", 0

    def saw(self, told: bytes, shown: bytes) -> bool:
        """One certain look, `shown` as long as `told`. True: tell it anew."""
        if told == shown:
            self.wrong, self.evidence, self._shown, self._times = False, {}, b"", 0
            return False
        self._times = min(self._times + 1, TIMES) if shown == self._shown else 1
        self._shown = shown
        if self._times < TIMES:
            return True
        self.wrong = True
        self.evidence = difference(told, shown)
        return False


def difference(told: bytes, shown: bytes, columns: int = 20) -> dict[str, Json]:
    """Where they differ, counted from 1; the texts themselves only as length and hash."""
    import hashlib  # noqa: PLC0415 - 0.2 MiB, for the few displays that are wrong

    first = next(at for at, (one, other) in enumerate(zip(told, shown, strict=True)) if one != other)
    return {
        "line": first // columns + 1,
        "column": first % columns + 1,
        "told_length": len(told.rstrip()),
        "shown_length": len(shown.rstrip()),
        "told_sha256": hashlib.sha256(told).hexdigest()[:16],
        "shown_sha256": hashlib.sha256(shown).hexdigest()[:16],
    }
