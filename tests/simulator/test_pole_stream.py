"""Taking a pole display's stream apart: any bytes, cut anywhere, with a bound on what is held."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.display import aedex, cd5220, dmd, logic_controls, ncr597x
from simulator.devices.display.pole_stream import HELD_BYTES, Command, PoleStream, Token

STREAMS = {
    "aedex": lambda: PoleStream(aedex.commands(b"!#"), escapes=b"", control_characters=True),
    "cd5220": lambda: PoleStream(cd5220.COMMANDS),
    "dmd": lambda: PoleStream(dmd.COMMANDS),
    "logic_controls": lambda: PoleStream(logic_controls.COMMANDS, escapes=b""),
    "ncr597x": lambda: PoleStream(ncr597x.COMMANDS, escapes=b"\x1b", control_characters=True),
}
PIECES = [
    bytes.fromhex(text)
    for text in (
        "1b 40",
        "1b 51 41 41 42 0d",
        "1b 26 01 41 42 01 aa 02 aa bb",
        "1b 57 01 01 01 01 02 02",
        "1f 28 42 02 00 30 43",
        "1f 28 42 ff ff 30 43",
        "1f 58 02",
        "04 60",
        "05 41 0d",
        "21 23 31 41 0d",
        "21 23 38 1b 75 0d",
        "1b 13 05",
        "1b 38",
        "0c",
        "0d",
    )
]


def joined(tokens: list[Token]) -> list[Token]:
    """Runs of characters made one, since a cut may divide them."""
    out: list[Token] = []
    for token in tokens:
        if out and not token.name and not out[-1].name:
            out[-1] = Token("", out[-1].data + token.data)
        else:
            out.append(token)
    return out


@pytest.mark.parametrize("family", STREAMS)
@settings(deadline=None)
@given(
    parts=st.lists(st.sampled_from(PIECES) | st.binary(max_size=30), max_size=8),
    cuts=st.lists(st.integers(0, 200), max_size=4),
)
def test_tokens_are_the_same_however_the_stream_is_cut(
    family: str, parts: list[bytes], cuts: list[int]
) -> None:
    stream, parser, at = b"".join(parts), STREAMS[family](), 0
    tokens: list[Token] = []
    for cut in [*sorted(cuts), len(stream)]:
        tokens += parser.feed(stream[at:cut])
        at = max(at, cut)
        assert parser.held() <= HELD_BYTES
    assert joined(tokens) == joined(STREAMS[family]().feed(stream))


@pytest.mark.parametrize("family", STREAMS)
def test_what_is_held_is_bounded(family: str) -> None:
    parser = STREAMS[family]()
    for lead in (b"\x1b", b"\x1f", b"!#9", b"\x1bQA", b"\x1b&\x01\x00\xff", b"\x1f(B\xff\xff"):
        parser.feed(lead)
        for _ in range(100):
            parser.feed(b"\xff" * 64)
            assert parser.held() <= HELD_BYTES


def test_a_text_that_is_too_long_is_cut_and_its_rest_is_not_shown() -> None:
    parser = PoleStream([Command("line", b"!#1", text=4)], escapes=b"")
    assert parser.feed(b"!#1abcdefgh") == [Token("line", b"abcd")]
    assert parser.feed(b"ij\rk") == [Token("", b"k")]


def test_an_unknown_command_is_ignored_with_its_second_byte() -> None:
    parser = PoleStream([Command("clear", b"\x0c")])
    tokens = parser.feed(b"a\x1b\x7fb\x1f\x0cc\x07\x0c")
    assert joined(tokens) == [Token("", b"abc"), Token("clear", b"")]


def test_a_command_longer_than_it_holds_is_not_waited_for() -> None:
    parser = PoleStream([Command("huge", b"\x1bX", HELD_BYTES)])
    assert parser.feed(b"\x1bXtext") == [Token("", b"text")]
