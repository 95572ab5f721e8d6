"""Taking an ESC/POS stream apart: lengths, cuts anywhere, any bytes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.printer.escpos_stream import EscposStream, RealTimeScanner
from simulator.devices.printer.stream import HELD_BYTES, Token

# One of each shape, as python-escpos and tills send them.
COMMANDS = [
    bytes.fromhex(text)
    for text in (
        "1b 40",
        "1b 74 10",
        "1b 61 01",
        "1b 24 10 00",
        "1b 70 00 19 fa",
        "1b 44 08 10 18 00",
        "1b 26 03 41 42 01 aa bb cc 02 aa bb cc dd ee ff",
        "1b 2a 00 03 00 aa bb cc",
        "1b 2a 21 02 00 aa bb cc dd ee ff",
        "1b 57 00 00 00 00 00 02 00 02",
        "1c 2e",
        "1c 71 01 01 00 01 00 01 02 03 04 05 06 07 08",
        "1c 67 31 00 00 00 00 00 02 00 aa bb",
        "1d 21 11",
        "1d 28 6b 04 00 31 41 32 00",
        "1d 38 4c 03 00 00 00 30 70 31",
        "1d 2a 01 01 01 02 03 04 05 06 07 08",
        "1d 43 30 04 01",
        "1d 56 00",
        "1d 56 41 10",
        "1d 6b 04 31 32 33 00",
        "1d 6b 49 04 7b 42 31 32",
        "1d 76 30 00 01 00 03 00 aa bb cc",
        "1d 61 0f",
        "1d 67 32 00 14 00",
        "1d 7a 30 01 02",
        "0a",
        "0d",
    )
]
streams = st.lists(st.sampled_from([*COMMANDS, b"Total 12.00", b"\x10\x04\x01", b"\xd5"]), max_size=12).map(
    b"".join
)


def joined(tokens: Sequence[Token]) -> list[tuple[str, bytes]]:
    """Runs of characters made one, since a cut may divide them."""
    out: list[tuple[str, bytes]] = []
    for token in tokens:
        if out and token.command is None and out[-1][0] == "":
            out[-1] = ("", out[-1][1] + token.data)
        else:
            out.append((token.name, token.data))
    return out


def fed(stream: bytes, cuts: Sequence[int]) -> list[tuple[str, bytes]]:
    parser, tokens, at = EscposStream(), list[Token](), 0
    for cut in [*sorted(cuts), len(stream)]:
        tokens += parser.feed(stream[at:cut])
        at = max(at, cut)
    return joined(tokens)


def scanned(stream: bytes, cuts: Sequence[int]) -> tuple[bytes, list[bytes]]:
    scanner, passed, found, at = RealTimeScanner(), b"", list[bytes](), 0
    for cut in [*sorted(cuts), len(stream)]:
        for piece, token in scanner.split(stream[at:cut]):
            passed += piece
            found += [token.data] if token else []
        at = max(at, cut)
    return passed, found


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.hex())
def test_each_command_is_as_long_as_the_manual_says(command: bytes) -> None:
    tokens = EscposStream().feed(command + b"A\n")
    assert [token.data for token in tokens] == [command, b"A", b"\n"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.hex())
def test_a_command_that_comes_byte_by_byte_is_the_same(command: bytes) -> None:
    stream = command + b"A\n"
    assert fed(stream, range(len(stream))) == fed(stream, [])


@given(streams, st.lists(st.integers(0, 200), max_size=6))
def test_any_split_gives_the_same(stream: bytes, cuts: list[int]) -> None:
    cuts = [min(cut, len(stream)) for cut in cuts]
    assert fed(stream, cuts) == fed(stream, [])
    assert scanned(stream, cuts) == scanned(stream, [])


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_pass_and_any_split_of_them_gives_the_same(stream: bytes, cuts: list[int]) -> None:
    cuts = [min(cut, len(stream)) for cut in cuts]
    assert fed(stream, cuts) == fed(stream, [])
    passed, found = scanned(stream, cuts)
    assert passed == stream
    assert found == scanned(stream, [])[1]


def test_real_time_status_is_found_inside_a_picture_and_stays_part_of_it() -> None:
    picture = bytes.fromhex("1d 76 30 00 01 00 03 00 10 04 01")
    assert scanned(picture, [])[1] == [b"\x10\x04\x01"]
    assert fed(picture, []) == [("GS v 0", picture)]


def test_a_picture_that_claims_gigabytes_is_not_held() -> None:
    parser = EscposStream()
    parser.feed(bytes.fromhex("1d 76 30 00 ff ff ff ff"))
    got = 0
    for _ in range(40):
        got += sum(len(token.data) for token in parser.feed(bytes(HELD_BYTES // 8)))
        assert parser.held() <= HELD_BYTES + HELD_BYTES // 8
    assert got > 3 * HELD_BYTES


@pytest.mark.parametrize(("prints", "left"), [(True, [b"a", b"x"]), (False, [b"x"])])
def test_an_unknown_command_is_printed_or_swallowed(prints: bool, left: list[bytes]) -> None:
    parser = EscposStream()
    parser.unknown, parser.prints_unknown = {"GS a"}, prints
    assert [token.data for token in parser.feed(b"\x1da\x0f")] + [t.data for t in parser.feed(b"x")] == left


def test_an_unknown_command_too_long_to_be_held_is_swallowed_whole() -> None:
    parser = EscposStream()
    parser.unknown, parser.prints_unknown = {"GS v 0"}, False
    data = b"\x1dv0\x00" + (512).to_bytes(2, "little") + (1024).to_bytes(2, "little") + bytes(512 * 1024)
    assert len(data) > HELD_BYTES
    assert parser.feed(data[:HELD_BYTES]) + parser.feed(data[HELD_BYTES:] + b"x") == [Token(None, b"x")]


@pytest.mark.parametrize(("prints", "left"), [(True, b"\x7fx"), (False, b"x")])
def test_a_command_in_no_table_loses_its_first_byte_or_two(prints: bool, left: bytes) -> None:
    parser = EscposStream()
    parser.prints_unknown = prints
    assert b"".join(token.data for token in parser.feed(b"\x1b\x7fx")) == left
