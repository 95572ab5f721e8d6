"""The simulated receipt printer, against the manual's words."""

from __future__ import annotations

import pytest

from simulator.devices.device import BadSetting
from simulator.devices.printer.printing import BUFFER_BYTES
from tests.simulator.bench import Bench

ALL_ON = "1d 61 0f"
COMPLETION = "1d 28 48 06 00 30 30 41 42 43 44"
COMPLETED = bytes.fromhex("37 22 41 42 43 44 00")


def status(bench: Bench) -> str:
    """The answers to DLE EOT 1 to 4."""
    return b"".join(bench.ask(bytes((0x10, 0x04, n))) for n in (1, 2, 3, 4)).hex(" ")


@pytest.mark.parametrize(
    ("knobs", "answers"),
    [
        ((), "12 12 12 12"),
        (("paper=near_end",), "12 12 12 1e"),
        (("paper=end",), "1a 32 12 7e"),
        (("paper=end", "near_end=absent"), "1a 32 12 72"),
        (("paper=near_end", "near_end=absent"), "12 12 12 12"),
        (("cover=open",), "1a 16 12 12"),
        (("cutter=jam",), "1a 52 1a 12"),
        (("head=hot",), "1a 52 52 12"),
        (("error=recoverable",), "1a 52 16 12"),
        (("error=unrecoverable",), "1a 52 32 12"),
        (("drawer=open",), "16 12 12 12"),
        (("cover=open", "paper=end", "drawer=open"), "1e 36 12 7e"),
    ],
)
def test_real_time_status(knobs: tuple[str, ...], answers: str) -> None:
    assert status(Bench(*knobs)) == answers


def test_real_time_status_is_answered_in_a_stall_and_with_a_full_queue() -> None:
    bench = Bench("fault=stall")
    bench.ask(b"x" * 100)
    assert status(bench) == "12 12 12 12"
    assert bench.printed == b""


@pytest.mark.parametrize(
    ("mask", "knob", "frame"),
    [
        (0x01, "drawer=open", "14 00 00 00"),
        (0x02, "cover=open", "38 00 00 00"),
        (0x02, "paper=end", "18 00 0f 00"),
        (0x02, "paper=near_end", ""),
        (0x04, "cutter=jam", "18 08 00 00"),
        (0x04, "head=hot", "18 40 00 00"),
        (0x04, "cover=open", ""),
        (0x08, "paper=near_end", "10 00 03 00"),
        (0x08, "drawer=open", ""),
        (0x0F, "error=unrecoverable", "18 20 00 00"),
        (0x0F, "error=recoverable", "18 04 00 00"),
    ],
)
def test_automatic_status_tells_of_what_its_mask_names(mask: int, knob: str, frame: str) -> None:
    bench = Bench()
    assert bench.ask(bytes((0x1D, 0x61, mask))) == bytes.fromhex("10 00 00 00")
    bench.set(knob)
    assert bench.hear() == bytes.fromhex(frame)


@pytest.mark.parametrize("ending", ["1b 40", "1d 61 00"])
def test_automatic_status_ends(ending: str) -> None:
    bench = Bench()
    bench.ask(ALL_ON)
    assert bench.ask(ending) == b""
    bench.set("cover=open")
    assert bench.hear() == b""


def test_a_power_cycle_ends_automatic_status_and_forgets_what_waited() -> None:
    bench = Bench()
    bench.ask(ALL_ON)
    bench.set("cover=open")
    bench.ask(b"never printed\n")
    bench.set("power=off")
    assert bench.ask("10 04 01 48 69 0a") == bytes.fromhex("38 00 00 00")[:0]
    bench.set("power=on", "cover=closed")
    assert bench.hear() == b""
    assert bench.text == ""


def test_automatic_status_is_armed_while_the_paper_is_out() -> None:
    bench = Bench("paper=end")
    assert bench.ask(ALL_ON) == bytes.fromhex("18 00 0f 00")


@pytest.mark.parametrize(
    ("answers", "answered"),
    [
        ("all", {"10 04 01", ALL_ON, "1d 49 42", "1d 67 32 00 14 00", COMPLETION, "1d 72 01"}),
        ("eot", {"10 04 01"}),
        ("asb", {ALL_ON}),
        ("none", set()),
    ],
)
@pytest.mark.parametrize("unknown", ["print", "swallow"])
def test_what_each_kind_of_printer_answers(answers: str, answered: set[str], unknown: str) -> None:
    asked = ["10 04 01", ALL_ON, "1d 49 42", "1d 67 32 00 14 00", COMPLETION, "1d 72 01"]
    for question in asked:
        bench = Bench(f"answers={answers}", f"unknown={unknown}")
        assert bool(bench.ask(question)) == (question in answered), question
        assert bool(bench.printed) == (
            question not in answered and unknown == "print" and question != asked[0]
        )


