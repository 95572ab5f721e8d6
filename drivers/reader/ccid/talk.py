"""Questions to a CCID reader and their answers, matched by bSeq, over the bulk pipes."""

from __future__ import annotations

from typing import Literal

from drivers.api import Deadline, Setup
from drivers.reader.ccid.consts import Power
from drivers.reader.ccid.wire import SEQUENCES, Answers, Noise, Said, get_slot_status, power_off, power_on
from drivers.silence import Outcome

ANSWER_S = 1.5  #: some contactless readers take a second to find no card; or `reply_s`, if that is more
EXTENDED_S = 5.0  #: a reader that asks for more time is given so much

Answered = Said | Literal[Outcome.MISSED, Outcome.GARBLED] | None
"""None: it asked for more time, and more was not to be had."""


class Talk:
    """One question at a time; they raise LinkErrors."""

    def __init__(self, setup: Setup) -> None:
        self._link = setup.link
        self._answer_s = max(ANSWER_S, setup.reply_s)
        self._answers = Answers()
        self._seq = 0

    def reset(self) -> None:
        """The link was opened anew."""
        self._answers.reset()

    def status(self, slot: int, deadline: Deadline) -> Answered:
        """Ask for a slot's status; its card is left as it is."""
        return self._ask(get_slot_status(slot, self._next()), deadline)

    def power_on(self, slot: int, power: Power, deadline: Deadline) -> Answered:
        """Put power on a card: for an external self-test alone."""
        return self._ask(power_on(slot, self._next(), power), deadline)

    def power_off(self, slot: int, deadline: Deadline) -> Answered:
        return self._ask(power_off(slot, self._next()), deadline)

    def _next(self) -> int:
        self._seq = (self._seq + 1) % SEQUENCES
        return self._seq

    def _ask(self, request: bytes, deadline: Deadline) -> Answered:
        """The answer that repeats the request's slot and bSeq."""
        until = deadline.within(self._answer_s)
        if self._link.write(request, until) < len(request):
            return Outcome.MISSED
        garbled = extended = False
        while True:
            for event in self._answers.feed(self._link.read(until)):
                if isinstance(event, Noise):
                    garbled = True
                elif (event.slot, event.seq) != (request[5], request[6]):
                    until = deadline.within(self._answer_s)  # late, so this one's may be late too
                elif event.more_time:
                    extended, until = True, deadline.within(EXTENDED_S)
                else:
                    return event
            if until.expired():
                if extended:
                    return None
                return Outcome.GARBLED if garbled else Outcome.MISSED
