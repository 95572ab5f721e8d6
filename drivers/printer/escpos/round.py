"""One round of DLE EOT: which question to send when, and whose answer a byte is. Pure.

An answer does not name its question, so whatever is on its way at one time asks the same thing:
a question is repeated until it is answered, and the next is asked only when no further answer to
it can come. That a late answer is never taken for another question's rests on this.

After a repeated question the round waits until as many answers came as were asked for, or are
long overdue. Checks shorten that: late answers are as far apart as their questions were, so two
in a row that come promptly after the line was quiet show that everything older is lost.

Where answers come late all the same, two things keep them from being believed: each round asks in
another order, so that what is taken wrongly differs from round to round; and a round that heard the
same byte four times does not count.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from drivers.learned import Learned
from drivers.printer.escpos.consts import STATUS_BITS, Query
from drivers.printer.escpos.wire import ask_status

ASKS = 2  #: of one question in one poll, so that a single lost byte is no missed poll
POLLS = 2  #: in vain for one question, then the round starts anew and doubts that it is supported
QUIET_S = 0.05  #: after noise or a late answer, before asking again
PROMPT_S = 0.1  #: an answer to a check; half of `reply_s` if that is less
CHECKS = 4
IN_STEP = 2  #: so many checks in a row answered promptly end the waiting
SETTLE = 2.0  #: a further answer may take so much longer than the first took
PATIENCE = 2.0  #: a device may take so much longer than it took lately
PATIENCE_MOST_S = 10.0
LATELY = 0.9  #: how much of a long wait is remembered at each further answer
ON_THEIR_WAY_MOST = 32

FIRST = Query.PRINTER
ORDERS = (
    (FIRST, Query.OFFLINE_CAUSE, Query.ERROR_CAUSE, Query.ROLL_PAPER),
    (FIRST, Query.ERROR_CAUSE, Query.ROLL_PAPER, Query.OFFLINE_CAUSE),
    (FIRST, Query.ROLL_PAPER, Query.OFFLINE_CAUSE, Query.ERROR_CAUSE),
)
"""Taken in turn: if answers lag behind after all, each round takes another one for a question's."""


def name(query: Query) -> str:
    """The question's name in what is learned."""
    return f"dle_eot_{query.value}"


@dataclass(slots=True)
class _Question:
    """The open one. Answered, it may have to settle: see above."""

    query: Query
    asks: int = 0  # in this poll
    polls: int = 0  # that began while it was open
    last_s: float | None = None
    answered: bool = False
    settled_s: float = 0.0  # answers still missing then will not come
    checks: int = 0
    check_s: float = math.inf  # when the next check is due
    in_step: int = 0  # checks answered promptly, in a row


