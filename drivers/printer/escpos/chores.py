"""What a printer is asked now and then while it is idle: who it is, its counters, whether it prints. Pure.

These commands are worked off in line with print data, so a printer that is offline does not
answer them, and that says nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drivers.learned import Learned
from drivers.printer.escpos.consts import PROCESS_DONE, Counter, Info
from drivers.printer.escpos.wire import ask_completion, ask_counter, ask_info

IDENTITY_EACH_S = 86400.0
COUNTERS_EACH_S = 3600.0
PROBE_EACH_S = 60.0
PROBE_STALLED_EACH_S = 3600.0  #: the probes that wait in it will tell; more of them would fill its buffer
PROBE_ANSWER_S = 10.0
OVERTAKEN_S = 1.0  #: on a shared printer a question waits for a gap between two jobs no longer than that
PROBES = 3  #: unanswered in a row, with nothing else lost meanwhile, and the printer has stalled

IDENTITY: Mapping[Info, str] = {
    Info.MAKER: "manufacturer",
    Info.MODEL: "model",
    Info.SERIAL: "serial",
    Info.FIRMWARE: "firmware",
}

STATISTICS: Mapping[Counter, str] = {
    Counter.LINES_FED: "ReceiptLineFeedCount",
    Counter.CUTS: "PaperCutCount",
    Counter.HOURS: "HoursPoweredCount",
}
"""UnifiedPOS names."""


@dataclass(frozen=True, slots=True)
class Chore:
    """One question with a block answer, known to be answered or not by `name`."""

    name: str
    request: bytes
    asks: Info | Counter


@dataclass(slots=True)
class Inventory:
    """Identity and counters: what is due, and what came of it."""

    learned: Learned
    identity_wanted: bool
    counters_wanted: bool
    identity: dict[str, str] = field(default_factory=dict)
    statistics: dict[str, float] = field(default_factory=dict)
    _waiting: deque[Chore] = field(default_factory=deque)
    _round: dict[str, str] | None = None  # what the present round of identity brought so far
    _identity_due_s: float = -math.inf
    _counters_due_s: float = -math.inf

    def doubt_identity(self) -> None:
        """Perhaps another device answers now: it is asked who it is at the next occasion."""
        self._identity_due_s = -math.inf

    @property
    def settled(self) -> bool:
        """It has said who it is, as far as it does, and nothing speaks against it since."""
        asking = any(isinstance(chore.asks, Info) for chore in self._waiting)
        return self._identity_due_s > -math.inf and not asking

    def take_round(self) -> dict[str, str] | None:
        """All that it said of itself in one round, once, when that is complete."""
        if self._round is None or not self.settled:
            return None
        identity, self._round = self._round, None
        return identity

    def exchanged(self) -> None:
        """It is another device: nothing the old one said holds."""
        self.identity.clear()
        self.statistics.clear()
        self._counters_due_s = -math.inf

    def next(self, now_s: float) -> Chore | None:
        """What to ask now, if anything."""
        if self.identity_wanted and now_s >= self._identity_due_s:
            self._identity_due_s = now_s + IDENTITY_EACH_S
            self._round = {}
            self._want(Chore(f"info_{info.value}", ask_info(info), info) for info in IDENTITY)
        if self.counters_wanted and now_s >= self._counters_due_s:
            self._counters_due_s = now_s + COUNTERS_EACH_S
            self._want(Chore(f"counter_{c.value}", ask_counter(c), c) for c in STATISTICS)
        return self._waiting.popleft() if self._waiting else None

    def _want(self, chores: Iterable[Chore]) -> None:
        self._waiting.extend(
            chore for chore in chores if chore not in self._waiting and not self.learned.refused(chore.name)
        )

    def again(self, chore: Chore) -> None:
        """It was not asked after all; the next occasion begins with it."""
        self._waiting.appendleft(chore)

    def unanswered(self, chore: Chore) -> None:
        """Asked in vain while idle; asked again later until it counts as unsupported."""
        if not self.learned.supported(chore.name):
            self.learned.unanswered(chore.name)
            self._want((chore,))

    def answered(self, chore: Chore, body: bytes) -> bool:
        """False if that is no answer to this question."""
        if isinstance(chore.asks, Info):
            text = body.decode("ascii", "replace").strip()
            if not (text and text.isascii() and text.isprintable()):
                return False
            self.identity[IDENTITY[chore.asks]] = text
            if self._round is not None:
                self._round[IDENTITY[chore.asks]] = text
        else:
            if not (body.isdigit() and len(body) <= 10):
                return False
            if float(body) < self.statistics.get(STATISTICS[chore.asks], 0.0):
                self.doubt_identity()  # reset, or another printer's
            self.statistics[STATISTICS[chore.asks]] = float(body)
        self.learned.answered(chore.name)
        return True


@dataclass(slots=True)
class Completion:
    """The completion probe: does what was sent get printed? Its answer proves the whole way."""

    learned: Learned
    wanted: bool
    stalled: bool | None = None
    _count: int = 0
    _tokens: list[bytes] = field(default_factory=list)  # unanswered in a row, oldest first
    _waiting_since_s: float = 0.0
    _asked_s: float = -math.inf
    _due_s: float = -math.inf

    NAME = "completion"

    def lost(self) -> None:
        """Something else was lost on the way, so a probe may be too: ask again, and count anew."""
        self._tokens.clear()
        if self.stalled:
            self.hurry()

    def forget(self) -> None:
        """The power or the link went."""
        self.lost()
        self.stalled = None

    def due(self, now_s: float) -> bytes | None:
        """The probe, if it is time for one."""
        if not self.wanted or now_s < self._due_s or self.learned.refused(self.NAME):
            return None
        self._count = (self._count + 1) % 10_000
        self._tokens.append(b"%04d" % self._count)
        del self._tokens[:-PROBES]
        self._waiting_since_s = self._asked_s = now_s
        self._due_s = now_s + (PROBE_STALLED_EACH_S if self.stalled else PROBE_EACH_S)
        return ask_completion(self._tokens[-1])

    def overtaken(self, now_s: float) -> None:
        """A job of the till's is in progress: a probe of this moment may not have been sent."""
        if self._tokens and now_s - self._asked_s < OVERTAKEN_S:
            self._tokens.pop()
            self._due_s = now_s

    def hurry(self) -> None:
        """Something was printed: probe at the next occasion."""
        self._due_s = -math.inf

    def answered(self, body: bytes) -> None:
        """A process block came; it counts if it answers one of the probes on their way."""
        if body[:1] == bytes((PROCESS_DONE,)) and body[1:] in self._tokens:
            self.lost()
            self.stalled = False
            self.learned.answered(self.NAME)

    def look(self, now_s: float, *, idle: bool) -> None:
        """Called at each poll: only a printer that was online all the time can have stalled."""
        if not self._tokens:
            return
        if not idle:
            self._waiting_since_s = now_s
        elif now_s - self._waiting_since_s >= PROBE_ANSWER_S:
            if not self.learned.supported(self.NAME):
                self.learned.unanswered(self.NAME)
                self._tokens.clear()
            elif len(self._tokens) < PROBES:
                self._due_s = now_s
            elif not self.stalled:
                self.stalled = True
                self._due_s = now_s + PROBE_STALLED_EACH_S
