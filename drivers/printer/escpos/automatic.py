"""One printer's automatic status, for two who set it apart from each other. Pure.

The printer knows one `n` of GS a. What it is set to is the till's `n` together with the agent's;
the till gets the frames that its own `n` would have brought it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from drivers.printer.escpos.consts import ASB_ITEM_BITS, GS

ANSWER_S = 10.0  #: the frame that answers GS a may wait so long behind print data
PENDING_MOST = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process that takes over must know: the `n` of GS a that each side asked for, 0 for none."""

    till: int = 0
    agent: int = 0


@dataclass(frozen=True, slots=True)
class _Setting:
    """A GS a on its way. The printer answers it with one frame, behind all that changed before."""

    tills: bool
    n: int  # the till's, from then on
    before: int  # the till's until then; 0 where that is not sure
    sent_s: float


@dataclass(slots=True)
class AutomaticStatus:
    """Who set what, and who gets which frame."""

    settings: Settings = Settings()
    due: bool = False  #: the printer has to be told anew
    _in_force: int = -1  # the till's n when the printer sent what comes now
    _last: bytes | None = None  # frame that the till was given
    _pending: deque[_Setting] = field(default_factory=lambda: deque(maxlen=PENDING_MOST))

    def __post_init__(self) -> None:
        self._in_force = self.settings.till

    def till_sets(self, n: int, now_s: float) -> None:
        """The till's GS a was written. The printer now does as the till says, and no more."""
        if n:
            self._pending.append(_Setting(True, n, self.settings.till, now_s))
        self.settings = Settings(n, self.settings.agent)
        self._void()

    def initialised(self) -> None:
        """ESC @ was written. What is in force stays so until the printer has come to it."""
        self.settings = Settings(0, self.settings.agent)
        self._void()

    def powered_off(self) -> None:
        """The printer has forgotten all of it."""
        self._pending.clear()
        self._in_force = 0
        self.initialised()

    def doubtful(self) -> None:
        """It may have forgotten it: what is on its way has no answer any more."""
        self._pending.clear()
        self._void()

    def _void(self) -> None:
        self.due = self.settings.agent != 0

    def agent_sets(self, n: int) -> None:
        """The agent wants this, from the next gap on."""
        self.settings = Settings(self.settings.till, n)
        self.due = True

    def request(self) -> bytes:
        """GS a for both."""
        return bytes((GS, ord("a"), self.settings.till | self.settings.agent))

    def sent(self, now_s: float) -> None:
        """`request` was written."""
        self.due = False
        if self.request()[-1]:
            self._pending.append(_Setting(False, self.settings.till, self.settings.till, now_s))

    def awaited_s(self) -> float | None:
        """Since when the till waits for the answer to its GS a."""
        return next((one.sent_s for one in self._pending if one.tills), None)

    def expire(self, now_s: float) -> None:
        """What was not answered by now will not be."""
        while self._pending and now_s - self._pending[0].sent_s >= ANSWER_S:
            gone = self._pending.popleft()
            self._in_force = gone.n
            if gone.tills:
                self._last = None

    def frame(self, raw: bytes) -> bool:
        """A frame came; whether the till gets it, too."""
        gets = self._tills(raw)
        if gets:
            self._last = raw
        return gets

    def _tills(self, raw: bytes) -> bool:
        if self._pending:
            first = self._pending[0]
            if first.before and self._changed(raw, first.before):
                return True  # sent before the printer came to that GS a
            self._pending.popleft()
            self._in_force = first.n
            return first.tills or self._changed(raw, first.n)
        return not self.settings.agent or self._changed(raw, self._in_force)

    def _changed(self, raw: bytes, n: int) -> bool:
        """Something of what `n` enables is not as the till knows it."""
        if n == 0 or self._last is None:
            return n != 0
        return any(
            (now ^ then) & mask
            for item, bits in ASB_ITEM_BITS.items()
            if n & item
            for now, then, mask in zip(raw, self._last, bits, strict=True)
        )
