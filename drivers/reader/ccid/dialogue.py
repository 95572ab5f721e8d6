"""What is asked of a CCID reader at each poll, and what its answers mean.

GetSlotStatus alone: it leaves a card as it is (CCID rev 1.1, 6.1.3). An answer that repeats another bSeq is
one to an earlier question, and is passed over. A reader that asks for more time lives, and is busy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from drivers.api import Deadline, Json, Level, Occasion, Setup, Step, VerifiedBy
from drivers.asked import Reading
from drivers.reader.ccid.consts import BUSY, OVER_CURRENT, PARAMETERS_WRONG, Card, Error
from drivers.reader.ccid.selftest import card_test
from drivers.reader.ccid.talk import Talk
from drivers.reader.ccid.wire import HardwareError, Notices, Said, SlotChange
from drivers.seldom import Seldom
from drivers.silence import Outcome
from drivers.usb_control import controls, notices
from drivers.usb_identity import ask_identity

KINDS = ("hardware_error", "over_current")
NOTICE_HOLDS_S = 30.0
"""A notice tells that a current was too high, none that it is not any more: it holds so long, or until the
card moves."""
SLOTS_MOST = 8
DESCRIPTORS = "descriptors"
"""All that tells who it is, asked for as one."""
BABBLE_BYTES = 64
"""Of noise around one answer: no pipe that spoils an answer now and then brings so much."""

ERRORS: Mapping[int, str] = {Error.HARDWARE: "hardware_error", Error.SHORT_CIRCUIT: "over_current"}
CARDS: Mapping[int, str] = {Card.ACTIVE: "present", Card.INACTIVE: "present", Card.ABSENT: "absent"}


class CcidDialogue:
    """`drivers.asked.Dialogue`, over the bulk pipes. Option `slots`: how many are asked."""

    kinds: tuple[str, ...] = KINDS
    identifies = True
    verified_by: VerifiedBy = "readback"
    by_notice = True

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._clock = setup.clock
        slots = setup.options.get("slots", 1)
        self._slots = range(min(max(slots, 1), SLOTS_MOST) if isinstance(slots, int) else 1)
        self._talk = Talk(setup)
        self._notices = Notices(len(self._slots))
        self._over_current: dict[int, float] = {}  # slot -> until when its notice holds
        self._cards: dict[int, Json] = {}
        self._last = Reading()
        self._identity: Seldom[str, Mapping[str, str]] = Seldom(setup, (DESCRIPTORS,), self._ask_identity)

    def opened(self) -> None:
        self._talk.reset()
        self._notices.reset()
        self._over_current.clear()
        self._last = Reading()
        self._identity.doubt()

    def ask(self, deadline: Deadline) -> Reading | Outcome | None:
        said: dict[int, Said] = {}
        self._talk.noise_bytes = 0
        for slot in self._slots:
            answer = self._talk.status(slot, deadline)
            if self._talk.noise_bytes >= BABBLE_BYTES:
                answer = Outcome.GARBLED
            if answer is Outcome.MISSED or answer is Outcome.GARBLED:
                self._last = Reading()
                return answer
            if not isinstance(answer, Said) or answer.error in BUSY:
                return replace(self._last, facts={**self._last.facts, "busy": True})
            said[slot] = answer
        cards = self._cards_seen(said)
        self._last = Reading(
            conditions=self._conditions(said),
            facts={**cards, "busy": False},
            identity=self._identity.look(deadline).get(DESCRIPTORS, {}),
            evidence={"slot_status": [answer.header.hex(" ") for answer in said.values()]},
        )
        return self._last

    def heard(self, data: bytes) -> bool:
        if not notices(self._setup.link):
            return False  # a late answer
        news = False
        for event in self._notices.feed(data):
            if isinstance(event, HardwareError):
                if event.code & OVER_CURRENT and event.slot in self._slots:
                    self._over_current[event.slot] = self._clock.monotonic_s() + NOTICE_HOLDS_S
                news = True
            news = news or isinstance(event, SlotChange)
        return news

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - nothing is printed
        return iter(()) if level == "internal" else card_test(self._talk, deadline)

    # -- what it means -------------------------------------------------------------------------------

    def _conditions(self, said: Mapping[int, Said]) -> dict[str, bool | None]:
        each = [self._slot_conditions(slot, answer) for slot, answer in said.items()]
        return {kind: _any([slot[kind] for slot in each]) for kind in KINDS}

    def _slot_conditions(self, slot: int, answer: Said) -> dict[str, bool | None]:
        error = answer.error
        done = error is None or error not in PARAMETERS_WRONG
        wrong = None if error is None else ERRORS.get(error)
        values = {kind: kind == wrong if done else None for kind in KINDS}
        if values["over_current"]:
            self._over_current.pop(slot, None)  # it shows in the status too, and its end will
        until_s = self._over_current.get(slot)
        if until_s is not None and self._clock.monotonic_s() < until_s:
            values["over_current"] = True
        return values

    def _cards_seen(self, said: Mapping[int, Said]) -> dict[str, Json]:
        for slot, answer in said.items():
            card = CARDS.get(answer.card)
            if card == "present" and answer.error == Error.MUTE:
                card = "mute"
            if slot in self._cards and self._cards[slot] != card:
                self._over_current.pop(slot, None)
            self._cards[slot] = card
        return {f"card_{slot}" if slot else "card": card for slot, card in self._cards.items()}

    def _ask_identity(self, _what: str, deadline: Deadline) -> Mapping[str, str] | None:
        link = self._setup.link
        return ask_identity(link, deadline) if controls(link) else None


def _any(values: list[bool | None]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False
