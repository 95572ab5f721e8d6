"""The virtual USB device on a turned clock: requests, pipes, faults. No socket here."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.models import MODELS, make_model
from simulator.devices.usb import has_usb
from tests.simulator.usb_bench import UsbBench, outcome

EOT_1 = b"\x10\x04\x01"
USB_MODELS = [name for name in MODELS if has_usb(make_model(name))]
GET_ID, GET_STATUS, SOFT_RESET = (0xA1, 0), (0xA1, 1), (0x21, 2)
GET_REPORT, SET_REPORT = (0xA1, 0x01, 0x0300), (0x21, 0x09, 0x0300)


def test_descriptors_of_the_printer_byte_for_byte() -> None:
    """Put together by hand from USB 2.0 tables 9-8, 9-10, 9-12, 9-13 and the printer class 1.1."""
    bench = UsbBench()
    device = "12 01 00 02 00 00 00 40 b8 04 02 02 00 01 01 02 03 01"
    configuration = (
        "09 02 20 00 01 01 00 c0 01  09 04 00 00 02 07 01 02 00  07 05 01 02 40 00 00  07 05 82 02 40 00 00"
    )
    assert outcome(bench.ask(0x80, 6, 0x0100, 0, 64)) == (0, bytes.fromhex(device))
    assert outcome(bench.ask(0x80, 6, 0x0200, 0, 255)) == (0, bytes.fromhex(configuration))
    assert outcome(bench.ask(0x80, 6, 0x0200, 0, 9)) == (0, bytes.fromhex(configuration)[:9])
    assert outcome(bench.ask(0x80, 6, 0x0300, 0, 255)) == (0, bytes.fromhex("04 03 09 04"))
    assert outcome(bench.ask(0x80, 6, 0x0301, 0x409, 255)) == (0, b"\x0c\x03E\0P\0S\0O\0N\0")
    for missing in (0x0304, 0x0600, 0x0F00, 0x0201):  # no string 4, no qualifier, no BOS, no configuration 1
        assert bench.ask(0x80, 6, missing, 0, 255).status == errno.EPIPE


def test_a_bus_powered_device_says_so() -> None:
    bench = UsbBench("supply=bus")
    assert bench.ask(0x80, 6, 0x0200, 0, 9).moved[7:] == b"\x80\xfa"
    assert outcome(bench.ask(0x80, 0, 0, 0, 2)) == (0, b"\0\0")
    bench.tell("supply=mains")
    assert outcome(bench.ask(0x80, 0, 0, 0, 2)) == (0, b"\1\0")


@pytest.mark.parametrize("model", USB_MODELS)
def test_descriptors_of_every_model_hang_together(model: str) -> None:
    bench = UsbBench(model=model)
    interface = bench.core.shape.interface
    whole = bytes(bench.ask(0x80, 6, 0x0200, 0, 4096).moved)
    assert len(whole) == int.from_bytes(whole[2:4], "little")
    pieces, at = [], 0
    while at < len(whole):
        assert whole[at] >= 2
        pieces.append(whole[at : at + whole[at]])
        at += whole[at]
    assert at == len(whole)
    assert [piece[2] for piece in pieces if piece[1] == 5] == [end.address for end in interface.endpoints]
    report = bench.ask(0x81, 6, 0x2200, 0, 4096)
    assert outcome(report) == ((0, interface.report) if interface.report else (errno.EPIPE, b""))
    hid = [piece for piece in pieces if piece[1] == 0x21 and interface.report]
    assert [int.from_bytes(piece[7:9], "little") for piece in hid] == [len(interface.report)] * len(hid)
    assert bool(hid) == bool(interface.report)


@pytest.mark.parametrize("model", USB_MODELS)
def test_every_model_has_the_knobs_of_usb(model: str) -> None:
    knobs = make_model(model).knobs
    assert {"supply", "configured"} <= set(knobs.standing())


def test_a_serial_number_there_is_or_is_not() -> None:
    bench = UsbBench(model="magtek")
    assert bench.ask(0x80, 6, 0x0100, 0, 18).moved[16] == 3
    bench.tell("serial=none")
    assert bench.ask(0x80, 6, 0x0100, 0, 18).moved[16] == 0
    assert bench.ask(0x80, 6, 0x0303, 0x409, 255).status == errno.EPIPE


def test_a_question_by_bulk_is_answered_by_bulk() -> None:
    bench = UsbBench()
    waiting = bench.read()
    assert outcome(waiting) == (None, b"")
    assert bench.write(EOT_1).sent == 3
    assert outcome(waiting) == (0, b"\x12")
    bench.write(EOT_1)
    assert outcome(bench.read()) == (0, b"\x12")  # what nobody read has waited


def test_each_frame_is_a_transfer() -> None:
    bench = UsbBench()
    bench.write(b"\x10\x04\x01\x10\x04\x04")
    assert [outcome(bench.read(length=64)) for _ in range(3)] == [(0, b"\x12"), (0, b"\x12"), (None, b"")]


def test_a_frame_of_whole_packets_ends_with_an_empty_one() -> None:
    bench = UsbBench()
    bench.core.put(bytes(64))
    assert outcome(bench.read(length=1024)) == (0, bytes(64))
    bench.core.put(bytes(64))
    assert outcome(bench.read(length=64)) == (0, bytes(64))
    assert outcome(bench.read(length=64)) == (0, b"")
    bench.core.put(bytes(100))
    assert [len(bench.read(length=64).moved) for _ in range(2)] == [64, 36]


def test_a_buffer_too_small_for_a_packet_overflows() -> None:
    bench = UsbBench()
    bench.core.put(b"abc")
    assert bench.read(length=2).status == errno.EOVERFLOW


def test_what_no_host_reads_is_bounded() -> None:
    bench = UsbBench()
    for _ in range(5000):
        bench.write(EOT_1)
    read = 0
    while bench.read().status == 0:
        read += 1
    assert read == 1024


def test_a_busy_printer_holds_the_host_off_until_it_has_room() -> None:
    bench = UsbBench("paper=end")
    writing = bench.write(b"x" * 6000)
    assert (writing.status, writing.sent) == (None, 4096)
    bench.tell("paper=ok")
    assert (writing.status, writing.sent) == (0, 6000)


def test_a_slow_printer_takes_its_bytes_at_its_rate() -> None:
    bench = UsbBench("rate=640")
    writing = bench.write(b"x" * 640)
    bench.turn(0.45)
    assert (writing.status, writing.sent) == (None, 320)
    bench.turn(0.6)
    assert (writing.status, writing.sent) == (0, 640)


def test_a_transfer_given_up_counts_what_it_moved() -> None:
    bench = UsbBench("paper=end")
    writing = bench.write(b"x" * 6000)
    bench.core.cancel(writing, errno.ETIMEDOUT)
    assert (writing.status, writing.sent) == (errno.ETIMEDOUT, 4096)
    reading = bench.read()
    bench.core.cancel(reading, errno.ETIMEDOUT)
    bench.tell("paper=ok")
    bench.write(EOT_1)
    assert outcome(reading) == (errno.ETIMEDOUT, b"")
    assert outcome(bench.read()) == (0, b"\x12")


# The printer class


@pytest.mark.parametrize(
    ("setting", "status"),
    [
        ("paper=ok", 0x18),
        ("paper=near_end", 0x18),
        ("paper=end", 0x28),
        ("cover=open", 0x08),
        ("error=unrecoverable", 0x00),
        ("cutter=jam", 0x00),
        ("head=hot", 0x00),
    ],
)
def test_port_status(setting: str, status: int) -> None:
    assert outcome(UsbBench(setting).ask(*GET_STATUS, 0, 0, 1)) == (0, bytes([status]))


def test_device_id_has_its_own_length_in_front() -> None:
    text = b"MFG:EPSON;CMD:ESC/POS;MDL:TM-T88III;CLS:PRINTER;"
    assert outcome(UsbBench().ask(*GET_ID, 0, 0, 1023)) == (0, b"\0\x32" + text)
    assert outcome(UsbBench().ask(*GET_ID, 0, 0, 2)) == (0, b"\0\x32")
    assert b"MDL:TM-T20III;" in UsbBench("model=TM-T20III").ask(*GET_ID, 0, 0, 1023).moved


@pytest.mark.parametrize("kind", [0x21, 0x23])
def test_soft_reset_empties_its_buffers(kind: int) -> None:
    bench = UsbBench("cover=open")
    bench.write(b"a receipt")
    assert bench.served.state()["waiting_bytes"] == 9
    assert bench.ask(kind, 2).status == 0
    bench.tell("cover=closed")
    assert (bench.served.state()["waiting_bytes"], bench.served.state()["printed_text"]) == (0, "")


def test_other_requests_are_refused() -> None:
    bench = UsbBench()
    for kind, request in ((0xA1, 7), (0x21, 9), (0xC0, 1), (0x40, 1), (0x80, 0x33)):
        assert bench.ask(kind, request, 0, 0, 8).status == errno.EPIPE
    assert bench.ask(*GET_ID, 0, 1, 8).status == errno.EPIPE  # it has no interface 1


# HID


def test_a_feature_report_there_and_back() -> None:
    bench = UsbBench(model="magtek")
    asked = bytes.fromhex("00 01 21").ljust(24, b"\0")
    assert outcome(bench.ask(*GET_REPORT, 0, 24)) == (0, bytes(24))
    assert bench.ask(*SET_REPORT, 0, asked).status == 0
    assert outcome(bench.ask(*GET_REPORT, 0, 24)) == (0, bytes.fromhex("00 04").ljust(24, b"\0"))
    assert outcome(bench.ask(*GET_REPORT, 0, 24)) == (0, bytes(24))


def test_a_report_with_an_id_and_a_frame_longer_than_one() -> None:
    bench = UsbBench(model="vivotech")
    ping = b"ViVOtech2\0" + bytes.fromhex("18 01 00 00 b3 cd")
    value = 0x0301
    assert bench.ask(0x21, 9, value, 0, b"\x01" + ping.ljust(63, b"\0")).status == 0
    status, report = outcome(bench.ask(0xA1, 1, value, 0, 64))
    assert (status, len(report), report[:11]) == (0, 64, b"\x01ViVOtech2\0")
    bench.core.put(bytes(range(1, 101)))
    assert outcome(bench.ask(0xA1, 1, value, 0, 64)) == (0, b"\x01" + bytes(range(1, 64)))
    assert outcome(bench.ask(0xA1, 1, value, 0, 64)) == (0, b"\x01" + bytes(range(64, 101)).ljust(63, b"\0"))


@pytest.mark.parametrize(
    ("value", "index", "data"),
    [
        (0x0300, 0, b"\x01" + bytes(63)),  # without its id
        (0x0201, 0, b"\x01" + bytes(63)),  # an output report
        (0x0301, 1, b"\x01" + bytes(63)),  # another interface
        (0x0301, 0, b"\x02" + bytes(63)),  # another id in the data
        (0x0301, 0, b"\x01" + bytes(64)),  # too long
        (0x0301, 0, b""),
    ],
)
def test_reports_it_does_not_have_are_refused(value: int, index: int, data: bytes) -> None:
    assert UsbBench(model="vivotech").ask(0x21, 9, value, index, data).status == errno.EPIPE


def test_an_input_report_stays_with_the_reader_until_somebody_polls() -> None:
    bench = UsbBench(model="magtek")
    bench.tell("swipe=12345")
    assert bench.served.state()["input_report_waits"] is True
    status, report = outcome(bench.read(0x81, 1024))
    assert status == 0
    assert b"12345" in report
    assert bench.served.state()["input_reports_read"] == 1


def test_a_mute_hid_takes_reports_and_hands_out_none() -> None:
    bench = UsbBench("fault=mute", model="magtek")
    assert bench.ask(*SET_REPORT, 0, bytes.fromhex("00 01 00").ljust(24, b"\0")).status == 0
    waiting = bench.ask(*GET_REPORT, 0, 24)
    bench.turn(60)
    assert outcome(waiting) == (None, b"")


# Configuration and halts


def test_a_device_nobody_has_configured() -> None:
    bench = UsbBench("configured=no")
    bench.tell("fault=unplug")
    bench.tell("fault=none")
    assert outcome(bench.ask(0x80, 8, 0, 0, 1)) == (0, b"\0")
    assert bench.ask(*GET_STATUS, 0, 0, 1).status == errno.EPIPE
    assert bench.write(EOT_1).status == errno.EPIPE
    assert bench.ask(0x00, 9, 1).status == 0
    assert outcome(bench.ask(0x80, 8, 0, 0, 1)) == (0, b"\1")
    assert bench.write(EOT_1).status == 0
    assert bench.ask(0x00, 9, 2).status == errno.EPIPE


def test_a_configuration_that_hangs_is_healed_by_a_replug() -> None:
    bench = UsbBench("configured=hangs")
    hung = bench.ask(0x00, 9, 1)
    bench.turn(3600)
    assert outcome(hung)[0] is None
    assert outcome(bench.ask(0x80, 6, 0x0100, 0, 18))[0] is None  # the default pipe is one
    bench.tell("fault=unplug")
    assert hung.status == errno.ENODEV
    bench.tell("fault=none")
    assert bench.ask(0x00, 9, 1).status == 0
    assert bench.write(EOT_1).status == 0


def test_a_configuration_that_hangs_is_healed_by_its_knob() -> None:
    bench = UsbBench()
    reading = bench.read()
    bench.tell("configured=hangs")
    assert reading.status == errno.ENODEV
    hung = bench.ask(0x00, 9, 1)
    bench.tell("configured=yes")
    assert hung.status == 0
    assert bench.write(EOT_1).status == 0


def test_a_halted_pipe_stalls_until_the_halt_is_cleared() -> None:
    bench = UsbBench()
    waiting = bench.read()
    assert bench.ask(0x02, 3, 0, 0x82).status == 0
    assert waiting.status == errno.EPIPE
    assert bench.read().status == errno.EPIPE
    assert outcome(bench.ask(0x82, 0, 0, 0x82, 2)) == (0, b"\1\0")
    assert bench.ask(0x02, 1, 0, 0x82).status == 0
    bench.write(EOT_1)
    assert outcome(bench.read()) == (0, b"\x12")
    assert bench.ask(0x02, 3, 0, 0x83).status == errno.EPIPE


# Faults


@pytest.mark.parametrize(("away", "back"), [("fault=unplug", "fault=none"), ("power=off", "power=on")])
def test_off_the_bus_everything_ends(away: str, back: str) -> None:
    bench = UsbBench()
    reading, writing = bench.read(), bench.write(b"")
    assert writing.status == 0
    bench.tell(away)
    assert reading.status == errno.ENODEV
    assert [bench.read().status, bench.write(EOT_1).status, bench.ask(0x80, 8).status] == [errno.ENODEV] * 3
    bench.tell(back)
    bench.write(EOT_1)
    assert outcome(bench.read()) == (0, b"\x12")


def test_flap() -> None:
    bench = UsbBench("fault=flap:1")
    seen = []
    for _ in range(4):
        seen.append(bench.core.on_bus)
        bench.turn(1.0)
    assert seen == [False, True, False, True]


def test_mute_leaves_it_on_the_bus_with_a_name() -> None:
    bench = UsbBench("fault=mute+5")
    status, reading = bench.ask(*GET_STATUS, 0, 0, 1), bench.read()
    bench.write(EOT_1)
    assert bench.ask(*SOFT_RESET).status is None
    bench.core.cancel(status, errno.ETIMEDOUT)
    bench.turn(4)
    assert reading.status is None
    bench.turn(2)
    assert outcome(bench.ask(*GET_STATUS, 0, 0, 1)) == (0, b"\x18")
    assert outcome(reading) == (None, b"")  # what it said then is lost
    bench.tell("fault=mute")
    assert bench.ask(0x80, 6, 0x0303, 0x409, 255).status == 0


def test_slow_answers_come_late_by_every_pipe() -> None:
    bench = UsbBench("fault=slow:2")
    status, reading = bench.ask(*GET_STATUS, 0, 0, 1), bench.read()
    bench.write(EOT_1)
    bench.turn(1.9)
    assert (status.status, reading.status) == (None, None)
    bench.turn(0.2)
    assert (outcome(status), outcome(reading)) == ((0, b"\x18"), (0, b"\x12"))


def test_drip_is_a_transfer_a_byte() -> None:
    bench = UsbBench("fault=drip:0.5")
    bench.write(b"\x1d\x49\x42")  # GS I 66: who made it
    bench.turn(10)
    assert [bytes(bench.read().moved) for _ in range(4)] == [b"_", b"E", b"P", b"S"]


def test_dying_in_the_middle_of_an_answer() -> None:
    bench = UsbBench("fault=die_mid_frame")
    answer = bench.ask(*GET_ID, 0, 0, 1023)
    assert answer.status == 0
    assert len(answer.moved) == 25
    assert bench.ask(*GET_STATUS, 0, 0, 1).status is None


def test_corruption_does_not_touch_what_usb_itself_carries() -> None:
    bench = UsbBench("fault=corrupt:1")
    assert bench.ask(0x80, 6, 0x0100, 0, 18).moved[:2] == b"\x12\x01"
    assert outcome(bench.ask(*GET_STATUS, 0, 0, 1))[1] != b"\x18"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 255),
            st.integers(0, 255),
            st.integers(0, 0xFFFF),
            st.integers(0, 0xFFFF),
            st.one_of(st.integers(0, 300), st.binary(max_size=80)),
        ),
        max_size=8,
    ),
    st.sampled_from(USB_MODELS),
)
def test_no_request_breaks_it(requests: list[tuple[int, int, int, int, int | bytes]], model: str) -> None:
    bench = UsbBench(model=model)
    for request in requests:
        transfer = bench.ask(*request)
        assert transfer.status in (0, errno.EPIPE)
        assert len(transfer.moved) <= transfer.length
    assert bench.ask(0x80, 6, 0x0100, 0, 18).status == 0
