"""The till's stream: where commands end, what is asked, cut and set; for every way of cutting it up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from escpos.printer import Dummy
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drivers.printer.escpos.commands import Kind
from drivers.printer.escpos.till import (
    PARAMS_MOST,
    Automatic,
    Cleared,
    Cut,
    Initialise,
    JobStream,
    Question,
    Sight,
)

WHOLE = """
    1b 40 | 1b 21 08 | 1b 24 10 00 | 1b 25 01 | 1b 2d 01 | 1b 32 | 1b 33 20 | 1b 3d 01 | 1b 3f 41 | 1b 45 01
    1b 47 01 | 1b 4a 20 | 1b 4b 08 | 1b 4c | 1b 53 | 1b 4d 01 | 1b 52 00 | 1b 54 01 | 1b 56 01 | 1b 55 01
    1b 57 00 00 00 00 00 02 00 01 | 1b 5c 10 00 | 1b 61 01 | 1b 63 33 03 | 1b 63 35 01 | 1b 64 03 | 1b 65 01
    1b 69 | 1b 6d | 1b 70 00 19 fa | 1b 72 01 | 1b 74 02 | 1b 75 00 | 1b 76 | 1b 7b 01 | 1b 20 04 | 1b 0c
    1b 44 08 10 18 00 | 1b 44 00 | 1b 28 41 04 00 30 30 03 0a | 1b 66 01 02 | 1b 2a 00 03 00 1b 1d 10
    1b 2a 21 02 00 01 02 03 04 05 06 | 1b 2a 01 00 00 | 1b 2a 48 01 00 01 02 03 04 05 06
    1b 2a 27 01 00 01 02 03 | 1b 2a 63 05 00 | 1b 26 03 41 42 02 01 02 03 04 05 06 01 01 02 03
    1b 26 03 42 41 | 1d 21 11 | 1d 24 10 00 | 1d 26 10 00 | 1d 2f 00 | 1d 3a | 1d 42 01 | 1d 48 02
    1d 49 43 | 1d 4c 00 00 | 1d 50 b4 b4 | 1d 54 01 | 1d 57 00 02 | 1d 5c 10 00 | 1d 5e 01 00 00 | 1d 61 0f
    1d 62 01 | 1d 63 | 1d 66 00 | 1d 68 50 | 1d 6a 01 | 1d 72 01 | 1d 77 03 | 1d 7a 30 00 05 | 1d 56 00
    1d 56 31 | 1d 56 42 00 | 1d 56 61 03 | 1d 56 77 | 1d 67 30 00 14 00 | 1d 67 32 00 94 00 | 1d 03 01
    1d 04 02 | 1d e0 01 | 1d 76 30 00 02 00 02 00 1b 40 10 1d | 1d 51 30 00 01 00 03 00 1d 1d 1d
    1d 2a 01 02 000102030405060708090a0b0c0d0e0f | 1d 6b 04 31 32 33 00 | 1d 6b 49 03 7b 42 00 | 1d 6b 20
    1d 28 6b 03 00 31 51 30 | 1d 28 41 02 00 00 02 | 1d 28 4c 02 00 30 32 | 1d 38 4c 04 00 00 00 30 70 1b 1d
    1d 28 48 06 00 30 30 41 42 43 44 | 1d 43 30 05 00 | 1d 43 31 00 00 00 00 01 01 | 1d 43 32 00 00
    1d 43 3b | 1d 44 30 43 30 31 32 31 31 42 4d 08 00 00 00 aa 1b
    1d 44 30 43 30 31 32 31 31 58 58 08 00 00 00 | 1d 44 30 43 30 31 32 31 31 42 4d 00 00 00 00 | 1c 21 00
    1c 26 | 1c 2d 01 | 1c 2e | 1c 3f 77 7e | 1c 43 01 | 1c 53 00 00 | 1c 57 01 | 1c 70 01 00 | 1c 62 | 1c 63
    1c 71 02 01 00 01 00 0001020304050607 01 00 01 00 1b1b1b1b1b1b1b1b | 1c 71 00 | 1c 28 41 02 00 30 00
    1c 67 31 00 00 00 00 00 02 00 1b 40 | 1c 67 32 00 00 00 00 00 0a 00 | 1c 61 30 01 | 1c 61 31 | 10 04 01
    10 04 07 01 | 10 04 08 03 | 10 04 12 01 | 10 05 02 | 10 14 01 00 01 | 10 14 02 01 08 | 10 14 07 01
    10 14 03 00 00 00 00 00 | 10 14 08 01 03 14 01 06 02 08 | 10 14 09 | 10 7f | 1f 58 04
    1f 28 41 02 00 30 00 | 1b ff | 1b 1b | 1d 99 | 1c 10 | 41 | 0a | 18 | 09 | 0c | e4
