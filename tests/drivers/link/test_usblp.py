"""The kernel's printer node, with a pty in its place; what only usblp itself can show is said in the docs."""

from __future__ import annotations

import errno
import os
import pty
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.api import Deadline, SystemClock
from drivers.errors import Absent, HeldByOther, LinkError, LinkLost, LinkUnusable, NoPermission
from drivers.link.address import UsbAddress
from drivers.link.usb.usblp import LPGETSTATUS, UsblpLink, device_id_ioctl
from tests.sysfs import Machine

CLOCK = SystemClock()
AT = UsbAddress(vid=0x04B8, pid=0x0E15)


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


class Printer:
    """A printer in sysfs whose node is a pty's end."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.machine = Machine(root)
        self.home = self.machine.usb("1-1", "04b8:0e15", serial="S1")
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.asked: list[int] = []
        self.fails: list[int] = []
        (root / "dev/usb").mkdir()
        (root / "dev/usb/lp0").symlink_to(os.ttyname(slave))
        os.close(slave)

    def usblp(self) -> None:
        self.machine.printer(self.home, None)

    def link(self) -> UsblpLink:
        return UsblpLink(AT, root=self.root, ioctl=self.ioctl)

    def ioctl(self, descriptor: int, request: int, buffer: bytearray) -> int:
        self.asked.append(request)
        if self.fails:
            code = self.fails.pop(0)
            raise OSError(code, os.strerror(code))
        said = b"\x00\x0aMFG:EPS;" if request != LPGETSTATUS else (0x18).to_bytes(4, sys.byteorder)
        buffer[: len(said)] = said
        return 0


@pytest.fixture
def printer(tmp_path: Path) -> Iterator[Printer]:
    made = Printer(tmp_path)
    yield made
    os.close(made.master)


def refusing(code: int, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = getattr(os, call)

    def refuse(target: object, *more: object) -> object:
        if call != "open" or str(target).endswith("lp0"):
            raise OSError(code, os.strerror(code))
        return real(target, *more)

    monkeypatch.setattr(os, call, refuse)


def test_bytes_there_and_back(printer: Printer) -> None:
    printer.usblp()
    link = printer.link()
    link.open(after(1))
    assert link.fileno() >= 0
    assert link.write(b"\x10\x04\x01", after(1)) == 3
    assert os.read(printer.master, 10) == b"\x10\x04\x01"
    os.write(printer.master, b"\x12")
    assert link.read(after(1)) == b"\x12"
    assert link.read(after(0.01)) == b""
    assert link.waiting_bytes() == 0
    link.close()
    assert link.fileno() == -1
    with pytest.raises(LinkLost):
        link.write(b"x", after(1))


def test_a_printer_that_takes_no_more_takes_a_part(printer: Printer) -> None:
    printer.usblp()
    link = printer.link()
    link.open(after(1))
    sent = link.write(bytes(1 << 20), after(0.05))
    assert 0 < sent < 1 << 20
    assert link.waiting_bytes() > 0
    os.set_blocking(printer.master, False)
    taken = 0
    while taken < sent:
        taken += len(os.read(printer.master, 65536))
    assert taken == sent
    assert link.waiting_bytes() == 0
    link.close()


def test_what_it_says_of_itself(printer: Printer) -> None:
    printer.usblp()
    link = printer.link()
    assert (link.port_status(), link.device_id()) == (None, None)
    link.open(after(1))
    assert link.port_status() == 0x18
    assert link.device_id() == "MFG:EPS;"
    # LPGETSTATUS of linux/lp.h, LPIOC_GET_DEVICE_ID(1024) of usblp.c.
    assert printer.asked == [0x060B, 0x84005001] == [LPGETSTATUS, device_id_ioctl(1024)]
    printer.fails = [errno.EIO, errno.ENODEV]
    assert link.port_status() is None
    with pytest.raises(LinkLost):
        link.port_status()
    link.close()


def test_not_there_and_not_usblps(printer: Printer) -> None:
    with pytest.raises(LinkUnusable, match="usblp does not have it"):
        printer.link().open(after(1))
    with pytest.raises(Absent):
        UsblpLink(UsbAddress(vid=1, pid=2), root=printer.root).open(after(1))


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.EBUSY, HeldByOther), (errno.ENODEV, Absent), (errno.EIO, LinkLost), (errno.EACCES, NoPermission)],
)
def test_why_it_does_not_open(
    printer: Printer, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[LinkError]
) -> None:
    printer.usblp()
    printer.machine.process(7, "lpr", "/dev/usb/lp0")
    refusing(code, "open", monkeypatch)
    monkeypatch.setattr("drivers.link.usb.bus.YOUNG_S", 0.0)
    with pytest.raises(kind) as caught:
        printer.link().open(after(1))
    assert kind is not HeldByOther or "lpr (pid 7)" in str(caught.value)


def test_out_of_paper_is_no_break_and_gone_is_one(printer: Printer, monkeypatch: pytest.MonkeyPatch) -> None:
    printer.usblp()
    link = printer.link()
    link.open(after(1))
    with monkeypatch.context() as patch:
        refusing(errno.ENOSPC, "write", patch)
        assert link.write(b"x", after(5)) == 0
    with monkeypatch.context() as patch:
        refusing(errno.ENODEV, "write", patch)
        with pytest.raises(LinkLost):
            link.write(b"x", after(1))
    with monkeypatch.context() as patch:
        refusing(errno.ENODEV, "read", patch)
        os.write(printer.master, b"x")
        with pytest.raises(LinkLost):
            link.read(after(1))
    link.close()


def test_a_node_that_became_another_printers_is_not_written_to(
    printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unplugged between the look and the open, and lp0 went to the next that was plugged in."""
    printer.usblp()
    real = os.open

    def exchanged(path: object, *how: int) -> int:
        (printer.home / "devnum").write_text("77\n")
        return real(path, *how)  # type: ignore[arg-type]

    link = printer.link()
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", exchanged)
        with pytest.raises(Absent, match="another's"):
            link.open(after(1))
    assert not link.is_open()
    link.open(after(1))
    link.close()


def test_empty_transfers_are_counted_and_are_not_the_end(
    printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    printer.usblp()
    link = printer.link()
    link.open(after(1))
    os.write(printer.master, b"x")
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", lambda *_: b"")
        assert [link.read(after(1)) for _ in range(3)] == [b""] * 3
    assert link.empty == 3
    assert link.read(after(1)) == b"x"
    assert link.empty == 0
    link.close()
