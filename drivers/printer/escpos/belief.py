"""When a reading is believed: a changed status is asked again first. Pure.

On a line that flips one byte in a hundred, two equal wrong readings in a row still happen within a
day; three do not within years.
"""

from __future__ import annotations

from drivers.belief import NEEDED
from drivers.printer.escpos.status import Reading

ASKED = 1  #: what a reading weighs that was asked for
PUSHED = 2  #: one that the printer sent of its own accord, in a frame of four checked bytes


class Belief:
    """Weighs readings until they agree."""

    def __init__(self) -> None:
        self.reading: Reading | None = None  #: what is believed
        self._candidate: Reading | None = None
        self._weight = 0

    @property
    def doubtful(self) -> bool:
        """A change was seen and wants another look."""
        return self._candidate is not None

    def hear(self, reading: Reading, weight: int) -> bool:
        """One more reading; True if it is now believed and was not before."""
        if self.reading is not None and reading.within(self.reading):
            self._candidate = None
            return False
        if self._candidate is not None and reading.agrees(self._candidate):
            self._candidate = reading.over(self._candidate)
            self._weight += weight
        else:
            self._candidate = reading.over(self.reading or Reading())
            self._weight = weight
        if self._weight < NEEDED:
            return False
        self.reading, self._candidate = self._candidate, None
        return True

    def forget(self) -> None:
        """The device was silent, or is another."""
        self.reading = self._candidate = None
