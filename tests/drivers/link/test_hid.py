"""HID links: which node, which report, and that a deadline holds whatever the kernel does."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Deadline, SystemClock
from drivers.errors import Absent, HeldByOther, LinkError, LinkLost, LinkUnusable, Stuck
from drivers.link.address import HidAddress
from drivers.link.hid import node as hid_node
from drivers.link.hid.control import HidControl
from drivers.link.hid.link import HidLink
from drivers.link.hid.node import HidNode, feature_ioctl
from drivers.link.hid.report import Feature, parse
from tests.drivers.link.usb_fake import Device, Fake, FakeBus, interface
from tests.sysfs import Machine

CLOCK = SystemClock()
AT = HidAddress(vid=0x0801, pid=0x0011)

# Device Class Definition for HID 1.11, appendix E.6: the boot keyboard.
KEYBOARD = bytes.fromhex(
    "05 01 09 06 a1 01 05 07 19 e0 29 e7 15 00 25 01 75 01 95 08 81 02 95 01 75 08 81 01 95 05 75 01 05 08"
    " 19 01 29 05 91 02 95 01 75 03 91 01 95 06 75 08 15 00 25 65 05 07 19 00 29 65 81 00 c0"
)
# Appendix E.10: the boot mouse.
MOUSE = bytes.fromhex(
    "05 01 09 02 a1 01 09 01 a1 00 05 09 19 01 29 03 15 00 25 01 95 03 75 01 81 02 95 01 75 05 81 01 05 01"
    " 09 30 09 31 15 81 25 7f 75 08 95 02 81 06 c0 c0"
)
# MagTek's swipe reader in HID mode (99875338-3): three tracks in, 24 bytes as a feature.
MAGTEK = bytes.fromhex(
    "06 00 ff 09 01 a1 01 15 00 26 ff 00 75 08 09 20 09 21 09 22 09 28 09 29 09 2a 09 38 95 07 81 02"
    " 09 30 95 6e 82 02 01 09 31 95 6e 82 02 01 09 32 95 6e 82 02 01 09 20 95 18 b2 02 01 c0"
)
WEDGE = KEYBOARD[:-1] + bytes.fromhex("06 00 ff 09 20 75 08 95 18 b1 02 c0")
NUMBERED = bytes.fromhex("06 00 ff 09 01 a1 01 75 08 95 3f 85 01 09 01 81 02 09 03 b1 02 c0")


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


@pytest.mark.parametrize(
    ("descriptor", "features", "types_keys"),
    [
        (KEYBOARD, (), True),
        (MOUSE, (), False),
        (MAGTEK, (Feature(0, 24),), False),
        (WEDGE, (Feature(0, 24),), True),
        (NUMBERED, (Feature(1, 63),), False),
        (b"", (), False),
        (MAGTEK[:-4], (), False),
    ],
)
def test_what_a_descriptor_says(descriptor: bytes, features: tuple[Feature, ...], types_keys: bool) -> None:
    said = parse(descriptor)
    assert said.features == features
    assert said.types_keys is types_keys


def test_push_pop_and_long_items() -> None:
    descriptor = bytes.fromhex("fe 02 10 aa bb 06 00 ff 09 01 a1 01 75 08 95 04 a4 75 10 b4 09 02 b1 02 c0")
    assert parse(descriptor).features == (Feature(0, 4),)


@given(st.binary(max_size=200))
def test_no_descriptor_is_too_broken(descriptor: bytes) -> None:
    for feature in parse(descriptor).features:
        assert 0 <= feature.number <= 255
        assert 0 < feature.size_bytes < 16383


def test_ids_and_sizes_that_no_report_has() -> None:
    wide = bytes.fromhex("06 00 ff 09 01 a1 01 75 08 95 04 87 39 30 00 00 09 02 b1 02 c0")
    assert parse(wide).features == ()
    assert feature_ioctl(6, 0x3FFF) >> 30 == 3
    huge = bytes.fromhex("06 00 ff 09 01 a1 01 77 ff ff ff ff 97 ff ff ff ff 09 02 b1 02 c0")
    assert parse(huge).features == ()


def test_a_long_descriptor_takes_no_time() -> None:
    """4096 bytes is the kernel's limit (HID_MAX_DESCRIPTOR_SIZE)."""
    for piece in ("a4", "b4 a4", "85 01 75 01 95 01 b0", "fe 00 00", "0b ff ff 07 00"):
        one = bytes.fromhex(piece)
        began_s = time.process_time()
        parse(one * (4096 // len(one)))
        assert time.process_time() - began_s < 0.5


class Reader:
    """A HID device in sysfs, with an ioctl that answers each SET with what it was told, once."""

    def __init__(self, root: Path) -> None:
        self.machine = Machine(root)
        self.root = root
        self.home = self.machine.usb("1-4", "0801:0011", serial="B1")
        self.reports: list[bytes] = []
        self.calls: list[int] = []
        self.fails: list[int] = []
        self.blocks: threading.Event | None = None
        self.zeros = 0

    def node(self, name: str, descriptor: bytes, interface: int = 0) -> None:
        home = (
            self.machine.interface(self.home, interface, 3, "usbhid") / f"0003:0801:0011.000{interface + 1}"
        )
        home.mkdir()
        (home / "uevent").write_text(
            f"DRIVER=hid-generic\nHID_ID=0003:00000801:00000011\nHID_NAME=x\nHID_PHYS=usb-1/input{interface}\n"
            "HID_UNIQ=B1\n"
        )
        (home / "report_descriptor").write_bytes(descriptor)
        entry = self.root / "sys/class/hidraw" / name
        entry.mkdir(parents=True)
        (entry / "device").symlink_to(home)
        (self.root / "dev" / name).write_bytes(b"")

    def ioctl(self, descriptor: int, request: int, buffer: bytearray) -> int:
        os.fstat(descriptor)
        self.calls.append(request)
        if self.blocks is not None:
            assert self.blocks.wait(10)
        if self.fails:
            code = self.fails.pop(0)
            raise OSError(code, os.strerror(code))
        if request >> 0 & 0xFF == 6:
            self.reports.append(bytes(buffer))
        elif self.zeros:
            self.zeros -= 1
            buffer[1:] = bytes(len(buffer) - 1)
        else:
            buffer[:] = self.reports[-1]
        return len(buffer)

    def link(self, at: HidAddress = AT) -> HidLink:
        return HidLink(at, way=HidNode(at, root=self.root, ioctl=self.ioctl))

    def open_nodes(self) -> list[str]:
        return [name for target in _opened() if (name := Path(target).name).startswith("hidraw")]


def _opened() -> Iterator[str]:
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the listing's own
            yield str(entry.readlink())


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    if made.blocks is not None:
        made.blocks.set()


def test_the_kernels_numbers_for_a_feature_request() -> None:
    # linux/hidraw.h: HIDIOCSFEATURE(25), HIDIOCGFEATURE(25), as a C program prints them.
    assert feature_ioctl(6, 25) == 0xC0194806
    assert feature_ioctl(7, 25) == 0xC0194807


def test_a_question_and_its_answer(reader: Reader) -> None:
    reader.node("hidraw0", MAGTEK)
    link = reader.link()
    link.open(after(1))
    assert reader.open_nodes() == ["hidraw0"]
    reader.zeros = 3
    assert link.write(b"\x00\x01\x03", after(1)) == 3
    assert reader.reports == [b"\0\x00\x01\x03" + bytes(21)]
    assert link.read(after(1)) == b"\x00\x01\x03" + bytes(21), "not ready while it is all zero"
    link.close()
    assert reader.open_nodes() == []
    assert not link.held


def test_long_data_goes_in_several_reports_with_their_id(reader: Reader) -> None:
    reader.node("hidraw0", NUMBERED)
    link = reader.link()
    link.open(after(1))
    assert link.write(bytes(range(1, 101)), after(1)) == 100
    assert [report[0] for report in reader.reports] == [1, 1]
    assert reader.reports[0][1:] + reader.reports[1][1:] == bytes(range(1, 101)) + bytes(26)
    link.close()


def test_a_keyboard_is_never_opened(reader: Reader) -> None:
    reader.node("hidraw0", WEDGE)
    with pytest.raises(LinkUnusable, match="keyboard"):
        reader.link().open(after(1))
    assert reader.calls == []


def test_beside_a_keyboard_the_interface_that_is_none_is_taken(reader: Reader) -> None:
    reader.node("hidraw0", WEDGE)
    reader.node("hidraw1", MAGTEK, interface=1)
    link = reader.link()
    link.open(after(1))
    assert reader.open_nodes() == ["hidraw1"]
    link.close()


def test_which_one_is_meant(reader: Reader) -> None:
    reader.node("hidraw0", MAGTEK)
    for good in (
        HidAddress(vid=0x0801, pid=0x0011, serial="B1"),
        HidAddress(vid=0x0801, pid=0x0011, port="1-4"),
    ):
        link = reader.link(good)
        link.open(after(1))
        link.close()
    for bad in (HidAddress(vid=0x0801, pid=0x0011, serial="B2"), HidAddress(vid=0x0801, pid=0x0002)):
        with pytest.raises(Absent):
            reader.link(bad).open(after(1))


def test_there_and_without_a_node(reader: Reader) -> None:
    with pytest.raises(LinkUnusable, match="no hidraw node"):
        reader.link().open(after(1))
    reader.machine.interface(reader.home, 0, 3, "usbfs")
    (reader.home / "busnum").write_text("1\n")
    (reader.home / "devnum").write_text("4\n")
    reader.machine.process(4711, "till", "/dev/bus/usb/001/004")
    with pytest.raises(HeldByOther, match=r"till \(pid 4711\)"):
        reader.link().open(after(1))


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENODEV, LinkLost), (errno.EIO, LinkLost), (errno.EPIPE, None), (errno.ETIMEDOUT, None)],
)
def test_what_the_kernel_says_no_to(reader: Reader, code: int, kind: type[LinkError] | None) -> None:
    reader.node("hidraw0", MAGTEK)
    link = reader.link()
    link.open(after(1))
    reader.fails = [code]
    if kind is None:
        assert link.write(b"\0", after(0.1)) == 0
    else:
        with pytest.raises(kind):
            link.write(b"\0", after(0.1))
    link.close()


