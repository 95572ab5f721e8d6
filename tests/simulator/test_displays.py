"""The simulated customer displays, against their manuals' words."""

from __future__ import annotations

import pytest

from simulator.devices.display import dmd, ncr597x
from simulator.devices.display.pole import BUFFER_BYTES
from tests.simulator.bench import Bench

BLANK = " " * 20
UPPER, LOWER = "Welcome".ljust(20), "Open until 20:00".ljust(20)


def shown(bench: Bench) -> object:
    return bench.served.state()["shown"]


def tell(model: str, *pieces: bytes) -> Bench:
    bench = Bench(model=model)
    for piece in pieces:
        assert bench.ask(piece) == b""
    return bench


CD5220_LINES = (b"\x1bQA" + UPPER.encode() + b"\r", b"\x1bQB" + LOWER.encode() + b"\r")


@pytest.mark.parametrize(
    ("model", "pieces"),
    [
        ("cd5220", CD5220_LINES),
        ("cd5220", (b"\x1b@", UPPER.encode(), LOWER.encode())),
        ("cd5220", (b"\x1bl\x01\x02" + LOWER.encode(), b"\x1bl\x01\x01" + UPPER.encode())),
        ("aedex", (b"!#1Welcome\r", b"!#2Open until 20:00\r")),
        ("aedex", (b"!#9" + (UPPER + LOWER).encode() + b"\r",)),
        ("logic_controls", (b"\x11\x10\x00Welcome", b"\x10\x14Open until 20:00")),
        ("logic_controls", (b"Welcome\r\n", b"Open until 20:00")),
        ("dmd", (b"\x1b@Welcome\x1f$\x01\x02Open until 20:00",)),
        ("dmd", (b"\x0b" + (UPPER + LOWER).encode(),)),
    ],
)
def test_two_lines_of_text(model: str, pieces: tuple[bytes, ...]) -> None:
    bench = tell(model, *pieces)
    assert shown(bench) == [UPPER, LOWER]
    bench.set("shows=nonsense")
    assert UPPER not in str(shown(bench))
    bench.set("shows=told")
    assert shown(bench) == [UPPER, LOWER]


@pytest.mark.parametrize(
    ("model", "clear"),
    [
        ("cd5220", b"\x0c"),
        ("cd5220", b"\x0c\x1b@"),
        ("aedex", b"!#A\r"),
        ("logic_controls", b"\x1f"),
        ("dmd", b"\x0c"),
        ("dmd", b"\x1b@"),
    ],
)
def test_cleared(model: str, clear: bytes) -> None:
    text = {"cd5220": CD5220_LINES[0], "aedex": b"!#1Welcome\r"}.get(model, b"Welcome")
    bench = tell(model, text)
    assert "Welcome" in str(shown(bench))
    bench.ask(clear)
    assert shown(bench) == [BLANK, BLANK]


@pytest.mark.parametrize(
    ("model", "levels", "unknown"),
    [
        ("cd5220", {b"\x1b*\x01": 20, b"\x1b*\x02": 40, b"\x1b*\x03": 60, b"\x1b*\x04": 100}, b"\x1b*\x09"),
        ("dmd", {b"\x1fX\x01": 20, b"\x1fX\x02": 40, b"\x1fX\x03": 60, b"\x1fX\x04": 100}, b"\x1fX\x05"),
        (
            "logic_controls",
            {b"\x04\x20": 20, b"\x04\x40": 40, b"\x04\x60": 60, b"\x04\xff": 100},
            b"\x04\x21",
        ),
        (
            "ncr597x",
            {b"\x1b\x17\x01": 0, b"\x1b\x17\x02": 25, b"\x1b\x17\x04": 75, b"\x1b\x17\x05": 100},
            b"\x1b\x17\x06",
        ),
    ],
)
def test_brightness(model: str, levels: dict[bytes, int], unknown: bytes) -> None:
    bench = Bench(model=model)
    for level, pct in levels.items():
        bench.ask(level)
        assert bench.served.state()["brightness_pct"] == pct
        bench.ask(unknown)
        assert bench.served.state()["brightness_pct"] == pct


def test_in_string_mode_a_cd5220_takes_nothing_but_strings_until_it_is_cleared() -> None:
    bench = tell("cd5220", CD5220_LINES[0], b"\x1b*\x01", b"lost", b"\x1b@")
    assert bench.served.state()["brightness_pct"] == 100
    assert bench.served.state()["string_mode"] is True
    assert shown(bench) == [UPPER, BLANK]
    bench.ask(b"\x0c\x1b*\x01seen")
    assert bench.served.state()["brightness_pct"] == 20
    assert shown(bench) == ["seen".ljust(20), BLANK]


