"""The external self-test: a test card is powered for a moment, and how long its answer is, is told.

Its bytes are dropped where they arrive. Nothing is ever sent to a card.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from drivers.api import Deadline, Step
from drivers.reader.ccid.consts import ATR_BYTES, Card, Error, Power
from drivers.reader.ccid.talk import Answered, Talk
from drivers.reader.ccid.wire import Said

SLOT = 0
NO_CARD = "no card is in the reader; insert a test card and start the test again"
WORDS: Mapping[int, str] = {
    Error.MUTE: "the card does not answer; try another card",
    Error.HARDWARE: "the reader reports a hardware error",
    Error.SHORT_CIRCUIT: "the reader reports a short circuit; look for dirt or metal in the slot",
}


def card_test(talk: Talk, deadline: Deadline) -> Iterator[Step]:
    """The steps `card` and `power_off`; a card that somebody uses is left alone."""
    before = talk.status(SLOT, deadline)
    if not isinstance(before, Said) or before.card == Card.ABSENT:
        yield Step("card", "untested", NO_CARD)
        return
    if before.card != Card.INACTIVE:
        yield Step("card", "untested", "the card has power already, so somebody uses it; it was left alone")
        return
    try:
        step = _step(_power_on(talk, deadline))
    finally:
        after = talk.power_off(SLOT, deadline)
    yield step
    if not isinstance(after, Said) or after.card == Card.ACTIVE:
        yield Step("power_off", "failed", "the card still has power; take it out")
    else:
        yield Step("power_off", "passed", "the card has no power any more")


def _power_on(talk: Talk, deadline: Deadline) -> Answered:
    """By the voltage that the reader chooses, or 5 V where it does not choose."""
    said = talk.power_on(SLOT, Power.AUTOMATIC, deadline)
    if isinstance(said, Said) and said.error == Error.BAD_POWER:
        return talk.power_on(SLOT, Power.VOLT_5, deadline)
    return said


def _step(said: Answered) -> Step:
    if not isinstance(said, Said):
        return Step("card", "failed", "the reader does not say whether the card answers")
    if said.error is not None:
        return Step("card", "failed", WORDS.get(said.error, f"the reader reports error {said.error:02X}"))
    if said.data_bytes not in ATR_BYTES:
        return Step("card", "failed", f"the card's answer has {said.data_bytes} bytes, which is no answer")
    return Step("card", "passed", f"the card answers with {said.data_bytes} bytes")
