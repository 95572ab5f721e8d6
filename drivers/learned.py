"""What a device was found to answer: per question `supported`, `unsupported` or not known yet.

Kept in the driver's Memory over restarts. What is unsupported is asked again once a day, since
a device may be replaced or updated.
"""

from __future__ import annotations

from collections.abc import Collection

from drivers.api import Clock, Memory

TRIES = 3
"""So often in a row unanswered while other questions were answered, and it is unsupported."""

ASK_AGAIN_S = 86400.0

_CAN = "can."
_REFUSED = "refused_wall_s."


class Learned:
    """One device's answers; `name` is any stable word for a question.

    `never`: questions that it is known not to answer.
    """

    def __init__(self, memory: Memory, clock: Clock, *, never: Collection[str] = ()) -> None:
        self._never = frozenset(never)
        self._memory = memory
        self._clock = clock
        self._unanswered: dict[str, int] = {}

    def supported(self, name: str) -> bool:
        return self._memory.get(_CAN + name) is True

    def refused(self, name: str) -> bool:
        """Known to be unsupported, and not due to be asked again."""
        if name in self._never:
            return True
        if self._memory.get(_CAN + name) is not False:
            return False
        since = self._memory.get(_REFUSED + name)
        return isinstance(since, int | float) and 0 <= self._clock.wall_s() - since < ASK_AGAIN_S

    def answered(self, name: str) -> None:
        self._unanswered.pop(name, None)
        if not self.supported(name):
            self._memory[_CAN + name] = True
            self._memory.pop(_REFUSED + name, None)

    def unanswered(self, name: str) -> bool:
        """It was asked in vain, of a device that answers others; True when that made it unsupported.

        What was answered once stays supported: silence is then the device's trouble, not its nature.
        """
        if self.supported(name):
            return False
        known_refusal = self._memory.get(_CAN + name) is False
        count = self._unanswered[name] = self._unanswered.get(name, 0) + 1
        if count < TRIES and not known_refusal:
            return False
        self._unanswered.pop(name)
        self._memory[_CAN + name] = False
        self._memory[_REFUSED + name] = self._clock.wall_s()
        return not known_refusal

    def doubt(self, name: str) -> None:
        """It was supported, and now the device may be another."""
        if self.supported(name):
            del self._memory[_CAN + name]