def test_can_clears_the_cursors_line_alone() -> None:
    bench = tell("cd5220", *CD5220_LINES, b"\x18")
    assert shown(bench) == [UPPER, BLANK]
    assert bench.served.state()["string_mode"] is False


@pytest.mark.parametrize("model", ["cd5220", "dmd"])
def test_what_is_meant_for_the_printer_is_not_shown(model: str) -> None:
    bench = tell(model, b"\x1b=\x01a receipt\x1b*\x01\x1fX\x01")
    assert shown(bench) == [BLANK, BLANK]
    assert bench.served.state()["brightness_pct"] == 100
    bench.ask(b"\x1b=\x02shown")
    assert shown(bench) == ["shown".ljust(20), BLANK]


def test_an_aedex_display_passes_on_what_is_not_for_it() -> None:
    bench = tell("aedex", b"a receipt\n", b"!#1ours\r", b"\x1bd\x03")
    assert shown(bench) == ["ours".ljust(20), BLANK]
    assert bench.served.state()["passed_on_bytes"] == 13


def test_an_attention_code_lasts_until_the_reset_or_a_power_cycle() -> None:
    bench = tell("aedex", b"!#8%&\r", b"!#1not ours\r", b"%&1ours\r")
    assert shown(bench) == ["ours".ljust(20), BLANK]
    bench.ask(b"%&A\r")
    bench.ask(b"%&1not ours\r!#2ours\r")
    assert shown(bench) == [BLANK, "ours".ljust(20)]
    bench.ask(b"!#8%&\r")
    bench.set("power=off", "power=on")
    bench.ask(b"!#1ours\r")
    assert shown(bench) == ["ours".ljust(20), BLANK]


def test_a_longer_text_is_cut_at_the_end_of_its_line() -> None:
    bench = tell("aedex", b"!#1" + b"a" * 44 + b"\r", b"!#2" + b"b" * 60 + b"\r", b"!#5hh:mm\r")
    assert shown(bench) == ["a" * 20, "hh:mm".ljust(20)]


def test_logic_controls_starts_in_vertical_scroll_mode() -> None:
    bench = tell("logic_controls", b"first\r\nsecond\r\nthird")
    assert shown(bench) == ["second".ljust(20), "third".ljust(20)]
    bench.ask(b"\x11")
    bench.ask(b"\x10\x00up\x09\x08\x10\x28")
    assert str(shown(bench)).startswith("['up")


# Epson DM-D


def ident(number: int) -> bytes:
    return bytes.fromhex("1f 28 42 02 00 30") + bytes([number])


def test_while_a_dmd_tests_itself_what_comes_waits() -> None:
    bench = tell("dmd", b"Welcome", b"\x1fX\x01")
    assert bench.ask(b"\x1f@" + ident(67)) == b""
    assert shown(bench) == [BLANK, BLANK]
    assert bench.served.state()["brightness_pct"] == 100
    assert bench.hear(dmd.SELF_TEST_S) == b"\x57\x20\x30\x1fDM-D70\x00"
    assert bench.served.state()["self_tests"] == 1


def test_a_dmd_is_busy_when_its_buffer_is_full() -> None:
    bench = tell("dmd", b"\x1f@")
    bench.ask(b"x" * 2 * BUFFER_BYTES, within_s=1)
    assert bench.device.room() == 0
    assert bench.served.state()["waiting_bytes"] == BUFFER_BYTES
    bench.hear(dmd.SELF_TEST_S)
    assert bench.served.state()["shown_bytes"] == 2 * BUFFER_BYTES


def test_the_handshake_by_dtr() -> None:
    bench = Bench(model="dmd")
    assert bench.door.power_line() is True
    bench.ask(b"\x1fv\x01")
    assert bench.door.power_line() is False
    bench.ask(b"\x1fv\x00")
    assert bench.door.power_line() is True
    bench.ask(b"\x1fv\x31")
    bench.ask(b"any data")
    assert bench.door.power_line() is True


def test_the_handshake_tells_that_a_self_test_runs() -> None:
    bench = tell("dmd", b"\x1f@", b"\x1fv\x01", b"\x1fv\x00")
    assert bench.door.power_line() is False
    bench.hear(dmd.SELF_TEST_S)
    bench.ask(b"\x1fv\x00")
    assert bench.door.power_line() is True