def test_an_unknown_command_is_printed_as_text() -> None:
    bench = Bench("answers=none")
    bench.ask(ALL_ON)
    bench.ask("1d 49 43")
    bench.ask(COMPLETION)
    assert bench.printed == b"aIC(H00ABCD"


def test_real_time_status_leaves_no_mark_even_where_it_is_unknown() -> None:
    bench = Bench("answers=none", "unknown=print")
    for n in (1, 2, 3, 4):
        assert bench.ask(bytes((0x10, 0x04, n))) == b""
    assert bench.printed == b""


def test_what_comes_while_offline_waits_and_is_printed_later() -> None:
    bench = Bench("cover=open")
    bench.ask(b"Hello\n")
    assert bench.text == ""
    bench.set("cover=closed")
    assert bench.text == "Hello\n"


def test_a_full_buffer_makes_the_printer_busy_until_it_moves_again() -> None:
    bench = Bench("paper=end")
    bench.ask(b"x" * 3 * BUFFER_BYTES, within_s=5)
    assert bench.printer.room() == 0
    assert bench.ask("10 04 01") == b""
    bench.set("paper=ok")
    assert bench.hear(within_s=5) == b"\x12"
    assert bench.printed == b"x" * 3 * BUFFER_BYTES


def test_hours_of_polling_do_not_fill_the_buffer() -> None:
    bench = Bench("paper=end")
    for _ in range(BUFFER_BYTES):
        assert bench.ask("10 04 01", within_s=0.01) == b"\x1a"
    assert bench.printer.room() == BUFFER_BYTES


@pytest.mark.parametrize("held_by", ["paper=end", "cover=open", "fault=stall", "cutter=jam"])
def test_completion_is_told_only_when_all_before_it_is_printed(held_by: str) -> None:
    bench = Bench(held_by)
    assert bench.ask(b"a line\n" + bytes.fromhex(COMPLETION)) == b""
    bench.set("paper=ok", "cover=closed", "fault=none", "cutter=ok")
    assert bench.hear() == COMPLETED
    assert bench.text == "a line\n"


@pytest.mark.parametrize(
    ("knob", "after"),
    [
        ("error=recoverable", "12"),
        ("cutter=freed", "12"),
        ("cutter=jam", "1a"),
        ("head=hot", "1a"),
        ("error=unrecoverable", "1a"),
        ("cover=open", "1a"),
    ],
)
@pytest.mark.parametrize(("enq", "text"), [("10 05 01", "kept\n"), ("10 05 02", "")])
def test_recovery_works_once_the_cause_is_gone(knob: str, after: str, enq: str, text: str) -> None:
    bench = Bench(knob)
    bench.ask(b"kept\n")
    bench.ask(enq)
    assert bench.ask("10 04 01").hex() == after
    assert bench.text == (text if after == "12" else "")


def test_recovery_is_told_by_automatic_status() -> None:
    bench = Bench("cutter=freed")
    bench.ask(ALL_ON)
    assert bench.ask("10 05 01") == bytes.fromhex("10 00 00 00")


def test_buffers_cleared_in_real_time() -> None:
    bench = Bench("paper=end")
    bench.ask(b"lost\n")
    assert bench.ask("10 14 08 01 03 14 01 06 02 08") == bytes.fromhex("37 25 00")
    bench.set("paper=ok")
    assert bench.text == ""


@pytest.mark.parametrize("pulse", ["10 14 01 00 02", "1b 70 00 32 32"])
def test_a_pulse_opens_the_drawer(pulse: str) -> None:
    bench = Bench()
    bench.ask(ALL_ON)
    assert bench.ask(pulse) == bytes.fromhex("14 00 00 00")
    assert bench.served.state()["drawer_pulses"] == 1
    bench.set("drawer=closed")
    assert bench.hear() == bytes.fromhex("10 00 00 00")