@dataclass(slots=True)
class Round:
    """Ask `step` what to send, give `take` what came; `take_result` has the answers once, when complete."""

    learned: Learned
    reply_s: float
    stays_open: bool = True  #: the link between polls, so that a late answer can still be heard then
    losses: int = 0  #: how often something must have been lost on the way
    _rest: list[Query] = field(default_factory=list)
    _open: _Question | None = None
    _answers: dict[Query, int] = field(default_factory=dict)
    _passed_over: list[Query] = field(default_factory=list)
    _result: dict[Query, int] | None = None
    _orders: deque[tuple[Query, ...]] = field(default_factory=lambda: deque(ORDERS))
    _on_their_way: deque[float] = field(default_factory=lambda: deque(maxlen=ON_THEIR_WAY_MOST))
    _losses_before: int = 0
    _hold_s: float = -math.inf
    _lag_s: float = 0.0

    def possible(self) -> bool:
        """The printer may answer DLE EOT. Without the first question there are no others."""
        return not self.learned.refused(name(FIRST))

    @property
    def complete(self) -> bool:
        return self._open is None

    @property
    def settling(self) -> bool:
        """Answered, and waiting whether the same answer comes once more."""
        return self._open is not None and self._open.answered

    @property
    def prompt(self) -> bool:
        """Answers came within their deadline lately, so none is to be expected late."""
        return self._lag_s <= self.reply_s

    def begin(self) -> None:
        """From the first question on; what was answered so far does not count."""
        self._answers, self._passed_over, self._result = {}, [], None
        self._losses_before = self.losses
        self._rest = [query for query in self._orders[0] if not self.learned.refused(name(query))]
        self._orders.rotate(-1)
        self._open = _Question(self._rest.pop(0)) if self.possible() else None

    def poll_begins(self) -> None:
        """A new poll: begin, or go on with the open question."""
        question = self._open
        if question is None:
            self.begin()
            return
        question.asks = 0
        question.polls += 1
        if question.polls > POLLS and question.query is not FIRST and not question.answered:
            self.learned.doubt(name(question.query))
            self.begin()

    def forget(self) -> None:
        """Nothing is on its way any more."""
        self._open = self._result = None
        self._on_their_way.clear()
        self._hold_s, self._lag_s = -math.inf, 0.0

    def spoil(self, now_s: float) -> None:
        """Noise came; it may have been an answer. Ask anew when the line is quiet."""
        self.losses += 1
        if self._open is None:
            return
        if self._on_their_way:
            self._on_their_way.popleft()
        self._hold_s = now_s + max(QUIET_S, min(self.reply_s, PATIENCE * self._lag_s))
        self.begin()

    def step(self, now_s: float) -> bytes | None:
        """What is to be sent now, if anything; also moves on where nothing more is to be waited for."""
        while (question := self._open) is not None and now_s >= self._hold_s:
            if question.answered:
                if not self._on_their_way or now_s >= question.settled_s:
                    self._next()
                    continue
                return self._check(question, now_s)
            overdue = question.last_s is not None and now_s - question.last_s >= self._patience_s
            if question.last_s is None or (overdue and question.asks < self._asks_most(question)):
                self.losses += overdue
                return self._ask(question, now_s)
            if not (overdue and self._may_be_passed_over(question)):
                return None
            self._passed_over.append(question.query)
            self._next()
        return None

    def take(self, value: int, now_s: float) -> bool:
        """An answer came; False if nothing was asked, so that it says nothing."""
        question = self._open
        if question is None or question.last_s is None or now_s < self._hold_s:
            return False
        self._answers[question.query] = value
        oldest_s = self._on_their_way.popleft() if self._on_their_way else question.last_s
        lag_s = now_s - question.last_s
        self._lag_s = max(lag_s, LATELY * self._lag_s)
        prompt = question.checks > 0 and lag_s <= min(PROMPT_S, self.reply_s / 2)
        question.in_step = question.in_step + 1 if prompt else 0
        if question.in_step == IN_STEP:
            self._on_their_way.clear()
            return True
        if not question.answered:
            question.answered = True
            self.learned.answered(name(question.query))
        question.settled_s = max(question.settled_s, question.last_s + SETTLE * (now_s - oldest_s) + QUIET_S)
        if question.checks < CHECKS:
            question.check_s = now_s + QUIET_S
        return True

    def stuck(self, now_s: float) -> bool:
        """This poll can do no more for the open question but wait."""
        question = self._open
        if question is None or question.last_s is None or question.answered:
            return False
        all_asked = question.asks >= self._asks_most(question)
        if now_s < self._hold_s:
            return False
        if self.stays_open:
            return now_s - question.last_s >= self.reply_s and (all_asked or self._patience_s > self.reply_s)
        return now_s - question.last_s >= self._patience_s and all_asked

    def due_s(self, now_s: float) -> float:
        """When `step` or `stuck` will next say something new."""
        question = self._open
        if question is None:
            return math.inf
        moments = [self._hold_s]
        if question.answered:
            moments += [question.settled_s, question.check_s]
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

    def _ask(self, question: _Question, now_s: float) -> bytes:
        question.asks += 1
        question.last_s = now_s
        self._on_their_way.append(now_s)
        return ask_status(question.query)

    def _check(self, question: _Question, now_s: float) -> bytes | None:
        if now_s < question.check_s:
            return None
        question.checks += 1
        question.check_s = now_s + self.reply_s if question.checks < CHECKS else math.inf
        return self._ask(question, now_s)

    def _echoed(self) -> bool:
        """All four answers are one byte, and not the healthy one: no printer stands so, late answers do."""
        values = set(self._answers.values())
        return len(self._answers) == len(Query) and len(values) == 1 and values != {STATUS_BITS}

    def _next(self) -> None:
        self._on_their_way.clear()
        if self._rest:
            self._open = _Question(self._rest.pop(0))
            return
        self._open = None
        if self._echoed():
            self.losses += 1
            return
        self._result = self._answers
        if self.losses == self._losses_before:  # else the line may have lost the question
            for query in self._passed_over:
                self.learned.unanswered(name(query))