def test_a_dmd_answers_in_a_stall_and_shows_the_text_after_it() -> None:
    bench = Bench("fault=stall", model="dmd")
    assert bench.ask(b"Welcome" + ident(66)) == b"\x57\x20\x30\x1fEPSON\x00"
    assert shown(bench) == [BLANK, BLANK]
    bench.set("fault=none")
    assert shown(bench) == [UPPER, BLANK]


def test_a_block_with_a_length_it_cannot_have_swallows_nothing() -> None:
    bench = Bench(model="dmd")
    assert bench.ask("1f 28 42 82 00" + ident(67).hex()) == b"\x57\x20\x30\x1fDM-D70\x00"


def test_another_model_is_another_name_on_the_bus() -> None:
    device = dmd.DmdDisplay()
    device.turn("model", "DM-D210", 0.0)
    assert device.shape.product == "DM-D210"


# NCR


def ncr(*settings: str) -> Bench:
    return Bench(*settings, model="ncr597x")


def test_an_ncr_display_is_dark_until_it_is_switched_on() -> None:
    bench = ncr()
    bench.ask(b"Welcome")
    assert shown(bench) == [BLANK] * 4
    assert bench.ask("1b 38") == b"\x50" + b"Welcome".ljust(80)
    bench.ask("1b 05")
    assert shown(bench) == [UPPER, BLANK, BLANK, BLANK]
    bench.ask("1b 17 01")
    assert shown(bench) == [BLANK] * 4
    bench.ask("1b 17 05 1b 06")
    assert shown(bench) == [BLANK] * 4


def test_control_codes_are_characters_of_an_ncr_display() -> None:
    bench = ncr()
    bench.ask(b"a\r\n\x00b")
    assert bench.ask("1b 38") == b"\x50" + b"a\r\n\x00b".ljust(80)


@pytest.mark.parametrize(
    ("moves", "at"),
    [
        (b"\x1b\x13\x4f\x1b\x10", 0),
        (b"\x1b\x0f", 79),
        (b"\x1b\x11", 60),
        (b"\x1b\x13\x45\x1b\x12", 9),
        (b"\x1b\x13\x14", 20),
        (b"\x1b\x13\x14\x1b\x13\x50", 20),
        (b"\x1b\x13\x14\x1b\x7f", 20),
    ],
)
def test_the_cursor_of_an_ncr_display(moves: bytes, at: int) -> None:
    bench = ncr()
    bench.ask(moves + b"x")
    assert bench.ask("1b 38")[1:].index(b"x") == at


def test_what_it_shows_and_reads_back_may_be_nonsense() -> None:
    bench = ncr()
    bench.ask(b"\x1b\x05Welcome")
    bench.set("shows=nonsense")
    read = bench.ask("1b 38")
    assert len(read) == 81
    assert all(told != got for told, got in zip(b"Welcome".ljust(80), read[1:], strict=True))
    assert "".join(bench.served.state()["shown"]).encode() == read[1:]  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["5972", "5977"])
def test_its_relatives_have_two_lines_and_no_read_back(model: str) -> None:
    bench = ncr(f"model={model}")
    assert bench.ask("1b 38") == b""
    bench.ask(b"\x1b\x05" + b"x" * 40 + b"y\x1b\x1b")
    assert shown(bench) == ["y." + "x" * 18, "x" * 20]
    assert bench.ask("1b 18") == b"\x8a"
    text = bench.ask("1b 19")
    assert text[0] == len(text) - 1
    assert f"NCR {model}".encode() in text


def test_in_a_stall_an_ncr_display_reads_back_what_it_still_shows() -> None:
    bench = ncr()
    bench.ask(b"before")
    bench.set("fault=stall")
    bench.ask(b"\x1b\x02after")
    assert bench.ask("1b 38") == b"\x50" + b"before".ljust(80)
    bench.set("fault=none")
    assert bench.ask("1b 38") == b"\x50" + b"after".ljust(80)


def test_the_diagnostic_state_keeps_what_was_shown() -> None:
    bench = ncr()
    bench.ask(b"before\x1b\x04lost")
    assert bench.ask("1b 38") == b"\x50" + b"before".ljust(80)


def test_an_ncr_display_is_busy_while_it_resets() -> None:
    bench = ncr()
    bench.ask(b"before\x1b\x01after")
    assert bench.ask("1b 38") == b""
    assert bench.hear(ncr597x.RESET_S) == b"\x50" + b"after".ljust(80)
