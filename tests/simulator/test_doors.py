"""The pure parts of doors: a line's speed, a wrong speed, addresses, the in-memory door."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.models import DOORS, MODELS
from simulator.devices.printer.escpos import EscposPrinter
from simulator.devices.usb import has_usb
from simulator.doors import address, uart
from simulator.doors.door import DoorError
from simulator.doors.line import Line
from simulator.doors.memory import WAITING_BYTES
from simulator.loop import Loop
from tests.simulator.bench import Bench


def test_a_line_hands_over_each_byte_when_it_is_through() -> None:
    line = Line(0.5)
    line.put(b"abc", 10.0)
    assert [line.take(at) for at in (10.4, 10.5, 11.9)] == [b"", b"a", b"bc"]
    line.put(b"d", 20.0)
    line.put(b"e", 20.1)
    assert line.next_s() == 20.5
    assert line.take(20.9) == b"d"
    assert line.take(21.0) == b"e"
    assert line.next_s() is None


def test_a_line_hands_over_in_lumps() -> None:
    line = Line(1.0, lump=4)
    line.put(b"abcdef", 0.0)
    assert line.waiting_bytes == 6
    assert [line.take(at) for at in (3.9, 4.0, 5.9, 6.0)] == [b"", b"abcd", b"", b"ef"]
    line.put(b"x", 6.0)
    line.clear()
    assert (line.take(99.0), line.waiting_bytes) == (b"", 0)


@given(st.binary(max_size=40), st.sampled_from([9600, 19200, 115200]))
def test_equal_speeds_hear_everything(data: bytes, baud: int) -> None:
    assert uart.heard(data, baud, baud) == data
    assert uart.heard(data, baud, round(baud * 1.02)) == data


@given(st.binary(min_size=1, max_size=40))
def test_other_speeds_hear_something_else_and_never_without_end(data: bytes) -> None:
    for sent, heard in ((9600, 115200), (115200, 9600), (38400, 19200)):
        got = uart.heard(data, sent, heard)
        assert got != data or set(data) <= {0xFF, 0x00}
        assert len(got) <= len(data) * (heard / sent + 1) + 1


def test_a_wrong_speed_garbles_both_ways_until_it_is_right() -> None:
    bench = Bench()
    bench.ask("1d 61 0f")
    bench.door.host_baud = 9600
    bench.set("paper=end")
    garbled = bench.hear()
    assert garbled
    assert garbled != bytes.fromhex("18 00 0f 00")
    assert bench.ask("10 04 01") == b""
    bench.door.host_baud = 115200
    assert bench.ask("1b 40 10 04 01") == b"\x1a"


def test_answers_arrive_at_the_speed_of_the_line() -> None:
    bench = Bench()
    bench.door.send(b"\x1da\x0f")
    arrived = []
    start_s = bench.clock.monotonic_s()
    while (next_s := bench.door.next_s()) is not None:
        bench.clock.turn_to(next_s)
        arrived += [bench.clock.monotonic_s() - start_s] * len(bench.door.receive())
    byte_s = 10 / 115200
    assert arrived == pytest.approx([(3 + n) * byte_s for n in (1, 2, 3, 4)])


def test_a_busy_device_leaves_the_rest_with_the_host() -> None:
    bench = Bench("paper=end")
    assert bench.door.send(b"x" * WAITING_BYTES) == WAITING_BYTES
    bench.hear(60)
    taken = bench.door.send(b"x" * WAITING_BYTES)
    assert 0 <= taken < WAITING_BYTES
    assert bench.door.next_s() is None


def test_a_quiet_day_costs_nothing() -> None:
    bench = Bench()
    assert bench.door.next_s() is None
    bench.clock.advance(24 * 3600)
    assert bench.door.receive() == b""


@pytest.mark.parametrize(
    "text",
    [
        *(
            "tty",
            "tty:",
            "usb:x",
            "usb:unix:",
            "usb:vhci:/x",
            "tcp:localhost",
            "tcp:127.0.0.1:nine",
            "tcp:127.0.0.1:70000",
        ),
        *("tty:/x?baud=1234", "tty:/x?baud=fast", "tty:/x?parity=E", "tty:/x?bits=7", "tty:/x?flow=rtscts"),
    ],
)
def test_a_bad_address_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    loop = Loop()
    try:
        with pytest.raises(DoorError, match=r"^[^\n]+$"):
            address.make(text, loop, EscposPrinter())
    finally:
        loop.close()


def test_every_model_has_its_doors() -> None:
    assert DOORS.keys() == MODELS.keys()
    assert all(("usb" in DOORS[name]) is has_usb(make()) for name, make in MODELS.items())
