"""The USB door over its socket, by pyusb itself with the simulator's backend; other hosts are processes."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import usb.core
import usb.util

from simulator.doors.usb import unix_wire as wire
from simulator.doors.usb.backend import make
from tests.simulator.serving import ServedDevice, served

pytestmark = pytest.mark.system

EOT_1 = b"\x10\x04\x01"
SOON_S = 5.0
OTHER_HOST = """
import sys, usb.core, usb.util
from simulator.doors.usb.backend import make
device = usb.core.find(backend=make(sys.argv[1]))
usb.util.claim_interface(device, 0)
print("claimed", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def bus(tmp_path: Path) -> Path:
    return tmp_path / "bus"


@pytest.fixture
def printer(tmp_path: Path, bus: Path) -> Iterator[ServedDevice]:
    with served(tmp_path, f"usb:unix:{bus}") as device:
        yield device


def find(bus: Path) -> Any:
    return usb.core.find(backend=make(str(bus)))


@contextmanager
def opened(bus: Path) -> Iterator[Any]:
    device = find(bus)
    assert device is not None
    try:
        yield device
    finally:
        usb.util.dispose_resources(device)


def ask(device: Any) -> bytes:
    assert device.write(0x01, EOT_1, 1000) == 3
    return bytes(device.read(0x82, 64, 1000))


def log(bus: Path) -> list[tuple[str, str]]:
    lines = (bus.parent / "log").read_text("utf-8").splitlines()
    return [(line["what"], line["value"]) for line in map(json.loads, lines)]


def handle_of(device: Any) -> Any:
    """For calls that pyusb would claim the interface for."""
    return device._ctx.handle


def buffer(size: int) -> array[int]:
    return array("B", bytes(size))


def until(fulfilled: Any) -> None:
    end_s = time.monotonic() + SOON_S
    while not fulfilled():
        assert time.monotonic() < end_s
        time.sleep(0.005)


@contextmanager
def failing(code: int) -> Iterator[None]:
    """The body raises a `USBError` with this errno, of the class that pyusb has for it."""
    with pytest.raises(usb.core.USBError) as raised:
        yield
    assert raised.value.errno == code
    assert isinstance(raised.value, usb.core.USBTimeoutError) == (code == errno.ETIMEDOUT)


@pytest.mark.usefixtures("printer")
def test_a_printer_as_pyusb_sees_it(bus: Path) -> None:
    with opened(bus) as device:
        assert (device.idVendor, device.idProduct, device.bus, device.port_numbers) == (
            0x04B8,
            0x0202,
            1,
            (1,),
        )
        assert (device.manufacturer, device.product) == ("EPSON", "TM-T88III")
        assert device.serial_number == "SIM0000001"
        interface = device.get_active_configuration()[(0, 0)]
        assert (interface.bInterfaceClass, interface.bInterfaceSubClass, interface.bInterfaceProtocol) == (
            7,
            1,
            2,
        )
        assert [(end.bEndpointAddress, end.bmAttributes) for end in interface] == [(0x01, 2), (0x82, 2)]
        assert "Printer" in str(device)
        assert not device.is_kernel_driver_active(0)
        assert ask(device) == b"\x12"
        assert bytes(device.ctrl_transfer(0xA1, 1, 0, 0, 1)) == b"\x18"
        assert b"MDL:TM-T88III;" in bytes(device.ctrl_transfer(0xA1, 0, 0, 0, 1023))


@pytest.mark.usefixtures("printer")
def test_looking_opens_nothing(bus: Path) -> None:
    for _ in range(20):
        device = find(bus)
        assert device.idVendor == 0x04B8
        assert [end.bEndpointAddress for end in device[0][(0, 0)]] == [0x01, 0x82]
    assert {what for what, _ in log(bus)} == {"dsr", "usb"}


@pytest.mark.parametrize(("away", "back"), [("fault=unplug", "fault=none"), ("power=off", "power=on")])
def test_it_leaves_the_bus_and_comes_back(printer: ServedDevice, bus: Path, away: str, back: str) -> None:
    with opened(bus) as device:
        assert ask(device) == b"\x12"
        printer.tell(away)
        assert find(bus) is None
        calls: list[Callable[[], object]] = [
            lambda: device.read(0x82, 64, 100),
            lambda: device.write(0x01, EOT_1, 100),
            lambda: device.ctrl_transfer(0xA1, 1, 0, 0, 1, 100),
            device.reset,
            lambda: device.clear_halt(0x82),
        ]
        for call in calls:
            with failing(errno.ENODEV):
                call()
        printer.tell(back)
        with failing(errno.ENODEV):
            device.read(0x82, 64, 100)
        with opened(bus) as again:
            assert (again.idVendor, again.serial_number) == (0x04B8, "SIM0000001")
            assert again.address != device.address
            assert ask(again) == b"\x12"


def test_an_unplug_ends_a_read_that_waits(printer: ServedDevice, bus: Path) -> None:
    with opened(bus) as device:
        ask(device)
        puller = threading.Timer(0.1, printer.tell, ("fault=unplug",))
        puller.start()
        begun_s = time.monotonic()
        with failing(errno.ENODEV):
            device.read(0x82, 64, 5000)
        assert time.monotonic() - begun_s < 2
        puller.join()


def test_timeouts_are_true(printer: ServedDevice, bus: Path) -> None:
    with opened(bus) as device:
        assert ask(device) == b"\x12"
        printer.tell("fault=mute")
        calls: list[Callable[[], object]] = [
            lambda: device.read(0x82, 64, 150),
            lambda: device.ctrl_transfer(0xA1, 1, 0, 0, 1, 150),
        ]
        for call in calls:
            begun_s = time.monotonic()
            with failing(errno.ETIMEDOUT):
                call()
            assert 0.14 < time.monotonic() - begun_s < 1
        assert device.serial_number == "SIM0000001"
        printer.tell("fault=none")
        assert ask(device) == b"\x12"


def test_a_full_printer_takes_part_and_then_nothing(printer: ServedDevice, bus: Path) -> None:
    printer.tell("paper=end")
    with opened(bus) as device:
        assert device.write(0x01, b"x" * 5000, 100) == 4096
        with failing(errno.ETIMEDOUT):
            device.write(0x01, b"x", 100)
        printer.tell("paper=ok")
        assert device.write(0x01, b"y" * 200_000, 2000) == 200_000
    assert printer.tell()["printed_bytes"] == 4096 + 200_000


@pytest.mark.usefixtures("printer")
def test_errors_have_the_numbers_of_libusb(bus: Path) -> None:
    with opened(bus) as device:
        device.write(0x01, EOT_1)
        with failing(errno.EPIPE):
            device.ctrl_transfer(0xA1, 9, 0, 0, 1)
        device.write(0x01, b"\x1d\x49\x42")
        assert bytes(device.read(0x82, 64)) == b"\x12"
        with failing(errno.EOVERFLOW):
            device.read(0x82, 2)
        with failing(errno.ENOENT):
            usb.util.claim_interface(device, 1)
        with failing(errno.ENOENT):
            device.detach_kernel_driver(0)
        backend = device.backend
        handle = backend.open_device(next(iter(backend.enumerate_devices())))
        with failing(errno.ENOENT):
            backend.bulk_read(handle, 0x85, 0, buffer(8), 100)
        with failing(errno.ENOENT):
            backend.release_interface(handle, 0)
        handle.close()
        with failing(errno.ENODEV):
            backend.get_configuration(handle)


def test_halt_reset_and_setting(printer: ServedDevice, bus: Path) -> None:
    with opened(bus) as device:
        device.ctrl_transfer(0x02, 3, 0, 0x82)
        with failing(errno.EPIPE):
            device.read(0x82, 64, 100)
        device.clear_halt(0x82)
        device.set_interface_altsetting(0, 0)
        device.write(0x01, EOT_1)
        device.reset()
        with failing(errno.ETIMEDOUT):
            device.read(0x82, 64, 50)  # a reset loses what waited
        assert ask(device) == b"\x12"
    printer.tell()
    assert [what for what, _ in log(bus)].count("usb reset") == 1


@pytest.mark.usefixtures("printer")
def test_two_processes_and_one_interface(bus: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER_HOST, str(bus)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"claimed\n"
        with opened(bus) as device:
            calls: list[Callable[[], object]] = [
                lambda: usb.util.claim_interface(device, 0),
                lambda: device.backend.bulk_read(handle_of(device), 0x82, 0, buffer(64), 100),
                lambda: device.ctrl_transfer(0xA1, 1, 0, 0, 1, 100),
                lambda: device.set_configuration(1),
            ]
            for call in calls:
                with failing(errno.EBUSY):
                    call()
            # As the kernel has it: a printer's id can be had by anybody. (pyusb itself would claim first.)
            text = buffer(1023)
            assert device.backend.ctrl_transfer(handle_of(device), 0xA1, 0, 0, 0, text, 100) == 50
            other.send_signal(signal.SIGKILL)
            other.wait(SOON_S)
            until(lambda: ("usb close", f"pid {other.pid}") in log(bus))
            assert ask(device) == b"\x12"
    finally:
        other.kill()
        other.communicate()
    said = log(bus)
    assert ("usb claim", f"pid {other.pid}") in said
    assert ("usb claim", f"pid {os.getpid()} Device or resource busy") in said
    until(lambda: ("usb close", f"pid {os.getpid()}") in log(bus))


def test_an_interface_let_go_is_anybodys(printer: ServedDevice, bus: Path) -> None:
    with opened(bus) as first, opened(bus) as second:
        usb.util.claim_interface(first, 0)
        with failing(errno.EBUSY):
            usb.util.claim_interface(second, 0)
        usb.util.release_interface(first, 0)
        usb.util.claim_interface(second, 0)
        assert ask(second) == b"\x12"
        printer.tell("fault=unplug")
        printer.tell("fault=none")
        with opened(bus) as third:
            assert ask(third) == b"\x12"  # who is gone holds nothing


def test_a_device_without_a_configuration(printer: ServedDevice, bus: Path) -> None:
    printer.tell("configured=no")
    with opened(bus) as device:
        with pytest.raises(usb.core.USBError, match="Configuration not set"):
            device.get_active_configuration()
        with failing(errno.ENOENT):
            usb.util.claim_interface(device, 0)
        device.set_configuration()
        assert ask(device) == b"\x12"


def test_a_configuration_that_hangs_until_a_replug(printer: ServedDevice, bus: Path) -> None:
    printer.tell("configured=hangs")
    ended: list[int | None] = []

    def configure() -> None:
        with opened(bus) as device:
            try:
                device.set_configuration()
            except usb.core.USBError as error:
                ended.append(error.errno)

    hung = threading.Thread(target=configure)
    hung.start()
    until(lambda: any(what == "usb set configuration" for what, _ in log(bus)))
    hung.join(0.2)
    assert hung.is_alive()
    printer.tell("fault=unplug")
    hung.join(SOON_S)
    assert ended == [errno.ENODEV]
    printer.tell("fault=none")
    with opened(bus) as device:
        device.set_configuration()
        assert ask(device) == b"\x12"


@pytest.mark.parametrize("there", ["nothing", "a dead socket"])
def test_no_simulator_no_device(bus: Path, there: str) -> None:
    if there == "a dead socket":
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(bus))
    assert find(bus) is None
    assert find(bus.parent / "no" / "folder") is None


def test_a_path_longer_than_a_socket_address(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with served(folder, f"usb:unix:{folder}/bus"), opened(folder / "bus") as device:
        assert ask(device) == b"\x12"
    assert not (folder / "bus").exists()


def test_the_simulator_ends_while_somebody_waits(tmp_path: Path, bus: Path) -> None:
    with served(tmp_path, f"usb:unix:{bus}"):
        device = find(bus)
        assert ask(device) == b"\x12"
    with failing(errno.ENODEV):
        device.read(0x82, 64, 100)
    usb.util.dispose_resources(device)


def test_a_hid_reader_and_a_swipe(tmp_path: Path, bus: Path) -> None:
    with served(tmp_path, f"usb:unix:{bus}", model="magtek") as reader:
        with opened(bus) as device:
            device.ctrl_transfer(0x21, 0x09, 0x0300, 0, bytes.fromhex("00 01 00").ljust(24, b"\0"))
            report = bytes(device.ctrl_transfer(0xA1, 0x01, 0x0300, 0, 24))
            assert report == b"\x00\x0b21042812D01".ljust(24, b"\0")
        until(lambda: log(bus)[-1][0] == "usb close")
        reader.tell("swipe=12345")
        assert reader.tell()["input_report_waits"] is True
        assert not [value for what, value in log(bus) if what == "usb notice"]
        with opened(bus) as careless:
            assert b"12345" in bytes(careless.read(0x81, 1024, 1000))
        assert [value for what, value in log(bus) if what == "usb notice"] == [f"to pid {os.getpid()}"]


def test_notices_by_the_interrupt_pipe(tmp_path: Path, bus: Path) -> None:
    with served(tmp_path, f"usb:unix:{bus}", model="ccid") as reader, opened(bus) as device:
        reader.tell("card=present")
        assert bytes(device.read(0x83, 16, 1000))[0] == 0x50


def test_answers_leave_by_the_door_last_spoken_to(tmp_path: Path, bus: Path) -> None:
    with (
        served(tmp_path, f"usb:unix:{bus}", "tcp:127.0.0.1:0") as printer,
        opened(bus) as device,
    ):
        doors = printer.tell()["doors"]
        assert isinstance(doors, list)
        port = int(doors[1].rpartition(":")[2])
        assert ask(device) == b"\x12"
        with socket.create_connection(("127.0.0.1", port), SOON_S) as connection:
            connection.sendall(EOT_1)
            assert connection.recv(8) == b"\x12"
            assert ask(device) == b"\x12"


def test_whoever_does_not_speak_the_protocol_is_hung_up_on(printer: ServedDevice, bus: Path) -> None:
    noise = random.Random(4)
    with opened(bus) as device:
        for number in range(60):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(SOON_S)
                client.connect(str(bus))
                op = noise.choice([noise.randrange(256), wire.OPEN, wire.CONTROL, wire.LOOK])
                head = wire.REQUEST.pack(
                    op, *noise.randbytes(2), noise.randrange(4), 0, noise.getrandbits(20), 0
                )
                try:
                    client.sendall(head + noise.randbytes(noise.choice([0, 1, 500, 100_000])))
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(1 << 16):
                        pass
                except ConnectionError:
                    pass
            if number % 20 == 0:
                assert ask(device) == b"\x12"
        assert ask(device) == b"\x12"
    assert printer.tell()["printed_bytes"] == 0


def test_there_is_an_end_to_clients(printer: ServedDevice, bus: Path) -> None:
    clients = []
    try:
        for _ in range(40):
            client = socket.socket(socket.AF_UNIX)
            clients.append(client)
            client.connect(str(bus))
            client.settimeout(SOON_S)
        assert clients[-1].recv(1) == b""
        assert find(bus) is None
    finally:
        for client in clients:
            client.close()
    printer.tell()
    until(lambda: find(bus) is not None)


@pytest.mark.parametrize("times", [100, pytest.param(1000, marks=pytest.mark.soak)])
def test_it_comes_and_goes_again_and_again(printer: ServedDevice, bus: Path, times: int) -> None:
    for _ in range(times):
        with opened(bus) as device:
            assert ask(device) == b"\x12"
            printer.tell("fault=unplug")
            with failing(errno.ENODEV):
                device.read(0x82, 64, 100)
        printer.tell("fault=none")


def test_end_to_end_by_command_line(tmp_path: Path, bus: Path) -> None:
    serve = [sys.executable, "-m", "simulator.cli", "serve", "escpos", "--at", f"usb:unix:{bus}"]
    with subprocess.Popen([*serve, "--set", "paper=near_end"], stdout=subprocess.PIPE) as simulator:
        try:
            assert simulator.stdout is not None
            assert json.loads(simulator.stdout.readline())["doors"] == [f"usb:unix:{bus}"]
            with opened(bus) as device:
                device.write(0x01, b"\x10\x04\x04")
                assert bytes(device.read(0x82, 64)) == b"\x1e"
        finally:
            simulator.terminate()
    assert [path.name for path in tmp_path.iterdir()] == []
