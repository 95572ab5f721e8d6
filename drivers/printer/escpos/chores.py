"""What a printer is asked now and then while it is idle: who it is, its counters, whether it prints. Pure.

These commands are worked off in line with print data, so a printer that is offline does not
answer them, and that says nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from drivers.learned import Learned
from drivers.printer.escpos.consts import PROCESS_DONE, Counter, Info
from drivers.printer.escpos.wire import ask_completion, ask_counter, ask_info
from drivers.printer.probe import PROBES, Probe

IDENTITY_EACH_S = 86400.0
COUNTERS_EACH_S = 3600.0

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
    infos: Collection[Info] = tuple(Info)  #: of which it is known to tell
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
            asked = (info for info in IDENTITY if info in self.infos)
            self._want(Chore(f"info_{info.value}", ask_info(info), info) for info in asked)
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


class Completion(Probe):
    """The completion probe of ESC/POS: GS ( H, each with a number of its own, which the answer repeats."""

    def __init__(self, learned: Learned, wanted: bool) -> None:
        super().__init__(learned, wanted)
        self._count = 0
        self._tokens: deque[bytes] = deque(maxlen=PROBES)  # that an answer may repeat

    def due(self, now_s: float) -> bytes | None:
        """The probe, if it is time for one."""
        if not self.take(now_s):
            return None
        self._count = (self._count + 1) % 10_000
        self._tokens.append(b"%04d" % self._count)
        return ask_completion(self._tokens[-1])

    def answered(self, body: bytes) -> None:
        """A process block came; it counts if it answers one of the last probes, however late."""
        if body[:1] == bytes((PROCESS_DONE,)) and body[1:] in self._tokens:
            self.works()
