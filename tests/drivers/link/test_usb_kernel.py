"""Devices on the kernel's bus, as sysfs shows them: which one it is, and who has it."""

from __future__ import annotations

import errno
import gc
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Deadline
from drivers.errors import Absent, HeldByOther, LinkError, LinkLost, LinkUnusable, NoPermission
from drivers.link.address import UsbAddress
from drivers.link.usb import backend as usb_backend
from drivers.link.usb.bus import KernelsBus
from drivers.link.usb.link import UsbLink
from tests.clock import TurnedClock
from tests.drivers.link.usb_fake import IN, OUT, Device, Fake, interface
from tests.sysfs import Machine

AT = UsbAddress(vid=0x04B8, pid=0x0E15)
HERE = "1-1"


class Counter:
    """A printer in sysfs and on the fake bus behind it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.machine = Machine(root)
        self.clock = TurnedClock()
        self.fake = Fake()
        self.rescans = 0
        self.device = Device()
        monkeypatch.setattr(usb_backend, "kernels", lambda: self.fake)
        monkeypatch.setattr(usb_backend, "rescanned", self._rescan)
        self.home = self.plug(self.device, HERE)

    def plug(self, device: Device, port: str) -> Path:
        self.fake.plug(device)
        home = self.machine.usb(port, f"{device.vid:04x}:{device.pid:04x}", serial=device.serial)
        (home / "busnum").write_text("1\n")
        (home / "devnum").write_text(f"{device.address}\n")
        return home

    def driver(self, name: str | None, *, code: int = 7, lp: str | None = None) -> None:
        folder = self.machine.interface(self.home, 0, code, name)
        if lp:
            (folder / "usbmisc" / lp).mkdir(parents=True)
            (self.root / "dev/usb").mkdir(exist_ok=True)
            (self.root / "dev/usb" / lp).write_bytes(b"")

    def link(self, at: UsbAddress = AT, usb_class: int | None = 7) -> UsbLink:
        return UsbLink(at, usb_class, bus=KernelsBus(self.root), root=self.root)

    def opens(self, link: UsbLink) -> LinkError | None:
        try:
            link.open(Deadline.after(self.clock, 1))
        except LinkError as error:
            return error
        link.close()
        return None

    def _rescan(self) -> Fake:
        self.rescans += 1
        return self.fake


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counter:
    return Counter(tmp_path, monkeypatch)


def test_it_is_found_by_serial_and_by_place(at: Counter) -> None:
    at.plug(Device(serial="S2"), "1-4.1")
    for good in (
        AT,
        UsbAddress(vid=0x04B8, pid=0x0E15, serial="S2"),
        UsbAddress(vid=0x04B8, pid=0x0E15, port="1-4.1"),
    ):
        assert at.opens(at.link(good)) is None
    for bad in (
        UsbAddress(vid=0x04B8, pid=0x0202),
        UsbAddress(vid=0x04B8, pid=0x0E15, serial="S3"),
        UsbAddress(vid=0x04B8, pid=0x0E15, port="1-4"),
        UsbAddress(vid=0x04B8, pid=0x0E15, serial="S2", port="1-1"),
    ):
        assert isinstance(at.opens(at.link(bad)), Absent)


def test_what_is_not_in_sysfs_is_not_asked_of_libusb(at: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> Fake:
        raise AssertionError("libusb was asked")

    monkeypatch.setattr(usb_backend, "kernels", never)
    assert isinstance(at.opens(at.link(UsbAddress(vid=0x1504, pid=0x0006))), Absent)


def test_what_libusb_has_not_heard_of_is_looked_for_anew_once_a_second(at: Counter) -> None:
    at.fake.unplug(at.device)
    link = at.link()
    for _ in range(5):
        assert isinstance(at.opens(link), Absent)
        at.clock.advance(0.3)
    assert at.rescans == 2


def test_a_printer_that_is_idle_in_usblp_is_lent(at: Counter) -> None:
    at.driver("usblp", lp="lp0")
    assert at.opens(at.link()) is None
    assert at.fake.log == ["open", "detach 0", "claim 0", "release 0", "attach 0", "close"]


def test_a_printer_that_the_till_prints_to_is_left(at: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    at.driver("usblp", lp="lp0")
    at.machine.process(412, "till", "/dev/usb/lp0")
    code = errno.EBUSY
    real = os.open

    def refuse(path: object, *how: int) -> int:
        if str(path).endswith("lp0"):
            raise OSError(code, os.strerror(code))
        return real(path, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    link = at.link()
    error = at.opens(link)
    assert isinstance(error, HeldByOther)
    assert "till (pid 412)" in str(error)
    code = errno.EACCES
    error = at.opens(link)
    assert isinstance(error, NoPermission)
    assert "group lp" in error.hint
    assert set(at.fake.log) == {"open", "close"}


@pytest.mark.parametrize(
    ("driver", "hint"), [("usbhid", "hid:"), ("cdc_acm", "serial:"), ("ftdi_sio", "serial:")]
)
def test_no_other_kernel_driver_is_detached(at: Counter, driver: str, hint: str) -> None:
    at.driver(driver)
    error = at.opens(at.link())
    assert isinstance(error, HeldByOther)
    assert driver in str(error)
    assert hint in error.hint
    assert set(at.fake.log) == {"open", "close"}


@pytest.mark.parametrize(
    ("command", "hint"), [("pcscd", "pcsc:"), ("usb", "CUPS"), ("till", "set access to passive")]
)
def test_a_program_that_has_it_is_named(at: Counter, command: str, hint: str) -> None:
    at.driver("usbfs")
    at.machine.process(99, command, f"/dev/bus/usb/001/{at.device.address:03d}")
    at.machine.process(os.getpid(), "tillwatch", f"/dev/bus/usb/001/{at.device.address:03d}")
    at.device.refuses["claim"] = [errno.EBUSY]
    error = at.opens(at.link())
    assert isinstance(error, HeldByOther)
    assert str(error).endswith(f"held by {command} (pid 99)")
    assert hint in error.hint


def test_who_has_it_is_looked_for_seldom(at: Counter) -> None:
    link = at.link()
    at.device.refuses["claim"] = [errno.EBUSY] * 3
    assert "another program" in str(at.opens(link))
    at.machine.process(99, "pcscd", f"/dev/bus/usb/001/{at.device.address:03d}")
    at.clock.advance(5)
    assert "another program" in str(at.opens(link))
    at.clock.advance(20)
    assert "pcscd" in str(at.opens(link))


def test_a_node_without_rights_is_no_permission_unless_it_is_brand_new(at: Counter) -> None:
    node = at.root / f"dev/bus/usb/001/{at.device.address:03d}"
    node.parent.mkdir(parents=True)
    node.write_bytes(b"")
    link = at.link()
    at.device.refuses["open"] = [errno.EACCES]
    assert isinstance(at.opens(link), Absent), "udev has not been there yet"
    at.device.refuses["open"] = [errno.EACCES]
    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patch:
        patch.setattr("drivers.link.usb.bus.YOUNG_S", 0.0)
        error = at.opens(link)
    assert isinstance(error, NoPermission)
    assert "/dev/bus/usb/001/" in str(error)
    assert "udev" in error.hint


def test_the_librarys_absence_is_told_with_its_mend(at: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(usb_backend, "_missing", "libusb-1.0.so is nowhere")
    error = at.opens(at.link())
    assert isinstance(error, LinkUnusable)
    assert "libusb" in error.hint


def test_of_a_reader_with_a_keyboard_only_its_own_interface_counts(at: Counter) -> None:
    at.device.interfaces = [[interface(0, 3)], [interface(1, 0x0B, OUT, IN)]]
    at.machine.interface(at.home, 0, 3, "usbhid")
    at.machine.interface(at.home, 1, 0x0B, None)
    assert at.opens(at.link(usb_class=0x0B)) is None
    assert "claim 1" in at.fake.log


def test_a_printer_whose_setting_cannot_be_chosen_is_usblps_again(at: Counter) -> None:
    at.device.interfaces = [[interface(0, 7, OUT), interface(0, 7, OUT, IN, alternate=1)]]
    at.device.refuses["alternate"] = [errno.EIO]
    at.driver("usblp", lp="lp0")
    assert isinstance(at.opens(at.link()), LinkLost)
    assert at.fake.log == ["open", "detach 0", "claim 0", "alternate 0 1", "release 0", "attach 0", "close"]


def test_a_printer_that_a_killed_daemon_left_without_usblp_gets_it_back(at: Counter) -> None:
    at.driver(None)
    at.device.refuses["detach"] = [errno.ENOENT]
    (at.root / "sys/bus/usb/drivers/usblp").mkdir(parents=True)
    assert at.opens(at.link()) is None
    assert at.fake.log == ["open", "detach 0", "claim 0", "release 0", "attach 0", "close"]


@pytest.mark.parametrize(
    ("code", "kind", "hint"), [(errno.EPERM, NoPermission, "DeviceAllow"), (errno.EMFILE, LinkLost, "")]
)
def test_what_libusb_calls_an_io_error_the_node_tells(
    at: Counter, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[LinkError], hint: str
) -> None:
    real = os.open

    def refuse(path: object, *how: int) -> int:
        if "/dev/bus/usb/" in str(path):
            raise OSError(code, os.strerror(code))
        return real(path, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    at.device.refuses["open"] = [errno.EIO]
    error = at.opens(at.link())
    assert isinstance(error, kind)
    assert os.strerror(code) in str(error)
    assert hint in error.hint


def test_an_old_list_of_libusbs_is_not_believed(at: Counter) -> None:
    """The address was another device's when it looked last."""
    old = Device(vid=0x1A86, pid=0x7523)
    at.fake.unplug(at.device)
    at.fake.plug(old)
    (at.home / "devnum").write_text(f"{old.address}\n")
    assert isinstance(at.opens(at.link()), Absent)
    assert at.rescans == 1
    assert at.fake.log == []


