"""The pure parts of the display drivers: texts, parsers, comparison, who it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.display.aedex import wire as aedex
from drivers.display.aedex.consts import ATTENTION
from drivers.display.asking import Parser
from drivers.display.cd5220 import wire as cd5220
from drivers.display.dmd import wire as dmd
from drivers.display.logic_controls import wire as logic_controls
from drivers.display.ncr597x import wire as ncr
from drivers.display.ncr597x.comparison import Comparison, difference
from drivers.display.ncr597x.identity import identity
from drivers.display.text import PATTERN, TWO_BY_TWENTY, ShownText, Size, fitted

SHOW: dict[str, Callable[[tuple[str, ...]], bytes]] = {
    "aedex": aedex.show,
    "cd5220": cd5220.show,
    "dmd": dmd.show,
    "logic_controls": logic_controls.show,
    "ncr597x": ncr.show,
}
A, B = fitted("a\nb", TWO_BY_TWENTY), fitted("c\nd", TWO_BY_TWENTY)


def controls(data: bytes) -> list[int]:
    return [byte for byte in data if not 0x20 <= byte <= 0x7E]


# -- texts -------------------------------------------------------------------------------------------


@given(st.text())
def test_no_text_makes_a_control_byte(text: str) -> None:
    lines = fitted(text, TWO_BY_TWENTY)
    assert [len(line) for line in lines] == [20, 20]
    for model, show in SHOW.items():
        data = show(lines)
        blank = show(fitted("x\nx", TWO_BY_TWENTY))
        if model != "ncr597x":  # a line with nothing in it is left out there
            assert controls(data) == controls(blank), model
        assert len(controls(data)) <= len(controls(blank)), model


@given(st.text(alphabet="!#12A \r"))
def test_no_text_makes_an_aedex_command(text: str) -> None:
    assert aedex.show(fitted(text, TWO_BY_TWENTY)).count(ATTENTION) == 2


@pytest.mark.parametrize(
    ("text", "lines", "whole"),
    [
        ("Welcome", ("Welcome", ""), True),
        ("Welcome\nOpen", ("Welcome", "Open"), True),
        ("", ("", ""), True),
        ("a\nb\nc", ("a", "b"), False),
        ("x" * 21, ("x" * 20, ""), False),
        ("Grüße\t!", ("Gr??e?!", ""), False),
        ("\x1b@\x7f\r", ("?@??", ""), False),
    ],
)
def test_a_text_is_fitted(text: str, lines: tuple[str, str], whole: bool) -> None:
    assert fitted(text, Size(2, 20)) == tuple(line.ljust(20) for line in lines)
    assert takes(text) is whole


def takes(text: str) -> bool:
    try:
        return ShownText(text) == text
    except ValueError:
        return False


def test_a_text_that_is_too_long_is_refused_with_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"at most 2 lines of 20 characters.*, not 1 of up to 21"):
        ShownText("x" * 21)


@pytest.mark.parametrize("text", ["Grüße", "a\tb", "a\r\nb", "\x1b@"])
def test_a_text_that_no_display_has_is_refused_with_the_character(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected printable ASCII characters.*; '.+' is none"):
        ShownText(text)


def test_the_pattern_fills_both_lines() -> None:
    assert fitted("\n".join(PATTERN), TWO_BY_TWENTY) == PATTERN


# -- parsers -----------------------------------------------------------------------------------------

BLOCK = b"\x57\x20\x30\x1fDM-D70\x00"


@given(st.binary(max_size=400), st.lists(st.integers(1, 40), max_size=40))
def test_a_stream_means_the_same_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    pairs: list[tuple[Parser[object], Parser[object]]] = [
        (dmd.Parser(), dmd.Parser()),
        (ncr.Parser(), ncr.Parser()),
    ]
    for whole, cut in pairs:
        pieces, at = [], 0
        for size in cuts:
            pieces.append(data[at : at + size])
            at += size
        pieces.append(data[at:])
        expected = whole.feed(data)
        got = [event for piece in pieces for event in cut.feed(piece)]
        assert (got, cut.noise) == (expected, whole.noise)


@given(st.binary(max_size=300))
def test_after_any_noise_a_block_is_found_again(noise: bytes) -> None:
    parser = dmd.Parser()
    parser.feed(noise)
    parser.feed(BLOCK)  # what is unfinished may swallow one
    assert parser.feed(BLOCK)[-1:] == [b"DM-D70"]


@given(st.binary(max_size=300))
def test_a_block_is_at_most_eighty_printable_bytes(data: bytes) -> None:
    for block in dmd.Parser().feed(b"\x57\x20\x30\x1f" + data):
        assert len(block) <= 80
        assert not controls(block)


def test_a_block_without_information_is_noise() -> None:
    parser = dmd.Parser()
    assert parser.feed(b"\x57\x20\x30\x1f\0") == []
    assert parser.noise


def test_padding_between_blocks_is_no_noise() -> None:
    parser = dmd.Parser()
    assert parser.feed(BLOCK + b"\x00\x00" + BLOCK) == [b"DM-D70", b"DM-D70"]
    assert not parser.noise


def test_ncr_tells_an_id_byte_from_a_text() -> None:
    parser = ncr.Parser()
    assert parser.feed(b"\x8e\x03abc\x8a") == [ncr.IdByte(0x8E), ncr.Text(b"abc"), ncr.IdByte(0x8A)]
    assert not parser.noise
    assert parser.feed(b"\x50abc") == []
    parser.reset()
    assert parser.feed(b"\x8e") == [ncr.IdByte(0x8E)]


# -- who it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (
            "NCR 008-0221552, F/W V1.00.01",
            {"manufacturer": "NCR", "part": "008-0221552", "firmware": "V1.00.01"},
        ),
        ("NCR 5972, 497-0420001", {"manufacturer": "NCR", "model": "5972", "part": "497-0420001"}),
        (
            "NCR 5976, 497-0478048,V1.13.01,<S/N:12345678901>",
            {
                "manufacturer": "NCR",
                "model": "5976",
                "part": "497-0478048",
                "firmware": "V1.13.01",
                "serial": "12345678901",
            },
        ),
        ("something else", {}),
    ],
)
def test_ncr_identity(said: str, known: dict[str, str]) -> None:
    assert identity(said) == known


# -- comparison --------------------------------------------------------------------------------------

TOLD = "".join(A).encode()
OTHER = "".join(B).encode()


def test_a_difference_is_told_anew_twice_and_then_is_a_fault() -> None:
    comparison = Comparison()
    verdicts = []
    for shown in (OTHER, OTHER, OTHER, TOLD):
        again = comparison.saw(TOLD, shown)
        verdicts.append((again, comparison.wrong))
    assert verdicts == [(True, None), (True, None), (False, True), (False, False)]
    assert comparison.evidence == {}


def test_differences_that_differ_are_the_line_not_the_display() -> None:
    comparison = Comparison()
    assert all(comparison.saw(TOLD, TOLD[:at] + b"x" + TOLD[at + 1 :]) for at in range(1, 30))
    assert comparison.wrong is None


def test_evidence_says_where_and_never_what() -> None:
    told, shown = b"Total 12.50".ljust(40), b"Total 1\xff.50 secret".ljust(40)
    evidence = difference(told, shown)
    assert (evidence["line"], evidence["column"]) == (1, 8)
    assert (evidence["told_length"], evidence["shown_length"]) == (11, 18)
    assert evidence["told_sha256"] != evidence["shown_sha256"]
    assert "secret" not in str(evidence)
    assert difference(b"a" * 40, b"a" * 25 + b"b" + b"a" * 14)["line"] == 2
