"""USB and HID links against the simulator's USB, found by the entry point as the configuration names it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.api import Deadline, Link, SystemClock
from drivers.errors import Absent, HeldByOther, LinkError, LinkLost, Stuck
from drivers.link import make
from drivers.link.usb.link import UsbLink
from drivers.link.usb.take import CHILD
from drivers.usb_control import Control
from tests.simulator.serving import ServedDevice, served

pytestmark = pytest.mark.system

CLOCK = SystemClock()
EOT_1 = b"\x10\x04\x01"
DEVICE_ID = Control(request_type=0xA1, request=0, interface_high=True, length=1023)
PORT_STATUS = Control(request_type=0xA1, request=1, length=1)


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


class Counter:
    """Links to what is served at one bus."""

    def __init__(self, bus: Path) -> None:
        self._bus = bus
        self._links: list[Link] = []

    def link(self, ids: str = "usb:04b8:0202", usb_class: int | None = 7) -> UsbLink:
        link = make(f"{ids}?backend=unix:{self._bus}", usb_class)
        self._links.append(link)
        return link  # type: ignore[return-value]  # of a usb: address

    def close(self) -> None:
        while self._links:
            self._links.pop().close()


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Counter]:
    counter = Counter(tmp_path / "bus")
    yield counter
    counter.close()
    CHILD.stop()


@pytest.fixture
def printer(tmp_path: Path) -> Iterator[ServedDevice]:
    with served(tmp_path, f"usb:unix:{tmp_path / 'bus'}") as device:
        yield device


def ask(link: Link) -> bytes:
    assert link.write(EOT_1, after(2)) == 3
    return link.read(after(2))


def opens(link: Link, within_s: float = 1.0) -> type[LinkError] | None:
    try:
        link.open(after(within_s))
    except LinkError as error:
        return type(error)
    return None


def until(reached: Callable[[], bool], within_s: float = 3.0) -> None:
    ends_s = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < ends_s
        time.sleep(0.02)


def test_a_printer_is_asked_and_gone_and_back(printer: ServedDevice, at: Counter) -> None:
    link = at.link()
    link.open(after(1))
    assert ask(link) == b"\x12"
    assert link.control(PORT_STATUS, after(1)) == b"\x18"
    said = link.control(DEVICE_ID, after(1))
    assert said is not None
    assert b"MDL:TM-T88III;" in said
    assert opens(at.link()) is HeldByOther
    printer.tell("fault=unplug")
    with pytest.raises(LinkLost):
        ask(link)
    link.close()
    assert opens(link) is Absent
    printer.tell("fault=none")
    until(lambda: opens(link) is None)
    assert ask(link) == b"\x12"
    printer.tell("fault=mute")
    assert link.write(EOT_1, after(0.1)) == 3
    assert link.read(after(0.1)) == b""


def test_it_is_configured_in_the_child(printer: ServedDevice, at: Counter) -> None:
    printer.tell("configured=no")
    link = at.link()
    link.open(after(5))
    assert ask(link) == b"\x12"
    assert CHILD.pid
    link.reset(after(5))
    assert not link.is_open()
    until(lambda: opens(link) is None)
    assert ask(link) == b"\x12"


def test_a_child_that_ended_is_reaped_by_a_link_that_stays_open(printer: ServedDevice, at: Counter) -> None:
    printer.tell("configured=no")
    link = at.link()
    link.open(after(5))
    os.kill(CHILD.pid, signal.SIGKILL)

    def reaped() -> bool:
        assert ask(link) == b"\x12"
        return CHILD.pid == 0

    until(reaped)


def test_a_configuration_that_hangs_is_given_up_and_a_replug_heals(
    printer: ServedDevice, at: Counter
) -> None:
    printer.tell("configured=hangs")
    link = at.link()
    began_s = time.monotonic()
    assert opens(link) is Stuck
    assert CHILD.pid == 0
    assert opens(link) is Stuck
    assert CHILD.pid == 0, "it is not tried again and again"
    assert time.monotonic() - began_s < 3
    printer.tell("fault=unplug")
    assert opens(link) is Absent
    printer.tell("fault=none", "configured=yes")
    until(lambda: opens(link) is None)
    assert ask(link) == b"\x12"


def test_feature_reports_of_a_reader(tmp_path: Path, at: Counter) -> None:
    with served(tmp_path, f"usb:unix:{tmp_path / 'bus'}", model="magtek") as reader:
        link = at.link("hid:0801:0002")
        link.open(after(1))
        assert link.write(b"\x00\x01\x00", after(1)) == 3
        assert link.read(after(1)).rstrip(b"\0").endswith(b"21042812D01")
        link.close()
        reader.tell("fault=unplug")
        assert opens(link) is Absent
