"""One question to a display at a time, each with its deadline, and what lies around an answer.

An answer counts only if nothing else came with it; after noise the line must be quiet before the next
question. No answer says which question it is for, so once one was missed nothing but the heartbeat is
asked for a while: what comes late must not be taken for another's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from drivers.api import Deadline, Setup
from drivers.silence import Outcome

TRIES = 3
QUIET_S = 0.1  #: after noise, so long without a byte before the next question
ALONE_S = 0.03  #: behind an answer of one byte, to see that it is no piece of noise
LATE_S = 10.0  #: an answer may come so late
DRAIN_MOST = 64  #: reads of what lies there before a question

Event = TypeVar("Event")
Said_co = TypeVar("Said_co", covariant=True)
Value = TypeVar("Value")


class Parser(Protocol[Said_co]):
    noise: bool

    def reset(self) -> None: ...
    def feed(self, data: bytes) -> Sequence[Said_co]: ...


class Asker(Generic[Event]):
    """Methods that use the link raise LinkErrors."""

    def __init__(self, setup: Setup, parser: Parser[Event]) -> None:
        self._link = setup.link
        self._clock = setup.clock
        self._reply_s = setup.reply_s
        self._parser = parser
        self._noisy = False
        self._late_till_s = 0.0

    def opened(self) -> None:
        self._noisy = False
        self._late_till_s = 0.0
        self._parser.reset()

    @property
    def prompt(self) -> bool:
        """No question was missed lately, so that the next answer is the next question's."""
        return self._clock.monotonic_s() >= self._late_till_s

    def heard(self, data: bytes) -> None:
        """Bytes that nobody asked for: a late answer at best."""
        self._parser.feed(data)
        if self.prompt or self._parser.noise:
            self._noisy = True

    def ask(
        self,
        request: bytes,
        pick: Callable[[Event], Value | None],
        deadline: Deadline,
        *,
        tries: int = TRIES,
        alone: bool = False,
        reply_s: float | None = None,
    ) -> Value | Outcome:
        """The first value that `pick` finds in the answer; MISSED or GARBLED where `tries` brought none.

        `alone`: the answer is too short to be told from noise by itself.
        """
        outcome = Outcome.MISSED
        for _ in range(tries):
            said = self._once(request, pick, deadline, alone=alone, reply_s=reply_s or self._reply_s)
            if not isinstance(said, Outcome):
                return said
            # Garbage in any of the tries is garbage: a display that only lacks the answer stays silent.
            outcome = said if outcome is Outcome.MISSED else outcome
            if deadline.expired():
                break
        return outcome

    def _once(
        self,
        request: bytes,
        pick: Callable[[Event], Value | None],
        deadline: Deadline,
        *,
        alone: bool,
        reply_s: float,
    ) -> Value | Outcome:
        within = deadline.within(reply_s)
        if not self._quiet(deadline):
            return Outcome.GARBLED
        self._parser.reset()
        if self._link.write(request, within) < len(request):
            return Outcome.MISSED
        while True:
            data = self._link.read(within)
            events = self._parser.feed(data)
            value = next((found for event in events if (found := pick(event)) is not None), None)
            if value is not None:
                more = alone and (len(events) > 1 or bool(self._link.read(deadline.within(ALONE_S))))
                self._noisy = more or self._parser.noise
                return Outcome.GARBLED if self._noisy else value
            if within.expired():
                break
        self._late_till_s = self._clock.monotonic_s() + LATE_S
        self._noisy = self._parser.noise
        return Outcome.GARBLED if self._noisy else Outcome.MISSED

    def _quiet(self, deadline: Deadline) -> bool:
        """Take what lies there; after noise, wait for quiet."""
        for _ in range(DRAIN_MOST):
            data = self._link.read(deadline.within(QUIET_S if self._noisy else 0.0))
            if not data:
                self._noisy = False
                return True
            was = self._noisy
            self.heard(data)
            if was:
                return False
        return False
