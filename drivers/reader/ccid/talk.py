"""Questions to a CCID reader and their answers, matched by bSeq, over the bulk pipes.

A question is asked again where what came was spoiled, or nothing came for long; an answer to any asking of it
counts. One that the reader takes more time for is waited for, over polls too: meanwhile it takes no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Literal

from drivers.api import Deadline, Setup
from drivers.reader.ccid.consts import Power
from drivers.reader.ccid.wire import SEQUENCES, Answers, Noise, Said, get_slot_status, power_off, power_on
from drivers.silence import Outcome

ANSWER_S = 1.5  #: some contactless readers take a second to find no card; or `reply_s`, if that is more
POWER_ON_S = 5.0
SPOILED_S = 0.1  #: after noise the answer may still come
TRIES = 4
MORE_TIME_S = 30.0  #: a reader that asks for more time is given so much, each time
LATE = 16  #: an answer to one of so many questions is a late one

Answered = Said | Literal[Outcome.MISSED, Outcome.GARBLED] | None
"""None: the reader took more time, and is busy."""


class Talk:
    """One question at a time; they raise LinkErrors."""

    def __init__(self, setup: Setup) -> None:
        self._link = setup.link
        self._clock = setup.clock
        self._answer_s = max(ANSWER_S, setup.reply_s)
        self._answers = Answers()
        self._asked: deque[int] = deque([0], maxlen=LATE)  # bSeq, the last one at the end
        self._noise = False
        self.noise_bytes = 0  #: since the asker set it to 0
        self._owed: tuple[int, int] | None = None  # slot and bSeq that more time was asked for
        self._owed_until_s = 0.0

    def reset(self) -> None:
        """The link was opened anew."""
        self._answers.reset()
        self._owed = None

    def status(self, slot: int, deadline: Deadline) -> Answered:
        """Ask for a slot's status; its card is left as it is."""
        return self._ask(lambda seq: get_slot_status(slot, seq), slot, deadline)

    def power_on(self, slot: int, power: Power, deadline: Deadline) -> Answered:
        """Put power on a card, once: for an external self-test alone."""
        return self._ask(lambda seq: power_on(slot, seq, power), slot, deadline, tries=1, answer_s=POWER_ON_S)

    def power_off(self, slot: int, deadline: Deadline) -> Answered:
        return self._ask(lambda seq: power_off(slot, seq), slot, deadline)

    def _ask(
        self,
        request: Callable[[int], bytes],
        slot: int,
        deadline: Deadline,
        *,
        tries: int = TRIES,
        answer_s: float = ANSWER_S,
    ) -> Answered:
        each_s = max(answer_s, self._answer_s)
        if self._owed is not None:
            self._settle(deadline.within(each_s))
            if self._owed is not None:
                return None
        self._noise = False
        asked: list[int] = []
        for again in reversed(range(tries)):
            until = deadline.within(each_s)
            asked.append((self._asked[-1] + 1) % SEQUENCES)
            self._asked.append(asked[-1])
            data = request(asked[-1])
            if self._link.write(data, until) < len(data):
                break
            said = self._hear(slot, asked, until, SPOILED_S if again else each_s)
            if said is not None:
                return self._more_time(said, deadline) if said.more_time else said
            if deadline.expired():
                break
        return Outcome.GARBLED if self._noise else Outcome.MISSED

    def _hear(self, slot: int, asked: Collection[int], until: Deadline, spoiled_s: float) -> Said | None:
        """The answer to one asking; None where none came, or `spoiled_s` after what may have been it."""
        while True:
            for event in self._answers.feed(self._link.read(until)):
                if isinstance(event, Said) and event.slot == slot and event.seq in asked:
                    return event
                if isinstance(event, Noise):
                    self._noise = True
                    self.noise_bytes += event.count
                if isinstance(event, Noise) or event.seq in asked or event.seq not in self._asked:
                    until = until.within(spoiled_s)
            if until.expired():
                self._answers.reset()  # the rest of a broken answer does not come: the next one is none of it
                return None

    def _more_time(self, said: Said, deadline: Deadline) -> Said | None:
        self._owed = (said.slot, said.seq)
        self._owed_until_s = self._clock.monotonic_s() + MORE_TIME_S
        return self._settle(deadline.within(MORE_TIME_S))

    def _settle(self, until: Deadline) -> Said | None:
        """The answer that more time was asked for, if it comes; given up in the end."""
        while self._owed is not None and not until.expired():
            slot, seq = self._owed
            said = self._hear(slot, (seq,), until, MORE_TIME_S)
            if said is not None and not said.more_time:
                self._owed = None
                return said
            if said is not None:
                self._owed_until_s = self._clock.monotonic_s() + MORE_TIME_S
        if self._clock.monotonic_s() >= self._owed_until_s:
            self._owed = None
        return None
