"""Whatever comes from a card reader: no parser breaks, none grows, and none minds how bytes are cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from drivers.reader.ccid import wire as ccid
from drivers.reader.ccid.consts import HEADER_BYTES
from drivers.reader.ccid.pcsc import LINE_MOST, Lines
from drivers.reader.magtek import wire as magtek
from drivers.reader.magtek.consts import Property
from drivers.reader.vivotech import wire as vivotech
from drivers.reader.vivotech.consts import DATA_MOST, TAG, Ask
from drivers.reader.vivotech.consts import HEADER_BYTES as FRAME_HEADER_BYTES
from drivers.reader.vivotech.driver import conditions, told, word
from drivers.usb_identity import string_text
from simulator.devices.reader.vivotech_frame import response

ANY = st.binary(max_size=400)
PIECES = st.lists(st.binary(max_size=80), max_size=20)
SLOT_STATUS = st.tuples(st.integers(0, 3), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)).map(
    lambda t: bytes((0x81, 0, 0, 0, 0, t[0], t[1], t[2], t[3], 1))
)
DATA_BLOCK = st.tuples(st.integers(0, 255), st.binary(max_size=33)).map(
    lambda t: bytes((0x80, len(t[1]), 0, 0, 0, 0, t[0], 0, 0, 0)) + t[1]
)
DATA = st.binary(max_size=40).filter(lambda data: TAG not in data)
FRAME = st.tuples(st.sampled_from([ask.value[0] for ask in Ask]), st.integers(0, 255), DATA).map(
    lambda t: (t, response(*t))
)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(at)]


@given(PIECES)
def test_ccid_takes_anything(pieces: list[bytes]) -> None:
    answers, notices = ccid.Answers(), ccid.Notices(2)
    for piece in pieces:
        answers.feed(piece)
        notices.feed(piece)
        assert len(answers._header) < HEADER_BYTES or answers._missing
        assert len(notices._notice) < 4


@given(st.lists(SLOT_STATUS | DATA_BLOCK, max_size=6), st.lists(st.integers(0, 400), max_size=8))
def test_ccid_messages_come_out_as_they_went_in(messages: list[bytes], cuts: list[int]) -> None:
    answers = ccid.Answers()
    stream = b"".join(messages)
    found = [event for piece in cut(stream, cuts) for event in answers.feed(piece)]
    assert [event.header for event in found if isinstance(event, ccid.Said)] == [m[:10] for m in messages]
    assert not any(isinstance(event, ccid.Noise) for event in found)


@given(PIECES)
def test_vivotech_takes_anything(pieces: list[bytes]) -> None:
    frames = vivotech.Frames()
    for piece in pieces:
        frames.feed(piece)
        assert len(frames._rest) <= FRAME_HEADER_BYTES + DATA_MOST + 2


@given(st.lists(FRAME, max_size=5), st.lists(st.integers(0, 400), max_size=8), st.integers(0, 63))
def test_vivotech_frames_come_out_as_they_went_in(
    frames: list[tuple[tuple[int, int, bytes], bytes]], cuts: list[int], padding: int
) -> None:
    parser = vivotech.Frames()
    stream = b"".join(frame + bytes(padding) for _, frame in frames)
    found = [event for piece in cut(stream, cuts) for event in parser.feed(piece)]
    assert found == [vivotech.Answer(*parts) for parts, _ in frames]


@given(ANY, FRAME, st.integers(0, 39), st.integers(0, 7))
def test_vivotech_finds_the_next_frame_behind_noise_and_a_broken_one(
    noise: bytes, made: tuple[tuple[int, int, bytes], bytes], at: int, bit: int
) -> None:
    parts, frame = made
    broken = bytearray(frame)
    broken[at % len(frame)] ^= 1 << bit
    found = vivotech.Frames().feed(noise + bytes(broken) + frame + frame)
    assert vivotech.Answer(*parts) in found


@given(st.sampled_from(Property), ANY)
def test_magtek_takes_anything(what: Property, report: bytes) -> None:
    said = magtek.read(what, report)
    if isinstance(said, magtek.Text):
        assert said.text.isprintable()
        assert len(said.text) <= 15
    # More bytes never change what a whole report says.
    if said is not None:
        assert repr(type(magtek.read(what, report + b"\0\0"))) == repr(type(said))


@given(PIECES)
def test_lines_take_anything(pieces: list[bytes]) -> None:
    lines = Lines()
    for piece in pieces:
        lines.feed(piece)
        assert len(lines._rest) <= LINE_MOST


@given(st.sampled_from(Ask), ANY, st.integers(0, 255))
def test_words_are_one_short_line(what: Ask, data: bytes, status: int) -> None:
    for text in (told(what, data), string_text(data), word(status)):
        assert len(text) <= 120
        assert not text or text.isprintable()
    assert set(conditions(status).values()) <= {True, False, None}


def test_a_tag_inside_a_frame_ends_it() -> None:
    whole = response(0x18, 0)
    assert vivotech.Frames().feed(TAG + b"\x18\x00\x00\x20" + whole) == [
        vivotech.Noise(14),
        vivotech.Answer(0x18, 0, b""),
    ]
