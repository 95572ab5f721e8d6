"""sysfs: what is plugged in, who it is, who holds it; and that nothing of it is ever opened."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.api import Deadline, Json, Setup
from drivers.errors import AddressError
from drivers.link.address import UsbAddress
from drivers.link.none import NoLink
from drivers.passive import make
from drivers.passive.look import read
from drivers.passive.node import NodeSource
from drivers.passive.source import Findings, Source
from drivers.passive.usb import UsbPlace, UsbSource
from tests.clock import TurnedClock
from tests.sysfs import PCI, Machine, counter

EPSON = UsbAddress(vid=0x04B8, pid=0x0E15)


def look(source: Source) -> Findings:
    return source.look(Deadline.after(TurnedClock(), 1))


def plug(machine: Machine, serial: str, number: int, *, lp: str | None = "lp0") -> None:
    home = machine.usb("1-1", "04b8:0e15", serial=serial, manufacturer="EPSON", product="TM-T20II")
    (home / "devnum").write_text(f"{number}\n")
    machine.printer(home, "MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;CLS:PRINTER;", lp)


def unplug(machine: Machine) -> None:
    shutil.rmtree(machine.root / PCI / "1-1")
    for name in ("1-1", "1-1:1.0"):
        (machine.root / "sys/bus/usb/devices" / name).unlink()


def test_a_usb_printer_is_known_unplugged_and_back_as_another(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    memory: dict[str, Json] = {}
    source = UsbSource(UsbPlace(EPSON, tmp_path), memory, root=tmp_path)
    assert look(source).conditions == {"unplugged": None}, "it was never there"
    plug(machine, "A1", 3)
    machine.process(412, "till", "/dev/usb/lp0")
    found = look(source)
    assert found.conditions == {"unplugged": False}
    assert found.identity == {"manufacturer": "EPSON", "model": "TM-T20II", "serial": "A1"}
    assert found.facts == {"present": True, "port": "1-1", "kernel_drivers": ["usblp"], "held_by": ["till"]}
    unplug(machine)
    gone = look(source)
    assert gone.conditions == {"unplugged": True}
    assert "1-1" in gone.says
    plug(machine, "B2", 4)
    assert look(source).identity["serial"] == "B2"


def test_a_hostile_device_moves_no_cursor(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.usb("1-1", "04b8:0e15", serial="A\x1b[2J1", manufacturer="\x07", product="x" * 300)
    found = look(UsbSource(UsbPlace(EPSON, tmp_path), {}, root=tmp_path))
    assert found.identity == {"model": "x" * 120, "serial": "A[2J1"}
    assert found.says.isprintable()


def test_a_place_is_looked_up_once_until_something_changes(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    plug(machine, "A1", 3, lp=None)
    place = UsbPlace(EPSON, tmp_path)
    first = place.find()
    assert place.find() is first
    unplug(machine)
    plug(machine, "A1", 4)
    again = place.find()
    assert again is not None
    assert again.kernel_drivers == ("usblp",)


@pytest.mark.parametrize(("serial", "found"), [("TC3Y012345", True), ("OTHER", False)])
def test_a_serial_number_chooses(tmp_path: Path, serial: str, found: bool) -> None:
    counter(tmp_path)
    place = UsbPlace(UsbAddress(vid=0x04B8, pid=0x0E15, serial=serial), tmp_path)
    assert (place.find() is not None) is found


def test_twins_are_told(tmp_path: Path) -> None:
    counter(tmp_path)
    place = UsbPlace(UsbAddress(vid=0x1A86, pid=0x7523), tmp_path)
    assert look(UsbSource(place, {}, root=tmp_path)).facts["twins"] == 1


def test_a_serial_node_that_comes_and_goes(tmp_path: Path) -> None:
    node = tmp_path / "ttyUSB0"
    source = NodeSource(str(node), {}, root=tmp_path)
    assert look(source).conditions == {"unplugged": None}
    node.touch()
    assert look(source).conditions == {"unplugged": False}
    node.unlink()
    assert look(source).conditions == {"unplugged": True}


@pytest.mark.parametrize(
    ("words", "scheme", "where"),
    [
        ((), "tcp", ["snmp", "ipp"]),
        ((), "usb", ["sysfs", "kernel-log"]),
        ((), "serial", ["sysfs"]),
        (("snmp:s3cret", "ipp:/x", "cups:till"), "tcp", ["snmp", "ipp", "cups"]),
    ],
)
def test_where_to_look(words: tuple[str, ...], scheme: str, where: list[str]) -> None:
    looks = read(words, scheme)
    assert [look.where for look in looks] == where
    assert "s3cret" not in repr(looks)


@pytest.mark.parametrize(
    ("word", "scheme", "why"),
    [
        ("snpm:s3cret", "tcp", "'snpm' is no place to look over tcp; there are snmp, ipp, tcp-socket"),
        ("sysfs", "tcp", "'sysfs' is no place to look over tcp"),
        ("snmp:", "tcp", "snmp: has no community"),
        ("snmp:a\nb", "tcp", "snmp: has no community"),
        ("ipp:ipp/print", "tcp", "ipp: needs a path"),
        ("ipp:/a b", "tcp", "a path with a space"),
        ("cups", "usb", "cups needs a queue"),
        ("cups:a/b", "usb", "cups: needs the name"),
        ("kernel-log:x", "usb", "takes nothing behind it"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line_without_the_secret(word: str, scheme: str, why: str) -> None:
    with pytest.raises(AddressError) as caught:
        read([word], scheme)
    assert why in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_place_twice() -> None:
    with pytest.raises(AddressError, match="given twice"):
        read(["snmp", "snmp:other"], "tcp")


@pytest.mark.parametrize(
    ("link", "kinds"),
    [
        ("serial:/dev/ttyS9", {"unplugged"}),
        ("usb:04b8:0e15", {"unplugged", "usb_over_current", "paper_end"}),
        ("tcp:192.0.2.7:9100", {"unreachable", "paper_end", "cover_open", "printer_offline"}),
    ],
)
def test_each_link_has_its_kinds(link: str, kinds: set[str]) -> None:
    setup = Setup(device="d", link=NoLink(), clock=TurnedClock(), memory={})
    driver = make(setup, link)
    seen = driver._all_kinds()
    assert kinds | {"identity_changed"} <= set(seen)
    assert len(set(seen)) == len(seen)


_OPENED = re.compile(r'open(?:at)?\([^"]*"(/dev/[^"]+)"')
_LOOKS = """
import sys
from drivers.api import Deadline, Occasion, Setup, SystemClock
from drivers.link.none import NoLink
from drivers.passive import make
for link in sys.argv[1:]:
    clock = SystemClock()
    driver = make(Setup(device="d", link=NoLink(), clock=clock, memory={}), link)
    for _ in range(2):
        print(driver.poll(Deadline.after(clock, 2)).facts)
    list(driver.selftest("external", Occasion("T", "now"), Deadline.after(clock, 2)))
    driver.close()
"""


@pytest.mark.system
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing: make packages")
def test_no_device_is_ever_opened() -> None:
    """Seen by the kernel's eyes: every open of a passive look at a real tty and at USB devices."""
    master, slave = pty.openpty()
    try:
        node = os.ttyname(slave)
        command = [
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=open,openat,openat2,ioctl",
            sys.executable,
            "-c",
            _LOOKS,
        ]
        links = [f"serial:{node}", "usb:1d6b:0002", "usb:04b8:0e15"]
        done = subprocess.run(
            [*command, *links],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd=Path(__file__).parents[3],
        )
    finally:
        os.close(master)
        os.close(slave)
    assert "'present': True" in done.stdout, "it did look"
    opened = {path for path in _OPENED.findall(done.stderr) if not path.endswith(("/fd", "null", "urandom"))}
    assert opened <= {"/dev/kmsg"}
    assert "USBDEVFS" not in done.stderr
    assert "TIOC" not in done.stderr
    assert "O_EXCL" not in done.stderr
