"""The little X there is: setup, replies among events, cookies; bytes laid out by the X protocol's manual."""

from __future__ import annotations

import itertools
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.screen import consts, wire
from drivers.screen.wire import Conversation, Message, SetupRefused

ROOT = 0x2A
VENDOR = b"The X.Org Foundation"


def let_in(vendor: bytes = VENDOR, formats: int = 2) -> bytes:
    """The server's answer to a client that may come in."""
    body = struct.pack(
        "<IIIIHHBBBBBBBBxxxx",
        12101007,
        0x200000,
        0x1FFFFF,
        256,
        len(vendor),
        0xFFFF,
        1,
        formats,
        0,
        0,
        32,
        32,
        8,
        255,
    )
    body += vendor.ljust((len(vendor) + 3) // 4 * 4, b"\0") + b"\x01\x01\x20" + b"\0" * (8 * formats - 3)
    body += struct.pack("<I", ROOT) + b"\0" * 36
    return struct.pack("<BBHHH", consts.SUCCESS, 0, 11, 0, len(body) // 4) + body


def reply(sequence: int, rest: bytes = b"", more: int = 0) -> bytes:
    return (struct.pack("<BBHI", consts.REPLY, 0, sequence, more) + rest).ljust(32, b"\0") + b"\xaa" * (
        4 * more
    )


def event(kind: int) -> bytes:
    return bytes([kind]).ljust(32, b"\x01")


def error(code: int, sequence: int) -> bytes:
    return struct.pack("<BBH", consts.ERROR, code, sequence).ljust(32, b"\0")


def talk(*pieces: bytes) -> list[Message]:
    conversation = Conversation()
    said = [message for piece in pieces for message in conversation.feed(piece)]
    assert conversation.root == ROOT
    return said


SAID = (
    let_in()
    + event(34)
    + reply(1, b"\x01\x91\0\0")
    + struct.pack("<BBHI", consts.GENERIC_EVENT, 0, 1, 3).ljust(32, b"\0")
    + b"\x01" * 12
    + reply(2, b"x", more=2)
    + event(0x80 | 12)
    + error(9, 3)
    + reply(4)
)


def test_what_the_client_says() -> None:
    assert wire.setup(b"") == bytes.fromhex("6c00 0b00 0000 0000 0000 0000")
    assert (
        wire.setup(b"c" * 16)
        == bytes.fromhex("6c00 0b00 0000 1200 1000 0000") + consts.COOKIE + b"\0\0" + b"c" * 16
    )
    asked = wire.query_extension(consts.SCREEN_SAVER)
    assert asked == bytes.fromhex("6200 0600 1000 0000") + b"MIT-SCREEN-SAVER"
    assert wire.query_info(0x91, ROOT) == bytes.fromhex("9101 0200 2a00 0000")


@given(st.lists(st.integers(0, len(SAID)), max_size=20))
def test_replies_and_errors_are_found_in_any_pieces(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(SAID)]
    found = talk(*(SAID[a:b] for a, b in itertools.pairwise(places)))
    assert [(message.error, message.sequence) for message in found] == [
        (None, 1),
        (None, 2),
        (9, 3),
        (None, 4),
    ]


def test_what_the_replies_say() -> None:
    present, absent = talk(let_in(), reply(1, b"\x01\x91"), reply(2, b"\0\x91"))
    assert wire.extension_opcode(present) == 0x91
    assert wire.extension_opcode(absent) is None
    (info,) = talk(let_in(), reply(1, struct.pack("<III", 0x7F, 600_000, 1234)))
    assert wire.idle_s(info) == 1.234


@pytest.mark.parametrize(("vendor", "formats"), [(b"", 0), (b"X", 1), (b"XXXX", 7)])
def test_the_root_stands_behind_vendor_and_formats(vendor: bytes, formats: int) -> None:
    if formats:
        talk(let_in(vendor, formats))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (struct.pack("<BBHHH", 0, 20, 11, 0, 5) + b"No protocol specified\n"[:20], "No protocol specifie"),
        (struct.pack("<BBHHH", 2, 0, 0, 0, 2) + b"say who\0", "say who"),
        (struct.pack("<BBHHH", 0, 0, 11, 0, 0), "no reason given"),
    ],
)
def test_not_let_in(said: bytes, why: str) -> None:
    with pytest.raises(SetupRefused, match=why):
        list(Conversation().feed(said))


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH",
        struct.pack("<BBHHH", 1, 0, 12, 0, 0),
        struct.pack("<BBHHH", 1, 0, 11, 0, 1) + b"\0" * 4,
    ],
)
def test_no_x_server(said: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Conversation().feed(said))


@given(st.binary(max_size=400), st.booleans())
def test_anything_else_is_a_protocol_error_at_most(data: bytes, known: bool) -> None:
    with suppress(ProtocolError, SetupRefused):
        list(Conversation().feed((let_in() if known else b"") + data))


# -- cookies ---------------------------------------------------------------------------------------------


def entry(family: int, address: bytes, number: bytes, name: bytes, cookie: bytes) -> bytes:
    parts = b"".join(struct.pack(">H", len(part)) + part for part in (address, number, name, cookie))
    return struct.pack(">H", family) + parts


MINE = entry(consts.FAMILY_LOCAL, b"till", b"0", consts.COOKIE, b"mine")


@pytest.mark.parametrize(
    ("file", "cookie"),
    [
        (MINE, b"mine"),
        (entry(consts.FAMILY_LOCAL, b"other", b"0", consts.COOKIE, b"no") + MINE, b"mine"),
        (entry(consts.FAMILY_LOCAL, b"till", b"1", consts.COOKIE, b"no") + MINE, b"mine"),
        (entry(consts.FAMILY_LOCAL, b"till", b"0", b"XDM-AUTHORIZATION-1", b"no") + MINE, b"mine"),
        (entry(0, b"\x7f\0\0\x01", b"0", consts.COOKIE, b"no") + MINE, b"mine"),
        (entry(consts.FAMILY_WILD, b"", b"", consts.COOKIE, b"any"), b"any"),
        (MINE[:-1], b""),
        (MINE[:1], b""),
        (b"", b""),
    ],
)
def test_the_cookie_of_a_display(file: bytes, cookie: bytes) -> None:
    assert wire.cookie_for(file, b"till", 0) == cookie


@given(st.binary(max_size=200))
def test_any_file_has_a_cookie_or_none(file: bytes) -> None:
    assert isinstance(wire.cookie_for(file, b"till", 0), bytes)
