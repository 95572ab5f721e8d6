"""The completion probe: does what was sent get printed? Pure.

A probe stands in the print queue like a receipt, so its answer proves the whole way. A printer that is
offline does not answer it, and that says nothing.
"""

from __future__ import annotations

import math

from drivers.learned import Learned

PROBE_EACH_S = 60.0
PROBE_STALLED_EACH_S = 3600.0  #: the probes that wait in it will tell; more of them would fill its buffer
PROBE_ANSWER_S = 10.0
OVERTAKEN_S = 1.0  #: on a shared printer a question waits for a gap between two jobs no longer than that
PROBES = 3  #: unanswered in a row, with nothing else lost meanwhile, and the printer has stalled


class Probe:
    """When a probe is due, and what its answer or silence means; what it is in bytes is the protocol's."""

    NAME = "completion"

    def __init__(self, learned: Learned, wanted: bool) -> None:
        self.learned = learned
        self.wanted = wanted
        self.stalled: bool | None = None
        self.unanswered = 0  #: in a row, PROBES at most
        self._waiting_since_s = 0.0
        self._asked_s = -math.inf
        self._due_s = -math.inf

    def lost(self) -> None:
        """Something else was lost on the way, so a probe may be too: ask again, and count anew."""
        self.unanswered = 0
        if self.stalled:
            self.hurry()

    def forget(self) -> None:
        """The power or the link went."""
        self.lost()
        self.stalled = None

    def take(self, now_s: float) -> bool:
        """True if it is time for a probe, which is then to be sent."""
        if not self.wanted or now_s < self._due_s or self.learned.refused(self.NAME):
            return False
        self.unanswered = min(self.unanswered + 1, PROBES)
        self._waiting_since_s = self._asked_s = now_s
        self._due_s = now_s + (PROBE_STALLED_EACH_S if self.stalled else PROBE_EACH_S)
        return True

    def overtaken(self, now_s: float) -> None:
        """A job of the till's is in progress: a probe of this moment may not have been sent."""
        if self.unanswered and now_s - self._asked_s < OVERTAKEN_S:
            self.unanswered -= 1
            self._due_s = now_s

    def hurry(self) -> None:
        """Something was printed: probe at the next occasion."""
        self._due_s = -math.inf

    def works(self) -> None:
        """A probe was answered."""
        self.lost()
        self.stalled = False
        self.learned.answered(self.NAME)

    def look(self, now_s: float, *, idle: bool) -> None:
        """Called at each poll: only a printer that was online all the time can have stalled."""
        if not self.unanswered:
            return
        if not idle:
            self._waiting_since_s = now_s
        elif now_s - self._waiting_since_s >= PROBE_ANSWER_S:
            if not self.learned.supported(self.NAME):
                self.learned.unanswered(self.NAME)
                self.unanswered = 0
            elif self.unanswered < PROBES:
                self._due_s = now_s
            elif not self.stalled:
                self.stalled = True
                self._due_s = now_s + PROBE_STALLED_EACH_S