def test_a_libusb_that_cannot_start_is_tried_again(at: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    from usb.backend import libusb1  # noqa: PLC0415 - only here

    monkeypatch.undo()
    for name in ("_lib", "_lib_object"):
        monkeypatch.setattr(libusb1, name, None)
    fails = [OSError(errno.EMFILE, "no")]

    def start(_: object) -> Fake:
        if fails:
            raise fails.pop()
        return at.fake

    monkeypatch.setattr(libusb1, "_LibUSB", start)
    with pytest.raises(LinkUnusable, match="cannot start"):
        usb_backend.kernels()
    assert usb_backend.kernels() is at.fake


def test_an_absent_device_costs_one_look_at_the_list(at: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read as long as nothing comes and goes; what comes at the same port is seen."""
    reads = 0
    read = Path.read_text

    def counted(path: Path, *how: str, **more: str) -> str:
        nonlocal reads
        reads += 1
        return read(path, *how, **more)

    twin = UsbAddress(vid=0x04B8, pid=0x0E15, serial="S2")
    link = at.link(twin)
    assert isinstance(at.opens(link), Absent)
    monkeypatch.setattr(Path, "read_text", counted)
    for _ in range(5):
        assert isinstance(at.opens(link), Absent)
    assert reads == 0
    (at.root / "sys/bus/usb/devices" / HERE).unlink()
    shutil.rmtree(at.home)
    at.fake.unplug(at.device)
    assert isinstance(at.opens(link), Absent)
    at.plug(Device(serial="S2"), HERE)
    assert at.opens(link) is None


def test_no_device_outlives_the_context_that_it_was_found_in(
    at: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libusb crashes at that: the list is made anew for one link while another one has an old device open."""
    ended: list[str] = []

    class Listed:
        def __init__(self) -> None:
            self.descriptor = at.device.descriptor

        def __del__(self) -> None:
            ended.append("device")

    class Context(Fake):
        def __del__(self) -> None:
            ended.append("context")

        def enumerate_devices(self) -> list[Any]:
            return [Listed()]

    contexts = [Context()]
    monkeypatch.setattr(usb_backend, "kernels", lambda: contexts[-1])
    found = KernelsBus(at.root).find(AT, Deadline.after(at.clock, 1))
    contexts[:] = [Context()]
    assert ended == []
    del found
    assert ended == ["device", "context"]


def test_a_printer_that_is_held_leaves_the_collector_nothing(
    at: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    at.driver("usblp", lp="lp0")
    real = os.open

    def refuse(path: object, *how: int) -> int:
        if str(path).endswith("lp0"):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return real(path, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    link = at.link()
    gc.collect()
    gc.disable()
    try:
        held = isinstance(at.opens(link), HeldByOther)
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert held
