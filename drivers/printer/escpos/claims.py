"""Whose answer is it? The questions on their way to one printer, and the rules. Pure.

An answer does not name its question; a printer answers in order, those that it answers at all. So
an answer belongs to the oldest question that may bring its like, with two exceptions where the
agent's is the older one: a till that asked the very same gets the same answer, and the till goes
first if nothing has proven yet that the printer answers the agent's, or that was long ago.
"""

from __future__ import annotations

import enum
import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TypeVar

from drivers.printer.escpos.commands import Kind
from drivers.printer.escpos.till import Question

CLAIMS_MOST = 32
KEYS_MOST = 64
LIVE_S = 0.25  #: an agent's question holds others back for so long
TILL_WAITS_S = 1.0  #: a till's holds the agent's back for so long
IN_VAIN = 3  #: a question that was so often not answered holds nobody back any more
PROCESS_IDS = 8  #: of the agent's that may still be answered: when, depends on the paper
_FIRM_S = {True: 1.0, False: 10.0}  # by real_time: so long the order is trusted against the till
_TILL_LAST_S = {True: TILL_WAITS_S, False: 10.0}  # and so long an answer may come at all
_AGENT_LAST_S = {True: 2.0, False: 60.0}
NETWORK_LAST_S = 300.0  #: a network keeps what a full printer does not take, so its answer may come then
LATE_MOST = 8  #: so many of the agent's may wait there,
LATE_EACH_S = 15.0  #: and then one more each that


Value = TypeVar("Value")


class Owner(enum.Flag):
    """Who asked, or who gets an answer."""

    NOBODY = 0
    TILL = 1
    AGENT = 2


@dataclass(slots=True)
class Claim:
    """One question on its way."""

    owner: Owner
    question: Question
    sent_s: float  #: when it left
    at: int = 0  #: where it ends, in all bytes that were written to the printer
    gone: bool = False  #: whoever asked does not wait any more
    shaky: bool = False  #: an answer came that may have been this one's
    spent_s: float | None = None  #: when the till's equal question took its answer
    held_until_s: float = math.inf  #: the till's question waits for this one's answer, once, until then

    @property
    def key(self) -> bytes:
        return self.question.key

    @property
    def real_time(self) -> bool:
        return self.question.answer.real_time

    @property
    def kind(self) -> Kind:
        return self.question.answer.kind

    @property
    def gets(self) -> Owner:
        """Who is given its answer."""
        return Owner.NOBODY if self.gone or self.spent_s is not None else self.owner

    def mistakable_for(self, other: Question) -> bool:
        """Its answer may look like the other's."""
        theirs = other.answer
        alike = self.kind is theirs.kind and not set(self.question.answer.headers).isdisjoint(theirs.headers)
        return theirs.kind is Kind.ANY or alike or self.kind is theirs.kind is Kind.STATUS


