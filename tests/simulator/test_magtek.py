"""The simulated MagTek reader, against the manual's words. Its reports are in the golden transcripts."""

from __future__ import annotations

import pytest

from simulator.devices.reader.magtek import FEATURE_BYTES, RESET_S, MagtekReader
from tests.simulator.bench import Bench
from tests.simulator.usb_bench import UsbBench

INPUT_BYTES = 337
"""Of the USB HID swipe reader's input report, as others read it (pyusb examples)."""


@pytest.fixture
def bench() -> Bench:
    return Bench(model="magtek", baud=0)


def counter(bench: Bench) -> int:
    answer = bench.ask("00 01 21")
    assert answer[:2] == b"\x00\x04"
    return int.from_bytes(answer[2:], "little")


def test_a_swipe_counts_and_waits_for_whoever_has_it_open(bench: Bench) -> None:
    assert bench.door.notice() == b""
    bench.set("swipe=FIRST")
    bench.set("swipe=SECOND")
    assert counter(bench) == 2
    assert bench.served.state()["input_report_waits"] is True
    report = bench.door.notice()
    assert len(report) == INPUT_BYTES
    assert b"SECOND" in report
    assert b"FIRST" not in report
    assert report[:7] == bytes((0, 0, 0, 0, len("SECOND"), 0, 0))
    assert bench.door.notice() == b""
    state = bench.served.state()
    assert (state["swipes"], state["input_report_waits"], state["input_reports_read"]) == (2, False, 1)


def test_no_feature_report_ever_holds_a_card(bench: Bench) -> None:
    bench.set("swipe=SECRET")
    said = b"".join(bench.ask(bytes((0, 1, number))) for number in range(256))
    assert b"SECRET" not in said
    assert bench.served.state()["input_reports_read"] == 0


def test_the_same_card_twice_is_two_swipes(bench: Bench) -> None:
    bench.set("swipe=A", "swipe=A")
    assert counter(bench) == 2


def test_nothing_is_swiped_at_a_reader_without_power_or_in_a_stall(bench: Bench) -> None:
    bench.set("power=off", "swipe=A", "power=on", "fault=stall", "swipe=A", "fault=none")
    assert counter(bench) == 0
    assert bench.door.notice() == b""


def test_the_counter_outlives_power_and_what_waits_does_not(bench: Bench) -> None:
    bench.set("swipe=A")
    bench.set("power=off", "power=on")
    assert counter(bench) == 1
    assert bench.door.notice() == b""


def test_another_reader_has_its_own_counter(bench: Bench) -> None:
    bench.set("swipe=A", "serial=OTHER")
    assert counter(bench) == 0
    assert bench.ask("00 01 20") == b"\x00\x05OTHER"
    bench.set("serial=B0ABCD1")
    assert counter(bench) == 1


def test_after_a_reset_it_leaves_the_bus_and_comes_back(bench: Bench) -> None:
    assert bench.ask("02 00") == b"\x00\x00"
    assert not bench.door.powered()
    assert bench.ask("00 01 00") == b""
    bench.hear(RESET_S)
    assert bench.door.powered()
    assert bench.ask("00 01 00") == b"\x00\x0b21042812D01"
    assert bench.served.state()["restarts"] == 1


def test_the_power_switch_ends_a_reset(bench: Bench) -> None:
    bench.ask("02 00")
    bench.set("power=off", "power=on")
    assert bench.door.powered()


@pytest.mark.parametrize(
    "report", ["00", "00 00", "00 02 00 00", "00 01", "01 01 00", "01 11 20" + "41" * 16, "03 00", "ff 00"]
)
def test_a_report_that_says_nothing_it_knows_is_a_bad_parameter(bench: Bench, report: str) -> None:
    assert bench.ask(report) == b"\x02\x00"


def test_set_serial_numbers_are_told_until_another_reader_comes(bench: Bench) -> None:
    assert bench.ask("01 04 20 31 32 33") == b"\x00\x00"
    assert bench.ask("00 01 20") == b"\x00\x03123"
    assert bench.ask("01 04 20 31 0a 33") == b"\x02\x00"
    bench.set("serial=OTHER")
    assert bench.ask("00 01 20") == b"\x00\x05OTHER"


def test_the_report_descriptor_is_the_manuals() -> None:
    interface = MagtekReader.shape.interface
    assert interface.report_bytes == FEATURE_BYTES == 24
    assert interface.report_id == 0
    assert interface.report[-9:] == bytes.fromhex("01 09 20 95 18 b2 02 01 c0")
    # Seven bytes of status and lengths, and 110 for each buffered track.
    assert 7 + 110 * interface.report.count(b"\x82\x02\x01") == INPUT_BYTES


def test_on_the_bus_a_reset_is_an_absence() -> None:
    bench = UsbBench(model="magtek")
    bench.ask(0x21, 9, 0x0300, 0, b"\x02".ljust(FEATURE_BYTES, b"\0"))
    bench.turn(0.1)
    assert not bench.core.on_bus
    bench.turn(RESET_S)
    assert bench.core.on_bus