def test_a_request_that_hangs_is_left_and_the_node_closed_when_it_ends(reader: Reader) -> None:
    reader.node("hidraw0", MAGTEK)
    link = reader.link()
    link.open(after(1))
    reader.blocks = threading.Event()
    began_s = time.monotonic()
    assert link.write(b"\0", after(0.05)) == 0
    assert time.monotonic() - began_s < 0.5
    with pytest.raises(LinkLost):
        link.read(after(0.02))
    link.close()
    assert reader.open_nodes() == ["hidraw0"], "the kernel has it still"
    with pytest.raises(LinkLost):
        link.open(after(0.02))
    reader.blocks.set()
    link.open(after(1))
    link.close()
    assert reader.open_nodes() == []


def test_one_that_never_ends_is_stuck(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hid_node, "GIVE_UP_S", 0.05)
    reader.node("hidraw0", MAGTEK)
    link = reader.link()
    link.open(after(1))
    reader.blocks = threading.Event()
    link.write(b"\0", after(0.01))
    link.close()
    time.sleep(0.06)
    with pytest.raises(Stuck):
        link.open(after(0.01))


def test_a_node_that_became_another_devices_is_let_go_at_once(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unplugged between the look and the open, and its number went to a keyboard."""
    reader.node("hidraw0", MAGTEK)
    entry = reader.root / "sys/class/hidraw/hidraw0/device"
    home, another = entry.readlink(), reader.root / "0003:046D:C31C.0009"
    another.mkdir()
    real = os.open

    def exchanged(path: object, *how: int) -> int:
        if str(path).endswith("hidraw0"):
            entry.unlink()
            entry.symlink_to(another)
        return real(path, *how)  # type: ignore[arg-type]

    link = reader.link()
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", exchanged)
        with pytest.raises(Absent, match="another's"):
            link.open(after(1))
    assert reader.open_nodes() == []
    assert reader.calls == []
    entry.unlink()
    entry.symlink_to(home)
    link.open(after(1))
    link.close()


def test_a_machine_out_of_threads_keeps_no_node_open(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    reader.node("hidraw0", MAGTEK)
    link = reader.link()

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    for opened in (False, True):
        if opened:
            link.open(after(1))
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", none_left)
            with pytest.raises(LinkUnusable, match="no thread"):
                link.write(b"\0", after(1)) if opened else link.open(after(1))
        link.close()
        assert reader.open_nodes() == []


def test_a_wake_ends_a_read(reader: Reader) -> None:
    reader.node("hidraw0", MAGTEK)
    reader.zeros = 1 << 30
    link = reader.link()
    link.open(after(1))
    threading.Timer(0.02, link.wake).start()
    began_s = time.monotonic()
    assert link.read(after(5)) == b""
    assert link.read(after(0.02)) == b"", "and at the deadline it is silence"
    link.close()
    threading.Timer(0.02, link.wake).start()
    assert link.read(after(5)) == b""
    assert time.monotonic() - began_s < 1


# -- over another USB ----------------------------------------------------------------------------------


def test_reports_as_control_requests() -> None:
    device = Device(vid=0x0801, pid=0x0011, interfaces=[[interface(0, 3)]], said=NUMBERED)
    bus = Fake(device)
    link = HidLink(AT, way=HidControl(AT, FakeBus(bus)))
    link.open(after(1))
    assert link.write(b"\x05", after(1)) == 1
    assert device.controls[-1] == (0x21, 9, 0x0301, 0, 1, 5, *bytes(62))
    device.said = b"\x01" + b"\x07" + bytes(62)
    assert link.read(after(1)) == b"\x07" + bytes(62)
    assert device.controls[-1][:4] == (0xA1, 1, 0x0301, 0)
    device.said = errno.EPIPE
    assert link.write(b"\x05", after(1)) == 0
    device.said = errno.ENODEV
    with pytest.raises(LinkLost):
        link.read(after(1))
    link.close()
    assert bus.log == ["open", "close"], "nothing is claimed"
    device.said = WEDGE
    with pytest.raises(LinkUnusable):
        link.open(after(1))
    assert bus.open_handles == 0
