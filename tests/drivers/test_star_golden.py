"""Star's golden transcripts, replayed against the driver: its requests, its codec, and what it knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Deadline, Json, Setup
from drivers.printer.star import status
from drivers.printer.star.driver import SPEC
from drivers.printer.star.wire import (
    Asb,
    Demultiplexer,
    Event,
    Noise,
    ask_status,
    automatic,
    count,
    initialise,
)
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.golden.format import Knobs, Known, Received, Sent, Transcript, load_all
from tests.harness import values

REQUESTS = (ask_status(), automatic(on=True), count(), initialise())
OF_OTHERS = (bytes.fromhex("1b1e6100"), bytes.fromhex("1b3f0a00"))
"""What another host may send: automatic status off, and a reset."""
TRANSCRIPTS = [t for t in load_all("star") if t.simulator_only is None]


def check(expected: dict[str, Json], found: object) -> None:
    assert isinstance(found, dict)
    assert {name: found.get(name, "missing") for name in expected} == expected


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda t: t.name)
def test_codec(transcript: Transcript) -> None:
    demux, last = Demultiplexer(), None
    for step in transcript.steps:
        match step:
            case Sent(data):
                assert data in REQUESTS + OF_OTHERS, f"the driver never sends {data.hex(' ')}"
            case Received(data=data):
                frames = [event for event in demux.feed(data) if isinstance(event, Asb)]
                assert frames
                last = frames[-1]
            case Known():
                assert last is not None
                now = status.read(last.frame)
                check(step.conditions(), status.conditions(now))
                check(step.of("fact"), status.facts(now, None))


POLLED = [t for t in TRANSCRIPTS if t.name != "asb_mixed"]  # an answer that is noisy each time is no answer


@pytest.mark.parametrize("transcript", POLLED, ids=lambda t: t.name)
def test_driver(transcript: Transcript) -> None:
    """The driver, asking a printer that answers and pushes as the transcript says."""
    clock = TurnedClock()
    current = b""
    link = ScriptedLink(clock, answer=lambda data: current if data == ask_status() else None)
    driver = SPEC.make(Setup(device="receipt", link=link, clock=clock, memory={}))
    for step in transcript.steps:
        match step:
            case Received(data=data):
                current = data
            case Known():
                for _ in range(4):
                    observation = driver.poll(Deadline.after(clock, 2.5))
                check(step.conditions(), values(observation))
                check(step.of("fact"), observation.facts)
            case Knobs() | Sent():
                pass
    assert set(link.written) <= {ask_status()}


FRAME = bytes.fromhex("230628000004000200")


def events(*pieces: bytes) -> list[Event]:
    demux = Demultiplexer()
    return [event for piece in pieces for event in demux.feed(piece)]


def test_what_an_interface_appends_is_left_out() -> None:
    # DOT 5-7: header 2 has bit 7, a length of two bytes follows, then so much data, whatever it is.
    extended = b"\x23\x86" + FRAME[2:]
    assert events(extended + b"\x00\x00" + FRAME) == [Asb(extended), Asb(FRAME)]
    assert events(extended + b"\x00\x04" + b"\x23\x11\x00\xff" + FRAME) == [Asb(extended), Asb(FRAME)]
    assert events(extended + b"\x03\x00") == [Noise(extended + b"\x03\x00")]


def test_the_counter_is_five_bits() -> None:
    assert Asb(FRAME).counter == 1
    assert Asb(FRAME[:7] + b"\x6e\x00").counter == 31
    assert Asb(b"\x0f\x02" + bytes(5)).counter is None
    assert Asb(FRAME).state == Asb(FRAME[:2] + b"\x2a" + FRAME[3:7] + b"\x6e\x00").state


def test_padding_says_nothing_and_a_broken_frame_is_noise() -> None:
    assert events(FRAME + bytes(55)) == [Asb(FRAME)]
    assert events(FRAME[:4] + FRAME) == [Noise(FRAME[:4]), Asb(FRAME)]
    assert events(b"\x03" + b"ab" + FRAME) == [Noise(b"\x03"), Noise(b"a"), Noise(b"b"), Asb(FRAME)]


@given(st.lists(st.binary(max_size=20) | st.just(FRAME), max_size=8), st.integers(1, 7))
def test_a_stream_means_the_same_however_it_is_cut(pieces: list[bytes], size: int) -> None:
    stream = b"".join(pieces)
    cut = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert events(*cut) == events(stream)


@given(st.binary(max_size=60))
def test_a_frame_is_understood_behind_anything(before: bytes) -> None:
    demux = Demultiplexer()
    demux.feed(before)
    # One may fall into what an interface seems to append, 514 bytes at most.
    seen = [event for _ in range(60) for event in demux.feed(FRAME)]
    assert seen[-1] == Asb(FRAME)
