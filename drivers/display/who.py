"""What a display says of itself when asked seldom: each text is read alike three times before it counts.

A display may be exchanged while it is silent, so after that all is asked anew; and once a minute the first of
them, in case nobody noticed. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from drivers.belief import NEEDED, Belief

ASKED_MOST = 5  #: reads of one text at a time
CHECK_S = 60.0  #: whoever asks keeps the time
REFUSED_MOST = 3  #: so often without an answer, and it is not asked for again

Key = TypeVar("Key")


class Who(Generic[Key]):
    """`keys`: what can be asked for, in order."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        self._texts: dict[Key, str | None] = {}
        self._refused: dict[Key, int] = {}

    def doubt(self) -> None:
        """It may be another one."""
        self._texts.clear()
        self._refused.clear()

    @property
    def settled(self) -> bool:
        return len(self._texts) == len(self._keys)

    def texts(self) -> dict[Key, str]:
        """What it said; empty until all of it is settled."""
        return {key: text for key, text in self._texts.items() if text} if self.settled else {}

    def inquire(self, ask: Callable[[Key], str | None]) -> None:
        """Ask for what is not settled. `ask` gives None for no answer, which ends it for this time."""
        for key in self._keys:
            if key not in self._texts and not self._read(key, ask):
                return

    def check(self, ask: Callable[[Key], str | None]) -> None:
        """Ask for the first of them once more; another answer puts all in doubt."""
        key = self._keys[0]
        said = ask(key)
        if said is not None and said != self._texts.get(key):
            self.doubt()

    def _read(self, key: Key, ask: Callable[[Key], str | None]) -> bool:
        belief: Belief[str] = Belief()
        for _ in range(max(ASKED_MOST, NEEDED)):
            text = ask(key)
            if text is None:
                self._refused[key] = self._refused.get(key, 0) + 1
                if self._refused[key] >= REFUSED_MOST:
                    self._texts[key] = None
                return False
            if belief.hear(text):
                self._texts[key] = text
                return True
        return False
