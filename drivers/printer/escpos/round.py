"""One round of DLE EOT: which question to send when, and whose answer a byte is. Pure.

An answer does not name its question, so whatever is on its way at one time asks the same thing:
a question is repeated until it is answered, and the next is asked only when no further answer to
it can come. That a late answer is never taken for another question's rests on this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from drivers.learned import Learned
from drivers.printer.escpos.consts import Query
from drivers.printer.escpos.wire import ask_status

ASKS = 2  #: of one question in one poll, so that a single lost byte is no missed poll
POLLS = 2  #: in vain for one question, then the round starts anew and doubts that it is supported
QUIET_S = 0.05  #: after noise, before asking again
SETTLE = 2.0  #: a second answer may take so much longer than the first took
PATIENCE = 2.0  #: a device may take so much longer than it took lately
LATELY = 0.9  #: how much of a long wait is remembered at each further answer
PATIENCE_MOST_S = 10.0

FIRST = Query.PRINTER


def name(query: Query) -> str:
    """The question's name in what is learned."""
    return f"dle_eot_{query.value}"


@dataclass(slots=True)
class _Question:
    """The open one."""

    query: Query
    asks: int = 0  # in this poll
    polls: int = 0  # that began while it was open
    last_s: float | None = None
    answered_s: float | None = None
    settled_s: float = 0.0


@dataclass(slots=True)
class Round:
    """Ask `step` what to send, give `take` what came; `take_result` has the answers once, when complete."""

    learned: Learned
    reply_s: float
    losses: int = 0  #: how often something must have been lost on the way
    _rest: list[Query] = field(default_factory=list)
    _open: _Question | None = None
    _answers: dict[Query, int] = field(default_factory=dict)
    _passed_over: list[Query] = field(default_factory=list)
    _result: dict[Query, int] | None = None
    _on_their_way: list[float] = field(default_factory=list)  # when each was asked, oldest first
    _hold_s: float = -math.inf
    _lag_s: float = 0.0
    _wary: bool = False  # the next answer may be the first of several that were held back

    def possible(self) -> bool:
        """The printer may answer DLE EOT. Without the first question there are no others."""
        return not self.learned.refused(name(FIRST))

    @property
    def complete(self) -> bool:
        return self._open is None

    @property
    def settling(self) -> bool:
        """Answered, and waiting whether the same answer comes once more."""
        return self._open is not None and self._open.answered_s is not None

    def begin(self) -> None:
        """From the first question on; what was answered so far does not count."""
        self._answers, self._passed_over, self._result = {}, [], None
        self._rest = [query for query in Query if not self.learned.refused(name(query))]
        self._open = _Question(self._rest.pop(0)) if self.possible() else None

    def poll_begins(self) -> None:
        """A new poll: begin, or go on with the open question."""
        question = self._open
        if question is None:
            self.begin()
            return
        question.asks = 0
        question.polls += 1
        if question.polls > POLLS and question.query is not FIRST and not self.settling:
            self.learned.doubt(name(question.query))
            self.begin()

    def forget(self) -> None:
        """The link was opened anew: nothing is on its way any more."""
        self._open = self._result = None
        self._on_their_way.clear()
        self._hold_s, self._lag_s = -math.inf, 0.0

    def give_up(self) -> None:
        """Silent for so long that what is on its way counts as lost."""
        self._on_their_way.clear()
        self._wary = True

    def spoil(self, now_s: float) -> None:
        """Noise came; it may have been an answer. Ask anew when the line is quiet."""
        self.losses += 1
        if self._open is None:
            return
        if self._on_their_way:
            self._on_their_way.pop(0)
        self._hold_s = now_s + max(QUIET_S, min(self.reply_s, PATIENCE * self._lag_s))
        self.begin()

    def step(self, now_s: float) -> bytes | None:
        """What is to be sent now, if anything; also moves on where nothing more is to be waited for."""
        while (question := self._open) is not None and now_s >= self._hold_s:
            if question.answered_s is not None:
                if self._on_their_way and now_s < question.settled_s:
                    return None
                self._next()
            elif question.last_s is None or (
                question.asks < self._asks_most(question) and now_s - question.last_s >= self._patience_s
            ):
                self.losses += question.last_s is not None
                question.asks += 1
                question.last_s = now_s
                self._on_their_way.append(now_s)
                return ask_status(question.query)
            elif self._may_be_passed_over(question) and now_s - question.last_s >= self._patience_s:
                self._passed_over.append(question.query)
                self._next()
            else:
                return None
        return None

    def take(self, value: int, now_s: float) -> bool:
        """An answer came; False if nothing was asked, so that it says nothing."""
        question = self._open
        if question is None or question.last_s is None or now_s < self._hold_s:
            return False
        self._answers[question.query] = value
        oldest_s = self._on_their_way.pop(0) if self._on_their_way else question.last_s
        self._lag_s = max(now_s - question.last_s, LATELY * self._lag_s)
        if question.answered_s is None:
            question.answered_s = now_s
            self.learned.answered(name(question.query))
            if self._wary:
                self._wary = False
                self._on_their_way.append(question.last_s)
        within_s = min(SETTLE * (now_s - oldest_s), PATIENCE_MOST_S)
        question.settled_s = max(question.settled_s, question.last_s + within_s + QUIET_S)
        return True

    def stuck(self, now_s: float) -> bool:
        """This poll can do no more for the open question but wait."""
        question = self._open
        if question is None or question.last_s is None or question.answered_s is not None:
            return False
        return (
            now_s >= self._hold_s
            and now_s - question.last_s >= self.reply_s
            and (question.asks >= self._asks_most(question) or self._patience_s > self.reply_s)
        )

    @property
    def prompt(self) -> bool:
        """The last answer came within its deadline, so no answer is to be expected late."""
        return self._lag_s <= self.reply_s

    def due_s(self, now_s: float) -> float:
        """When `step` or `stuck` will next say something new."""
        question = self._open
        if question is None:
            return math.inf
        moments = [self._hold_s]
        if question.answered_s is not None:
            moments.append(question.settled_s)
        elif question.last_s is not None:
            moments += [question.last_s + self.reply_s, question.last_s + self._patience_s]
        return min((moment for moment in moments if moment > now_s), default=math.inf)

    def take_result(self) -> dict[Query, int] | None:
        """The answers of the round that is complete, once."""
        result, self._result = self._result, None
        return result

    @property
    def _patience_s(self) -> float:
        return max(self.reply_s, min(PATIENCE * self._lag_s, PATIENCE_MOST_S))

    def _may_be_passed_over(self, question: _Question) -> bool:
        return question.query is not FIRST and not self.learned.supported(name(question.query))

    def _asks_most(self, question: _Question) -> int:
        return 1 if self._may_be_passed_over(question) else ASKS

    def _next(self) -> None:
        self._on_their_way.clear()
        if self._rest:
            self._open = _Question(self._rest.pop(0))
            return
        self._open = None
        self._result = self._answers
        for query in self._passed_over:
            self.learned.unanswered(name(query))
