"""The golden transcripts of customer displays: what the drivers send, and what they make of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest

from drivers.api import Json
from drivers.display.aedex import wire as aedex
from drivers.display.cd5220 import wire as cd5220
from drivers.display.dmd import consts as dmd_consts
from drivers.display.dmd import wire as dmd
from drivers.display.logic_controls import wire as logic_controls
from drivers.display.ncr597x import wire as ncr
from drivers.display.ncr597x.comparison import TIMES, Comparison
from drivers.display.ncr597x.consts import MODELS
from drivers.display.ncr597x.identity import identity
from drivers.display.text import TWO_BY_TWENTY, fitted
from tests.golden.format import Known, Received, Sent, Step, Transcript, load_all

TEXT = fitted("Welcome\nOpen until 20:00", TWO_BY_TWENTY)
CLR = b"\x0c"  #: stands before some requests, and in the transcripts once by itself
FIRST = fitted("Welcome", TWO_BY_TWENTY)

REQUESTS: dict[str, tuple[bytes, ...]] = {
    "aedex": (aedex.show(TEXT), aedex.CLEAR),
    "cd5220": (cd5220.show(TEXT), cd5220.CLEAR, *cd5220.BRIGHTNESSES),
    "logic_controls": (logic_controls.show(TEXT), *logic_controls.BRIGHTNESSES),
    "dmd": (
        dmd.show(TEXT),
        dmd.CLEAR,
        *dmd.BRIGHTNESSES,
        dmd.selftest(),
        dmd.handshake(dmd_consts.MARK),
        dmd.handshake(dmd_consts.SPACE),
        *(dmd.ask_info(info) for info in dmd_consts.Info),
    ),
    "ncr597x": (
        ncr.show(TEXT),
        ncr.show(FIRST),
        ncr.CLEAR,
        *ncr.BRIGHTNESSES,
        ncr.ASK_ID,
        ncr.ASK_TEXT,
        ncr.ASK_SCREEN,
    ),
}
NEVER: dict[str, tuple[bytes, ...]] = {
    # What these displays know and the agent never sends.
    "aedex": (
        b"!#9Welcome             Open until 20:00    \r",  # both lines as one
        b"!#A\r",  # reset: it ends the till's settings too
    ),
    "cd5220": (b"\x1b@", b"\x18"),
    "logic_controls": (b"\x1f",),
    "dmd": (b"\x1b@", b"\x1b=\x02"),
    "ncr597x": (b"\x1b\x17\x01",),  # dark
}
CASES = [(model, t) for model in REQUESTS for t in load_all(model) if t.simulator_only is None]


def turns(transcript: Transcript) -> Iterator[tuple[type[Step], list[Step]]]:
    for kind, steps in groupby(transcript.steps, type):
        yield kind, list(steps)


def is_made_of(sent: bytes, pieces: tuple[bytes, ...]) -> bool:
    """Whether the pieces, in some order and number, are exactly that."""
    return not sent or any(
        sent.startswith(piece) and is_made_of(sent[len(piece) :], pieces) for piece in pieces
    )


@pytest.mark.parametrize(("model", "transcript"), CASES, ids=lambda c: c if isinstance(c, str) else c.name)
def test_what_is_sent_is_what_the_codec_builds(model: str, transcript: Transcript) -> None:
    sent = b"".join(step.data for step in transcript.steps if isinstance(step, Sent))
    bare = tuple(piece for request in REQUESTS[model] if (piece := request.removeprefix(CLR)))
    assert is_made_of(sent, (*REQUESTS[model], *bare, *NEVER[model])), sent.hex(" ")


def test_each_request_stands_in_a_transcript() -> None:
    for model, requests in REQUESTS.items():
        sent = b"".join(s.data for m, t in CASES if m == model for s in t.steps if isinstance(s, Sent))
        for request in requests:
            # The DM-D's transcript puts an ESC @ where the driver, which leaves settings alone, has a CLR.
            bare = request.removeprefix(CLR) or request
            assert bare in sent, f"{model}: no transcript has {request.hex(' ')}"


@pytest.mark.parametrize("transcript", [t for model, t in CASES if model == "dmd"], ids=lambda t: t.name)
def test_dmd_answers(transcript: Transcript) -> None:
    names = {66: "manufacturer", 65: "firmware", 67: "model", 68: "serial"}
    parser, known, asked = dmd.Parser(), {}, 0
    for step in transcript.steps:
        match step:
            case Sent(data):
                asked = data[-1]
            case Received(data=data):
                (block,) = parser.feed(data)
                known[names[asked]] = block.decode("ascii")
            case Known():
                assert known | step.of("fact") == known
    assert not parser.noise


@pytest.mark.parametrize("transcript", [t for model, t in CASES if model == "ncr597x"], ids=lambda t: t.name)
def test_ncr_answers(transcript: Transcript) -> None:
    parser = ncr.Parser()
    known: dict[str, Json] = {}
    told = b" " * 80
    comparison = Comparison()
    for kind, steps in turns(transcript):
        data = b"".join(step.data for step in steps if isinstance(step, Sent | Received))
        if kind is Sent and data.startswith(ncr.CLEAR):
            lines = TEXT if b"Open" in data else FIRST if b"Welcome" in data else ("", "")
            told = "".join(lines).encode().ljust(80)
        elif kind is Received:
            for event in parser.feed(data):
                match event:
                    case ncr.IdByte(value):
                        known["model"] = MODELS[value]
                    case ncr.Text(body) if len(body) == 80:
                        for _ in range(TIMES):
                            comparison.saw(told, body)
                        known["wrong_text"] = comparison.wrong
                    case ncr.Text(body):
                        known |= identity(body.decode("ascii"))
        for step in steps:
            if isinstance(step, Known):
                said = step.conditions() | step.of("fact")
                assert known | said == known
    assert not parser.noise
