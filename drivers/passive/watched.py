"""One source under watch: when it is looked at, and what its silence means."""

from __future__ import annotations

from drivers.api import Clock, Deadline, Memory
from drivers.errors import LinkError, LinkLost, ProtocolError, Refused, TillwatchError, Unreachable
from drivers.passive.source import Findings, SaysNo, Source

LOOKS = 3  #: so many in a row in vain, and what was known of it is known no more
NEVER_ANSWERED_EACH_S = 300.0  #: most sources of most devices are not there; those are asked seldom
ANSWERED = "looked."  #: in Memory, with the source's name: it has answered, ever


class WatchedSource:
    """Bookkeeping round one source."""

    def __init__(self, source: Source, clock: Clock, memory: Memory) -> None:
        self.source = source
        self.findings: Findings | None = None  #: the latest; None while nothing is known
        self.trouble: TillwatchError | None = None  #: of the latest look
        self.missed = 0
        self.at_wall_s = 0.0
        self._clock = clock
        self._memory = memory
        self._key = ANSWERED + source.name
        self._looked_s = float("-inf")
        self._wait_s = source.each_s

    @property
    def answered_before(self) -> bool:
        return self._memory.get(self._key) is True

    @property
    def answers(self) -> bool:
        """It answered at the latest look."""
        return self.trouble is None and self.findings is not None

    @property
    def silent(self) -> bool:
        """It used to answer, and has not three times in a row."""
        return self.answered_before and self.missed >= LOOKS

    @property
    def gone(self) -> bool:
        """Silent because nobody is there, not because it says no or we cannot ask."""
        return self.silent and isinstance(self.trouble, Unreachable | LinkLost)

    @property
    def proves_host(self) -> bool:
        """It said no, or nonsense; so somebody is there."""
        return isinstance(self.trouble, Refused | SaysNo | ProtocolError)

    def due(self, *, in_doubt: bool = False) -> bool:
        """`in_doubt`: others of the same host are silent, so that an old word of this one proves nothing."""
        wait_s = min(self._wait_s, self.source.each_s) if in_doubt else self._wait_s
        return self._clock.monotonic_s() >= self._looked_s + wait_s

    def look(self, deadline: Deadline) -> bool:
        """True if it told something. What it is in trouble with stays in `trouble`."""
        try:
            found = self.source.look(deadline)
        except (LinkError, ProtocolError) as error:
            # A copy: the error itself would keep the frames it passed through, and all they hold.
            self.trouble = type(error)(str(error), hint=error.hint)
            self.missed = min(self.missed + 1, LOOKS)
            if self.missed >= LOOKS:
                self.findings = None
            self._wait_s = self._next_wait_s()
        else:
            self.findings, self.trouble, self.missed = found, None, 0
            self.at_wall_s = self._clock.wall_s()
            self._memory[self._key] = True
            self._wait_s = self.source.each_s
        self._looked_s = self._clock.monotonic_s()
        return self.trouble is None

    def said(self) -> str:
        """For the device's facts: `answers`, the code of what it is in trouble with, or that it never did."""
        if self.trouble is None or (self.answered_before and self.missed < LOOKS):
            return "answers" if self.answered_before else "unknown"
        return self.trouble.code if self.answered_before or self.trouble.code != "unreachable" else "unknown"

    def _next_wait_s(self) -> float:
        if self.answered_before:
            return self.source.each_s
        return min(2 * max(self._wait_s, 1.0), NEVER_ANSWERED_EACH_S)
