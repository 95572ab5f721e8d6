"""The golden transcripts of card readers, replayed against the drivers' codecs and what they make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

import pytest

from drivers.api import Deadline, Json, Setup
from drivers.asked import AskedDriver
from drivers.reader.ccid.consts import Card
from drivers.reader.ccid.dialogue import CcidDialogue
from drivers.reader.ccid.wire import Answers, Said, get_slot_status, power_off, power_on
from drivers.reader.magtek import wire as magtek
from drivers.reader.magtek.consts import Property
from drivers.reader.vivotech import wire as vivotech
from drivers.reader.vivotech.consts import Ask
from drivers.reader.vivotech.driver import conditions, told
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.golden.format import Known, Received, Sent, Transcript, load_all


class Replay(Protocol):
    """What a codec makes of a transcript."""

    def sent(self, data: bytes) -> None: ...
    def received(self, data: bytes) -> None: ...
    def conditions(self) -> dict[str, Json]: ...
    def facts(self) -> dict[str, Json]: ...


class Ccid:
    """The dialogue itself is asked what an answer means: its link repeats the transcript's."""

    def __init__(self) -> None:
        self._answers = Answers()
        self._asked = b""
        self._clock = TurnedClock()
        self._last: Said | None = None

    def sent(self, data: bytes) -> None:
        slot, seq = data[5], data[6]
        assert data in (get_slot_status(slot, seq), power_on(slot, seq), power_off(slot, seq))
        self._asked = data

    def received(self, data: bytes) -> None:
        for event in self._answers.feed(data):
            assert isinstance(event, Said)
            if (event.slot, event.seq) == (self._asked[5], self._asked[6]) and not event.more_time:
                self._last = event

    def _ask(self) -> dict[str, dict[str, Json]]:
        said = self._last
        assert said is not None

        def answer(asked: bytes) -> bytes:
            header = bytearray(said.header)
            header[0], header[1:5], header[6] = 0x81, bytes(4), asked[6]
            return bytes(header)

        link = ScriptedLink(self._clock, answer=answer, scheme="usb", proves_power=True)
        setup = Setup(device="reader", link=link, clock=self._clock, memory={})
        driver = AskedDriver(setup, CcidDialogue(setup))
        for _ in range(3):
            seen = driver.poll(Deadline.after(self._clock, 2.5))
        return {
            "conditions": {kind: condition.value for kind, condition in seen.conditions.items()},
            "facts": dict(seen.facts),
        }

    def conditions(self) -> dict[str, Json]:
        return self._ask()["conditions"]

    def facts(self) -> dict[str, Json]:
        return self._ask()["facts"]


class Vivotech:
    def __init__(self) -> None:
        self.known = 0  # of what was sent, how much the driver sends
        self._frames = vivotech.Frames()
        self._asked: Ask | None = None
        self._conditions: dict[str, Json] = {}
        self._facts: dict[str, Json] = {}

    def sent(self, data: bytes) -> None:
        # Some transcripts show what a reader says to another host, or to a broken frame.
        self._asked = next((ask for ask in Ask if vivotech.request(ask) in data), None)
        self.known += self._asked is not None

    def received(self, data: bytes) -> None:
        for event in self._frames.feed(data):
            assert isinstance(event, vivotech.Answer), data.hex(" ")
            self._conditions = dict(conditions(event.status))
            if self._asked in (Ask.FIRMWARE, Ask.MODULES, Ask.CONTROLLER_ID) and event.status == 0:
                said = told(self._asked, event.data)
                assert said
                self._facts[self._asked.name.lower()] = said

    def conditions(self) -> dict[str, Json]:
        return self._conditions

    def facts(self) -> dict[str, Json]:
        return self._facts


class Magtek:
    NAMES: ClassVar = {
        Property.SOFTWARE_ID: "software_id",
        Property.USB_SERIAL: "usb_serial",
        Property.DEVICE_SERIAL: "device_serial",
        Property.SEQUENCE_COUNTER: "sequence_counter",
    }

    def __init__(self) -> None:
        self._asked = Property.SOFTWARE_ID
        self._facts: dict[str, Json] = {}

    def sent(self, data: bytes) -> None:
        self._asked = Property(data[2])
        assert data == magtek.get(self._asked)

    def received(self, data: bytes) -> None:
        said = magtek.read(self._asked, data)
        assert isinstance(said, magtek.Text | magtek.Count)
        self._facts[self.NAMES[self._asked]] = said.text if isinstance(said, magtek.Text) else str(said.count)

    def conditions(self) -> dict[str, Json]:
        return {}

    def facts(self) -> dict[str, Json]:
        return self._facts


REPLAYS: dict[str, Callable[[], Replay]] = {"ccid": Ccid, "vivotech": Vivotech, "magtek": Magtek}
TRANSCRIPTS = [
    pytest.param(model, transcript, id=f"{model}-{transcript.name}")
    for model in REPLAYS
    for transcript in load_all(model)
    if transcript.simulator_only is None
]


@pytest.mark.parametrize(("model", "transcript"), TRANSCRIPTS)
def test_codec(model: str, transcript: Transcript) -> None:
    replay = REPLAYS[model]()
    checked = 0
    for step in transcript.steps:
        match step:
            case Sent(data):
                replay.sent(data)
            case Received(data=data):
                replay.received(data)
                checked += 1
            case Known():
                for expected, found in (
                    (step.conditions(), replay.conditions()),
                    (step.of("fact"), replay.facts()),
                ):
                    assert {name: found.get(name, "missing") for name in expected} == expected
    assert checked
    assert not isinstance(replay, Vivotech) or replay.known


def test_what_a_card_said_is_nowhere() -> None:
    (said,) = Answers().feed(bytes.fromhex("80 04 00 00 00 00 01 00 00 00 3B 02 AB CD"))
    assert isinstance(said, Said)
    assert (said.data_bytes, said.card, said.error) == (4, Card.ACTIVE, None)
    assert bytes.fromhex("3B02") not in said.header