class Claims:
    """The questions on their way, oldest first."""

    def __init__(self) -> None:
        self.network = False  #: nothing is lost on the way, however long it takes
        self._claims: deque[Claim] = deque(maxlen=CLAIMS_MOST)
        self._proven: OrderedDict[bytes, None] = OrderedDict()
        self._in_vain: OrderedDict[bytes, int] = OrderedDict()
        self._any_until_s = self._any_last_s = -math.inf

    def add(
        self, owner: Owner, question: Question, sent_s: float, *, at: int = 0, gone: bool = False
    ) -> None:
        """It was written to the printer. `gone`: whoever asked is not there any more."""
        if owner is Owner.TILL:
            if self._in_vain.get(question.key, 0) >= IN_VAIN:
                return
            if question.answer.kind is Kind.ANY:
                self._any_until_s, self._any_last_s = sent_s + TILL_WAITS_S, sent_s + _TILL_LAST_S[False]
        elif question.answer.kind is Kind.PROCESS:
            ids = [c for c in self._claims if c.kind is Kind.PROCESS and c.owner is Owner.AGENT]
            if len(ids) >= PROCESS_IDS:
                self._claims.remove(ids[0])
        self._claims.append(Claim(owner, question, sent_s, at, gone))

    def not_left(self, left: int, until_s: float) -> None:
        """Of all bytes written, only the first `left` ones have left; no other will before `until_s`."""
        for claim in self._claims:
            if claim.at > left:
                claim.sent_s = max(claim.sent_s, until_s)

    def heard(self, now_s: float) -> bool:
        """Something came. True while the till awaits an answer of unknown form: all is for it then."""
        if now_s >= self._any_until_s:
            return False
        self._any_until_s = min(now_s + TILL_WAITS_S, self._any_last_s)
        for claim in [claim for claim in self._claims if claim.kind is Kind.ANY]:
            self._claims.remove(claim)
            self._prove(claim.key)
        return True

    def match(self, kind: Kind, raw: bytes, now_s: float) -> Owner | None:
        """Who gets this answer; None: nobody asked for it."""
        fitting = [claim for claim in self._claims if _fits(claim, kind, raw)]
        if not fitting:
            self._in_vain.clear()  # it may be the answer to one that had none before: the printer is back
            return None
        first = fitting[0]
        if first.gets is not Owner.TILL:
            rival = next((claim for claim in fitting if claim.gets is Owner.TILL), None)
            if rival is not None and not self._firm(first, now_s):
                for claim in fitting[: fitting.index(rival)]:
                    self._claims.remove(claim)
                first = rival
            elif rival is not None and rival.key == first.key and first.spent_s is None:
                self._claims.remove(rival)
                owners = first.gets | Owner.TILL
                first.spent_s = now_s
                return owners
        self._claims.remove(first)
        later = [claim for claim in fitting if claim in self._claims and claim.owner is first.owner]
        if all(claim.key == first.key for claim in later):
            self._prove(first.key)
        for claim in later:
            claim.shaky = True
        if first.owner is Owner.AGENT and any(claim.gets is Owner.AGENT for claim in later):
            return Owner.AGENT  # the late one may never come; it knows how to tell
        return first.gets

    def expire(self, now_s: float) -> None:
        """Forget what will not be answered any more."""
        over = [claim for claim in self._claims if now_s - claim.sent_s >= self._last_s(claim)]
        if any(claim.owner is Owner.TILL and claim.real_time for claim in over):
            # What comes late now may be the till's.
            over += [c for c in self._late() if c not in over and now_s - c.sent_s >= _AGENT_LAST_S[True]]
        for claim in over:
            self._claims.remove(claim)
            if claim.owner is Owner.TILL:
                self._remember(self._in_vain, claim.key, self._in_vain.get(claim.key, 0) + 1)

    def _last_s(self, claim: Claim) -> float:
        if claim.kind is Kind.PROCESS:
            return math.inf
        if claim.owner is Owner.TILL:
            return _TILL_LAST_S[claim.real_time]
        return NETWORK_LAST_S if self.network and claim.real_time else _AGENT_LAST_S[claim.real_time]

    def _late(self) -> list[Claim]:
        return [claim for claim in self._claims if claim.owner is Owner.AGENT and claim.real_time]

    def next_late_s(self) -> float:
        """Until when the agent asks nothing more, since so many of its questions are still on their way."""
        late = self._late()
        return late[-1].sent_s + LATE_EACH_S if len(late) >= LATE_MOST else -math.inf

    def orphan(self, owner: Owner) -> None:
        """This one went: the answers to it are nobody's."""
        for claim in self._claims:
            claim.gone = claim.gone or claim.owner is owner
        if owner is Owner.TILL:
            self._any_until_s = -math.inf

    def clear(self) -> None:
        """No answer will come."""
        self._claims.clear()
        self._in_vain.clear()
        self._any_until_s = -math.inf

    def clear_queued(self) -> None:
        """What waited behind print data is gone."""
        for claim in [claim for claim in self._claims if not claim.real_time]:
            self._claims.remove(claim)

    def agents_live(self, now_s: float) -> Claim | None:
        """The agent's question that is to be answered first."""
        for claim in self._claims:
            waits = claim.owner is Owner.AGENT and claim.spent_s is None and now_s - claim.sent_s < LIVE_S
            if waits and claim.kind is not Kind.PROCESS:
                return claim
        return None

    def held_until_s(self, now_s: float) -> float:
        """Until when the till's question waits, if it does."""
        live = self.agents_live(now_s)
        return live.held_until_s if live is not None else math.inf

    def agent_waits(self) -> bool:
        """Some answer to the agent is still to come, and not at any time whatsoever."""
        return any(claim.gets is Owner.AGENT and claim.kind is not Kind.PROCESS for claim in self._claims)

    def tills_until_s(self, *, queued: bool) -> float:
        """When the agent may ask again: the till's questions are answered, or given up."""
        until_s = self._any_until_s
        for claim in self._claims:
            if claim.owner is Owner.TILL:
                waits_s = _TILL_LAST_S[False] if queued and not claim.real_time else TILL_WAITS_S
                until_s = max(until_s, claim.sent_s + waits_s)
        return until_s

    def _firm(self, claim: Claim, now_s: float) -> bool:
        if claim.spent_s is not None:
            return now_s - claim.spent_s < LIVE_S
        return (
            claim.key in self._proven and not claim.shaky and now_s - claim.sent_s < _FIRM_S[claim.real_time]
        )

    def _prove(self, key: bytes) -> None:
        self._in_vain.pop(key, None)
        self._remember(self._proven, key, None)

    @staticmethod
    def _remember(where: OrderedDict[bytes, Value], key: bytes, value: Value) -> None:
        where[key] = value
        where.move_to_end(key)
        if len(where) > KEYS_MOST:
            where.popitem(last=False)


def _fits(claim: Claim, kind: Kind, raw: bytes) -> bool:
    if claim.kind is not kind:
        return False
    if kind is Kind.PROCESS:
        return claim.key[7:] == raw[2:-1]
    return kind is not Kind.BLOCK or raw[0] in claim.question.answer.headers
