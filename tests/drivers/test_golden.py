"""The golden transcripts, replayed against the driver: its requests, its codec, and what it knows."""

from __future__ import annotations

import pytest

from drivers.api import Deadline, Json, Setup
from drivers.printer.escpos import status
from drivers.printer.escpos.consts import (
    BLOCK_HEADERS,
    BLOCK_PROCESS,
    PROCESS_DONE,
    AsbItem,
    Counter,
    Info,
    Query,
    Recovery,
)
from drivers.printer.escpos.driver import SPEC
from drivers.printer.escpos.wire import (
    Asb,
    Block,
    Demultiplexer,
    StatusByte,
    arm_asb,
    ask_completion,
    ask_counter,
    ask_info,
    ask_status,
    initialise,
    recover,
)
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.golden.format import Knobs, Known, Received, Sent, Transcript, load_all
from tests.harness import values

EVERYTHING = AsbItem.DRAWER | AsbItem.ONLINE | AsbItem.ERROR | AsbItem.ROLL_PAPER
QUERIES = {ask_status(query): query for query in Query}
TOKENS = (b"ABCD", b"0001", b" ~ ~")
REQUESTS = (
    *QUERIES,
    arm_asb(EVERYTHING),
    initialise(),
    *(ask_info(info) for info in Info),
    *(ask_counter(counter) for counter in Counter),
    *(ask_completion(token) for token in TOKENS),
    *(recover(how) for how in Recovery),
)
TRANSCRIPTS = [t for t in load_all("escpos") if t.simulator_only is None]
POLLED = [t for t in TRANSCRIPTS if t.name.startswith("dle_eot_")]


class Replay:
    """What the driver's own codec and tables make of one transcript."""

    def __init__(self) -> None:
        self._demux = Demultiplexer()
        self._query: Query | None = None
        self._probed = b""
        self.forget()

    def forget(self) -> None:
        self._answers: dict[Query, int] = {}
        self._pushed = status.Reading()
        self._blocks: dict[str, str] = {}

    def sent(self, data: bytes) -> None:
        assert data.endswith(REQUESTS), f"the driver never sends {data.hex(' ')}"
        self._query = QUERIES.get(data)
        self._probed = next((token for token in TOKENS if data.endswith(ask_completion(token))), b"")

    def received(self, data: bytes) -> None:
        for event in self._demux.feed(data):
            match event:
                case StatusByte(value):
                    assert self._query is not None
                    self._answers[self._query] = value
                case Asb(frame):
                    self._pushed, self._answers = status.from_asb(frame), {}
                case Block(header, body):
                    assert header in BLOCK_HEADERS
                    if self._probed:
                        assert (header, body) == (BLOCK_PROCESS, bytes((PROCESS_DONE,)) + self._probed)
                    self._blocks[f"{header:02x}"] = body.hex()
                case _:
                    pytest.fail(f"not understood: {event}")

    def knows(self, known: Known) -> None:
        reading = status.from_answers(self._answers).over(self._pushed)
        check(known.conditions(), status.conditions(reading))
        check(known.of("fact"), status.facts(reading, None))
        check(known.of("block"), self._blocks)


def check(expected: dict[str, Json], found: object) -> None:
    assert isinstance(found, dict)
    assert {name: found.get(name, "missing") for name in expected} == expected


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda t: t.name)
def test_codec(transcript: Transcript) -> None:
    replay = Replay()
    for step in transcript.steps:
        match step:
            case Sent(data):
                replay.sent(data)
            case Received(data=data):
                replay.received(data)
            case Known():
                replay.knows(step)
            case Knobs(settings):
                if "power=off" in settings:
                    replay.forget()


@pytest.mark.parametrize("transcript", POLLED, ids=lambda t: t.name)
def test_driver(transcript: Transcript) -> None:
    """The driver, asking a printer that answers as the transcript says."""
    clock = TurnedClock()
    answers: dict[bytes, bytes] = {}
    link = ScriptedLink(clock, answer=answers.get)
    driver = SPEC.make(Setup(device="receipt", link=link, clock=clock, memory={}))
    asked = b""
    judged = 0
    for step in transcript.steps:
        match step:
            case Sent(data):
                asked = data
                answers.pop(asked, None)
            case Received(data=data):
                answers[asked] = data
            case Known():
                for _ in range(4):
                    observation = driver.poll(Deadline.after(clock, 2.5))
                check(step.conditions(), values(observation))
                check(step.of("fact"), observation.facts)
                judged += 1
            case Knobs():
                pass
    assert judged
    assert set(link.written) <= set(QUERIES)