"""
"""Whole commands, one by one, from the manuals: each ends at its last byte, and not before."""

QUESTIONS = {
    "10 04 01": Kind.STATUS,
    "10 04 05": Kind.STATUS,
    "10 04 07 02": Kind.STATUS,
    "10 04 08 03": Kind.STATUS,
    "10 04 12 01": Kind.STATUS,
    "10 04 14": Kind.ANY,
    "10 14 02 01 08": Kind.BLOCK,
    "10 14 07 01": Kind.ANY,
    "10 14 08 01 03 14 01 06 02 08": Kind.BLOCK,
    "1d 49 01": Kind.SHORT,
    "1d 49 33": Kind.SHORT,
    "1d 49 21": Kind.BLOCK,
    "1d 49 43": Kind.BLOCK,
    "1d 49 40": Kind.ANY,
    "1d 72 01": Kind.SHORT,
    "1b 75 00": Kind.SHORT,
    "1b 76": Kind.SHORT,
    "1d 67 32 00 94 00": Kind.BLOCK,
    "1d 28 48 06 00 30 30 41 42 43 44": Kind.PROCESS,
    "1d 28 45 02 00 04 01": Kind.ANY,
    "1d 28 4c 02 00 30 30": Kind.ANY,
    "1d 28 6b 03 00 31 52 30": Kind.ANY,
    "1d 28 43 03 00 00 03 00": Kind.ANY,
    "1c 28 65 02 00 33 01": Kind.ANY,
    "1c 61 30 01": Kind.ANY,
    "1c 62": Kind.ANY,
    "1c 67 32 00 00 00 00 00 0a 00": Kind.ANY,
    "1d 6a 01": Kind.ANY,
    "1d 04 01": Kind.ANY,
    "1d 03 01": Kind.ANY,
    "1d e0 01": Kind.ANY,
}

NO_QUESTIONS = (
    "10 05 01",
    "10 14 01 00 01",
    "10 14 02 01 09",
    "10 14 08 01 03 14 01 06 02 09",
    "10 7f",
    "1d 67 30 00 14 00",
    "1d 28 48 03 00 31 30 01",
    "1d 28 48 02 00 30 30",
    "1d 28 45 04 00 02 4f 55 54",
    "1d 28 4c 02 00 30 32",
    "1d 28 6b 03 00 31 51 30",
    "1d 6a 00",
    "1c 67 31 00 00 00 00 00 01 00 41",
    "1c 61 31",
)


def of(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize(
    "command", [one.strip() for one in WHOLE.replace("\n", "|").split("|") if one.strip()]
)
def test_a_command_ends_at_its_last_byte(command: str) -> None:
    data = of(command)
    stream = JobStream()
    for count, byte in enumerate(data, 1):
        stream.feed(bytes((byte,)))
        assert stream.at_border is (count == len(data)), f"byte {count} of {len(data)}"
    stream.feed(b"\x1dV\x00")
    assert stream.ends_with_cut, "the next command is understood"


@pytest.mark.parametrize("command", QUESTIONS)
def test_a_question_is_seen_with_the_answer_it_brings(command: str) -> None:
    (seen,) = [one for one in JobStream().feed(b"text" + of(command)) if not isinstance(one, Cleared)]
    assert isinstance(seen, Question)
    assert (seen.begin, seen.end) == (4, 4 + len(of(command)))
    assert (seen.answer.kind, seen.answer.real_time) == (QUESTIONS[command], command.startswith("10"))
    assert seen.key == of(command)[: PARAMS_MOST + 2]


@pytest.mark.parametrize("command", NO_QUESTIONS)
def test_what_brings_no_answer_is_no_question(command: str) -> None:
    assert not [seen for seen in JobStream().feed(of(command)) if isinstance(seen, Question)]


@pytest.mark.parametrize(
    ("headers", "command"),
    [
        (b"\x5f", "1d 49 44"),
        (b"\x3d", "1d 49 6e"),
        (b"\x5f", "1d 67 32 00 94 00"),
        (b"\x3b", "10 14 02 01 08"),
        (b"\x37", "10 14 08 01 03 14 01 06 02 08"),
    ],
)
def test_the_header_of_a_block_is_known(headers: bytes, command: str) -> None:
    (seen,) = [one for one in JobStream().feed(of(command)) if isinstance(one, Question)]
    assert seen.answer.headers == headers


def test_what_is_cut_and_set_is_seen() -> None:
    job = b"\x1b@" + b"Sum 9.99\n" + b"\x1da\x0f" + b"\x1dVB\x00" + b"\x1bi" + b"\x1bm" + b"\x10\x05\x02"
    assert JobStream().feed(job) == [
        Initialise(begin=0, end=2),
        Automatic(begin=11, end=14, n=15),
        Cut(begin=14, end=18),
        Cut(begin=18, end=20),
        Cut(begin=20, end=22),
        Cleared(begin=22, end=25),
    ]


def test_a_real_time_question_is_seen_inside_of_raster_data_which_goes_on() -> None:
    stream = JobStream()
    raster = b"\x1dv0\x00\x04\x00\x02\x00" + b"\x10\x04\x01\x1d" + b"\x10\x10\x04\x02"
    seen = stream.feed(raster)
    assert [(one.begin, one.end) for one in seen] == [(8, 11), (13, 16)]
    assert stream.at_border
    assert not stream.feed(b"\x1dI")
    assert stream.in_command


def test_what_looks_like_a_question_inside_of_data_is_none_if_it_waits_in_line() -> None:
    assert JobStream().feed(b"\x1dv0\x00\x03\x00\x02\x00" + b"\x1dI\x43" + b"\x1da\x0f") == []


def test_a_sequence_that_breaks_off_may_be_the_start_of_another() -> None:
    (seen,) = JobStream().feed(b"\x1d8L\x64\x00\x00\x00" + b"\x10\x10\x41\x10\x04\x03")
    assert (seen.begin, seen.end) == (10, 13)


def test_tabs_end_where_they_do_not_ascend() -> None:
    stream = JobStream()
    stream.feed(b"\x1bD\x08\x10")
    assert not stream.at_border
    (cut,) = stream.feed(b"\x08" + b"\x1dV\x00")
    assert cut.begin == 5


@pytest.mark.parametrize(("begin", "most"), [(b"\x1dk\x04", 255), (b"\x1bD", 33)])
def test_what_nul_should_end_ends_without_it(begin: bytes, most: int) -> None:
    stream = JobStream()
    stream.feed(begin + bytes(range(1, most)))
    assert not stream.at_border
    stream.feed(b"\xff")
    assert stream.at_border


def test_only_work_counts_as_such() -> None:
    stream = JobStream()
    stream.feed(b"\x10\x04\x01\x1dI\x43\x1dr\x01\x1da\x0f")
    assert stream.work == 0
    stream.feed(b"A\x1dV\x00")
    assert stream.ends_with_cut
    stream.feed(b"\x10\x04\x01\x1dr\x01")
    assert stream.ends_with_cut
    before = stream.work
    stream.feed(b"\x1bp\x00\x19\xfa")
    assert stream.work > before
    assert not stream.ends_with_cut


def test_a_partial_real_time_sequence_is_no_border_and_no_command() -> None:
    stream = JobStream()
    for part in (b"\x10", b"\x04"):
        stream.feed(part)
        assert (stream.at_border, stream.in_command) == (False, False)
    stream.feed(b"\x01\x1b")
    assert (stream.at_border, stream.in_command) == (False, True)


def test_a_printer_that_is_not_selected_obeys_nothing() -> None:
    stream = JobStream()
    assert stream.feed(b"\x1b=\x02" + b"\x1b@\x1dI\x43\x1da\x0f\x1dV\x00" + b"\x10\x04\x01") != []
    assert not stream.takes_commands
    assert [type(one) for one in stream.feed(b"\x1b@\x1da\x01\x10\x04\x01")] == [Question]
    assert [type(one) for one in stream.feed(b"\x1b=\x01\x1b@")] == [Initialise]
    assert stream.takes_commands


def test_a_macro_takes_what_comes() -> None:
    stream = JobStream()
    stream.feed(b"\x1d:abc")
    assert not stream.takes_commands
    stream.feed(b"\x1d:")
    assert stream.takes_commands


def test_four_gigabytes_are_counted_and_not_kept() -> None:
    stream = JobStream()
    stream.feed(b"\x1d8L\xff\xff\xff\xff")
    stream.feed(bytes(1 << 20))
    assert not stream.at_border
    assert _held(stream) < 64


def test_reset_forgets_what_is_begun() -> None:
    stream = JobStream()
    stream.feed(b"\x1d8L\xff\xff\xff\xff\x10\x04")
    stream.reset()
    assert stream.at_border
    assert [(one.begin, one.end) for one in stream.feed(b"\x1b@")] == [(9, 11)]


lively = st.lists(
    st.sampled_from([of(one) for one in QUESTIONS])
    | st.sampled_from(
        [b"\x1dv0\x00\x02\x00\x03\x00", b"\x1b@", b"\x1dV\x00", b"\x10", b"\x1d", b"\x1bD", b"\x1b&"]
    )
    | st.binary(max_size=6)
).map(b"".join)


def _held(stream: JobStream) -> int:
    return sum(len(value) for value in vars(stream).values() if isinstance(value, bytes | bytearray))


@given(data=lively, cuts=st.lists(st.integers(0, 300)))
def test_any_split_is_seen_alike(data: bytes, cuts: list[int]) -> None:
    whole, pieces = JobStream(), JobStream()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    seen: list[Sight] = [one for a, b in pairwise(edges) for one in pieces.feed(data[a:b])]
    assert seen == whole.feed(data)
    for name in ("position", "at_border", "in_command", "takes_commands", "ends_with_cut"):
        assert getattr(whole, name) == getattr(pieces, name), name
    assert _held(whole) < 64


@given(data=st.binary(max_size=400))
def test_any_bytes_are_taken(data: bytes) -> None:
    stream = JobStream()
    for one in stream.feed(data):
        assert 0 <= one.begin < one.end <= len(data)
    assert stream.position == len(data)
    assert _held(stream) < 64


# -- what a till really writes -----------------------------------------------------------------------


def _image() -> Image.Image:
    picture = Image.new("1", (64, 40))
    for x in range(64):
        for y in range(40):
            picture.putpixel((x, y), (x * 7 + y * 13) % 5 < 2)
    return picture


def _write(printer: Dummy, what: str) -> None:
    match what:
        case "text":
            printer.set(align="center", bold=True, width=2, height=2, custom_size=True, underline=1)
            printer.textln("Total 12.50")
            printer.set_with_default()
            printer.textln("ÄÖÜ 日本")
        case "raster":
            printer.image(_image(), impl="bitImageRaster")
        case "columns":
            printer.image(_image(), impl="bitImageColumn")
        case "graphics":
            printer.image(_image(), impl="graphics")
        case "qr":
            printer.qr("https://example.org/receipt/1", native=True)
        case "qr image":
            printer.qr("https://example.org/receipt/1", native=False)
        case "barcode":
            printer.barcode("4006381333931", "EAN13", function_type="A")
            printer.barcode("{B4006381333931", "CODE128", function_type="B")
        case "drawer":
            printer.cashdraw(2)
        case "tabs":
            printer.control("HT", tab_size=8)
        case "hardware":
            printer.hw("INIT")
            printer.line_spacing(40)
            printer.panel_buttons(enable=False)


@pytest.mark.parametrize(
    "what",
    ["text", "raster", "columns", "graphics", "qr", "qr image", "barcode", "drawer", "tabs", "hardware"],
)
def test_what_python_escpos_writes_ends_at_a_border(what: str) -> None:
    printer = Dummy()
    _write(printer, what)
    stream = JobStream()
    seen = stream.feed(printer.output)
    assert stream.at_border
    assert not [one for one in seen if isinstance(one, Cut)]
    printer.clear()
    printer.cut()
    assert [type(one) for one in stream.feed(printer.output)] == [Cut]
    assert (stream.at_border, stream.ends_with_cut) == (True, True)
