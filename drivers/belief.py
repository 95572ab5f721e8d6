"""When a reading is believed: one that differs from what is known is asked again first. Pure.

On a line that flips one byte in a hundred, two equal wrong readings in a row still happen within a
day; three do not within years.
"""

from __future__ import annotations

from typing import Generic, TypeVar

NEEDED = 3

Reading = TypeVar("Reading")


class Belief(Generic[Reading]):
    """Counts equal readings in a row until they are believed. What is compared is `==`."""

    def __init__(self) -> None:
        self.reading: Reading | None = None  #: what is believed
        self._candidate: Reading | None = None
        self._count = 0

    @property
    def doubtful(self) -> bool:
        """A change was seen and wants another look."""
        return self._candidate is not None

    def hear(self, reading: Reading) -> bool:
        """One more reading; True if it is now believed and was not before."""
        if reading == self.reading:
            self._candidate = None
            return False
        self._count = self._count + 1 if reading == self._candidate else 1
        self._candidate = reading
        if self._count < NEEDED:
            return False
        self.reading, self._candidate = reading, None
        return True

    def forget(self) -> None:
        """The device was silent, or is another."""
        self.reading = self._candidate = None
