"""The codec: what is told apart, and what every stream must keep."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer.escpos.consts import BLOCK_MOST, AsbItem, Counter, Info, Query, Recovery
from drivers.printer.escpos.wire import (
    Asb,
    Block,
    Demultiplexer,
    Event,
    Noise,
    StatusByte,
    arm_asb,
    ask_completion,
    ask_counter,
    ask_info,
    ask_status,
    feed_and_cut,
    initialise,
    recover,
)

REQUESTS = {
    "10 04 01": ask_status(Query.PRINTER),
    "10 04 04": ask_status(Query.ROLL_PAPER),
    "1d 61 0f": arm_asb(AsbItem.DRAWER | AsbItem.ONLINE | AsbItem.ERROR | AsbItem.ROLL_PAPER),
    "1d 49 43": ask_info(Info.MODEL),
    "1d 67 32 00 94 00": ask_counter(Counter.LINES_FED),
    "1d 28 48 06 00 30 30 41 42 43 44": ask_completion(b"ABCD"),
    "10 05 02": recover(Recovery.CLEAR_BUFFERS),
    "1b 40": initialise(),
    "1d 56 42 00": feed_and_cut(),
}

STREAMS: dict[str, list[Event]] = {
    "12": [StatusByte(0x12)],
    "16 7e": [StatusByte(0x16), StatusByte(0x7E)],
    "10 00 00 00": [Asb(bytes.fromhex("10000000"))],
    "38 13 00 11 0f 00": [Asb(bytes.fromhex("38000f00"))],
    "13 11": [],
    "5f 54 4d 00": [Block(0x5F, b"TM")],
    "5f 00": [Block(0x5F, b"")],
    "37 22 41 42 43 44 00 12": [Block(0x37, b'"ABCD'), StatusByte(0x12)],
    "3b 30 00 3d 21 00": [Block(0x3B, b"0"), Block(0x3D, b"!")],
    "00": [Noise(b"\x00")],
    "ff 12": [Noise(b"\xff"), StatusByte(0x12)],
    # A frame that breaks off: its start is noise, and what broke it counts.
    "10 00 12": [Noise(b"\x10\x00"), StatusByte(0x12)],
    "10 00 10 00 00 00": [Noise(b"\x10\x00"), Asb(bytes.fromhex("10000000"))],
    "5f 41 12": [Noise(b"\x5fA"), StatusByte(0x12)],
}


@pytest.mark.parametrize("expected", REQUESTS)
def test_requests(expected: str) -> None:
    assert REQUESTS[expected].hex(" ") == expected


@pytest.mark.parametrize("token", [b"", b"ABC", b"ABCDE", b"AB\x1fC", b"AB\x7fC"])
def test_a_process_id_is_four_printable_bytes(token: bytes) -> None:
    with pytest.raises(ValueError, match="four bytes"):
        ask_completion(token)


@pytest.mark.parametrize("stream", STREAMS)
def test_tells_apart(stream: str) -> None:
    assert Demultiplexer().feed(bytes.fromhex(stream)) == STREAMS[stream]


def test_reset_drops_what_is_unfinished() -> None:
    demux = Demultiplexer()
    assert demux.feed(b"\x10\x00") == []
    demux.reset()
    assert demux.feed(b"\x12") == [StatusByte(0x12)]


def test_a_block_is_bounded() -> None:
    noise, *rest = Demultiplexer().feed(b"\x5f" + b"A" * (BLOCK_MOST + 1))
    assert noise == Noise(b"\x5f" + b"A" * BLOCK_MOST)
    assert rest == [Noise(b"A")]


lively = st.lists(
    st.sampled_from(
        [b"\x12", b"\x16", b"\x10\x00\x00\x00", b"\x13", b"\x11", b"\x5fTM\x00", b"\xff", b"\x00"]
    )
    | st.binary(max_size=4)
).map(b"".join)


@given(stream=lively, cuts=st.lists(st.integers(0, 200)))
def test_any_split_gives_equal_events(stream: bytes, cuts: list[int]) -> None:
    whole, pieces = Demultiplexer(), Demultiplexer()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    events = [e for a, b in pairwise(edges) for e in pieces.feed(stream[a:b])]
    assert events == whole.feed(stream)


@given(stream=st.binary(max_size=600))
def test_any_bytes_are_events_and_nothing_piles_up(stream: bytes) -> None:
    demux = Demultiplexer()
    demux.feed(stream)
    assert len(demux._frame) <= BLOCK_MOST + 2
    demux.reset()
    assert demux.feed(b"\x12") == [StatusByte(0x12)]


@given(stream=st.binary(max_size=100))
def test_no_byte_is_lost(stream: bytes) -> None:
    demux = Demultiplexer()
    said = b""
    for event in demux.feed(stream):
        match event:
            case StatusByte(value):
                said += bytes((value,))
            case Asb(seen) | Noise(seen):
                said += seen
            case Block(header, body):
                said += bytes((header,)) + body + b"\x00"
    assert said + bytes(demux._frame) == bytes(byte for byte in stream if byte not in (0x11, 0x13))
