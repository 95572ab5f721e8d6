"""The tty door, with pyserial at the other end."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from simulator.devices.printer.printing import BUFFER_BYTES
from simulator.doors.door import DoorError
from tests.simulator.serving import ServedDevice, served

pytestmark = pytest.mark.system

EOT = b"\x10\x04\x01"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[ServedDevice]:
    with served(tmp_path, f"tty:{tmp_path}/tty") as device:
        yield device


@contextlib.contextmanager
def opened(folder: Path, baud: int = 115200) -> Iterator[serial.Serial]:
    port = serial.Serial(str(folder / "tty"), baud, timeout=1, write_timeout=1)
    try:
        yield port
    finally:
        port.close()


def ask(port: serial.Serial, question: bytes = EOT) -> bytes:
    port.write(question)
    return bytes(port.read(1))


def test_a_client_asks_and_hears_what_it_did_not_ask(device: ServedDevice, tmp_path: Path) -> None:
    with opened(tmp_path) as port:
        assert ask(port) == b"\x12"
        port.write(b"\x1da\x0f")
        assert port.read(4) == bytes.fromhex("10 00 00 00")
        before_ns = time.monotonic_ns()
        state = device.tell("paper=end")
        assert port.read(4) == bytes.fromhex("18 00 0f 00")
        assert before_ns < int(str(state["changed_at_monotonic_ns"])) < time.monotonic_ns()


def test_a_port_can_be_closed_and_opened_again(device: ServedDevice, tmp_path: Path) -> None:
    for _ in range(3):
        with opened(tmp_path) as port:
            assert ask(port) == b"\x12"


def test_what_is_sent_just_before_closing_arrives(device: ServedDevice, tmp_path: Path) -> None:
    with opened(tmp_path) as port:
        port.write(b"bye\n")
    deadline_s = time.monotonic() + 2
    while device.text() != "bye\n" and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert device.text() == "bye\n"


def test_what_nobody_read_is_gone_when_the_port_is_opened_again(device: ServedDevice, tmp_path: Path) -> None:
    with opened(tmp_path) as port:
        port.write(b"\x1da\x0f")
        assert port.read(4)
    time.sleep(0.2)
    device.tell("paper=end")
    with opened(tmp_path) as port:
        assert ask(port) == b"\x1a"


def test_unplug_takes_the_link_away_and_a_new_port_comes_back(device: ServedDevice, tmp_path: Path) -> None:
    with opened(tmp_path) as port:
        assert ask(port) == b"\x12"
        device.tell("fault=unplug")
        assert not (tmp_path / "tty").is_symlink()
        with pytest.raises(serial.SerialException):
            port.read(1)
    device.tell("fault=none")
    with opened(tmp_path) as port:
        assert ask(port) == b"\x12"


def test_power_off_is_silence_on_a_port_that_stays(device: ServedDevice, tmp_path: Path) -> None:
    with opened(tmp_path) as port:
        device.tell("power=off")
        port.timeout = 0.2
        assert ask(port) == b""
        device.tell("power=on")
        port.timeout = 1
        assert ask(port) == b"\x12"


def test_a_wrong_speed_garbles_and_the_right_one_heals(device: ServedDevice, tmp_path: Path) -> None:
    with opened(tmp_path, 9600) as port:
        port.timeout = 0.2
        assert ask(port) == b""
        port.baudrate = 115200
        port.timeout = 1
        port.write(b"\x1b@")
        assert ask(port) == b"\x12"


def test_bytes_take_their_time(tmp_path: Path) -> None:
    with served(tmp_path, f"tty:{tmp_path}/tty?baud=9600") as device, opened(tmp_path, 9600) as port:
        start_s = time.monotonic()
        port.write(b"x" * 480 + EOT)
        assert port.read(1) == b"\x12"
        assert time.monotonic() - start_s >= 483 * 10 / 9600
        assert device.text() == "x" * 480


def test_a_busy_printer_stops_taking(device: ServedDevice, tmp_path: Path) -> None:
    device.tell("paper=end")
    with opened(tmp_path) as port, contextlib.suppress(serial.SerialTimeoutException):
        port.write_timeout = 2
        port.write(b"x" * 64 * BUFFER_BYTES)
    state = device.tell()
    assert BUFFER_BYTES <= int(str(state["waiting_bytes"])) < 2 * BUFFER_BYTES
    device.tell("paper=ok")


def test_waiting_costs_no_time(device: ServedDevice, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF)
    with opened(tmp_path) as port:
        ask(port)
        time.sleep(0.5)
    time.sleep(0.5)
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent_s < 0.2


def test_a_place_that_cannot_hold_a_port_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tty").write_text("a file", encoding="ascii")
    with pytest.raises(DoorError, match="no link"), served(tmp_path, f"tty:{tmp_path}/tty"):
        pass
    with pytest.raises(DoorError, match="choose a folder"), served(tmp_path, f"tty:{tmp_path}/none/tty"):
        pass


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with served(tmp_path, f"tty:{tmp_path}/tty"):
        assert (tmp_path / "tty").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"transcript", "log"}