def test_counters_count_what_was_really_printed() -> None:
    bench = Bench()
    bench.ask(b"one\ntwo\n" + bytes.fromhex("1b 64 03 1d 56 00"))
    assert bench.ask("1d 67 32 00 14 00") == b"\x5f5\x00"
    assert bench.ask("1d 67 32 00 15 00") == b"\x5f2\x00"
    assert bench.ask("1d 67 32 00 32 00") == b"\x5f1\x00"
    bench.set("paper=end")
    bench.ask(b"three\n")
    assert bench.served.state()["counters"] == pytest.approx(
        {"lines": 5, "heated": 2, "cuts": 1, "seconds": 0}, abs=1
    )


def test_counters_are_reset_except_those_of_a_lifetime() -> None:
    bench = Bench()
    bench.ask(b"one\n")
    bench.ask("1d 67 30 00 14 00")
    assert bench.ask("1d 67 32 00 14 00") == b"\x5f0\x00"
    assert bench.ask("1d 67 32 00 94 00") == b"\x5f1\x00"
    bench.set("power=off")
    bench.set("power=on")
    assert bench.ask("1d 67 32 00 94 00") == b"\x5f1\x00"


def test_hours_of_operation_are_hours_with_power() -> None:
    bench = Bench()
    bench.clock.advance(3 * 3600)
    bench.set("power=off")
    bench.clock.advance(5 * 3600)
    bench.set("power=on")
    assert bench.ask("1d 67 32 00 46 00") == b"\x5f3\x00"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("1d 49 01", b"\x20"),
        ("1d 49 32", b"\x02"),
        ("1d 49 42", b"\x5fEPSON\x00"),
        ("1d 49 21", b"\x3d\x21\x02\x40\x40\x00"),
        ("1d 49 7f", b""),
        ("1d 67 32 00 01 00", b""),
        ("1d 72 02", b"\x00"),
        ("1d 72 07", b""),
        ("10 14 07 01", b"\x10\x00\x00\x00"),
        ("10 04 07 01", b""),
        ("10 04 09", b""),
    ],
)
def test_other_questions(question: str, answer: bytes) -> None:
    bench = Bench()
    assert bench.ask(question) == answer
    assert bench.printed == b""


def test_a_printer_fed_through_its_cable_forgets_when_it_is_pulled() -> None:
    mains, fed = Bench("supply=mains"), Bench("supply=bus")
    for bench in (mains, fed):
        bench.ask(ALL_ON)
        bench.set("fault=unplug")
        bench.set("fault=none", "paper=near_end")
    assert mains.hear() == bytes.fromhex("10 00 03 00")
    assert fed.hear() == b""


def test_the_power_line_follows_the_power_where_it_is_wired() -> None:
    assert Bench().door.power_line() is True
    assert Bench("power=off").door.power_line() is False
    assert Bench("dsr=none", "power=off").door.power_line() is None


@pytest.mark.parametrize("setting", ["paper=gone", "colour=red", "paper", "rate=-1", "rate=fast", "power=ON"])
def test_a_setting_that_does_not_exist_is_refused_and_changes_nothing(setting: str) -> None:
    bench = Bench()
    before = bench.printer.knobs.standing()
    with pytest.raises(BadSetting) as refused:
        bench.set("cover=open", setting)
    assert "\n" not in str(refused.value)
    assert bench.printer.knobs.standing() == before


def test_what_was_printed_is_kept_in_bytes_and_in_words() -> None:
    picture = bytes.fromhex("1d 76 30 00 02 00 01 00 aa 55")
    code = bytes.fromhex("1d 28 6b 05 00 31 50 30") + b"hi"
    show = bytes.fromhex("1d 28 6b 03 00 31 51 30")
    barcode = bytes.fromhex("1d 6b 02") + b"4006381333931\x00"
    cut = bytes.fromhex("1d 56 42 00")
    bench = Bench()
    bench.ask(b"\x1b@\x1ba\x01\x1bE\x01Total 1\xd5\n" + picture + code + show + barcode + cut)
    assert (
        bench.text == "Total 1\u2552\n[image 16x1]\n[QR hi]\n[barcode 4006381333931]\n-------- cut --------\n"
    )
    assert bench.printed == b"Total 1\xd5\n" + picture + code + show + barcode + cut


def test_chinese_is_read_in_its_own_encoding() -> None:
    bench = Bench()
    bench.ask(b"\x1c&" + "收据".encode("gb18030") + b"\x1c.\n")
    assert bench.text == "收据\n"


def test_all_that_is_printed_reaches_the_sink() -> None:
    bench = Bench()
    got: list[bytes] = []
    bench.printer.print_to(got.append)
    bench.ask(b"abc\n\x10\x04\x01def\n")
    assert b"".join(got) == b"abc\ndef\n" == bench.printed
