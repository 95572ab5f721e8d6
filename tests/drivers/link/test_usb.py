"""USB links over a bus in memory: what is taken, what is told, and what every error becomes."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator

import pytest

from drivers.api import Deadline, Json, SystemClock
from drivers.errors import Absent, HeldByOther, LinkError, LinkLost, LinkUnusable, NoPermission, Stuck
from drivers.link.address import UsbAddress, parse
from drivers.link.usb.link import UsbLink
from drivers.link.usb.take import CHILD
from drivers.usb_control import Control, controls, notices
from tests.drivers.link.usb_fake import IN, NOTICES, OUT, Device, Fake, FakeBus, interface

CLOCK = SystemClock()


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


class Counter:
    """One device, and a link to it."""

    def __init__(self) -> None:
        self.device = Device()
        self.bus = Fake(self.device)
        self.links: list[UsbLink] = []

    def link(self, address: str = "usb:04b8:0e15", usb_class: int | None = None) -> UsbLink:
        place = parse(address)
        assert isinstance(place, UsbAddress)
        self.links.append(UsbLink(place, usb_class, bus=FakeBus(self.bus)))
        return self.links[-1]


@pytest.fixture
def at() -> Iterator[Counter]:
    counter = Counter()
    yield counter
    for link in counter.links:
        link.close()
    assert counter.bus.open_handles == 0
    counter.links.clear()


def test_bytes_there_and_back(at: Counter) -> None:
    link = at.link()
    link.open(after(1))
    assert link.is_open()
    assert link.write(b"\x10\x04\x01", after(1)) == 3
    assert link.read(after(1)) == b"\x10\x04\x01"
    assert at.bus.log == ["open", "claim 0"]
    link.close()
    assert at.bus.log[2:] == ["release 0", "close"]


def test_it_carries_controls_and_notices(at: Counter) -> None:
    link = at.link()
    assert controls(link)
    assert notices(link)


def test_nothing_there(at: Counter) -> None:
    for address in ("usb:04b8:0202", "usb:04b8:0e15:S2", "usb:04b8:0e15?port=1-5"):
        with pytest.raises(Absent, match="not plugged in"):
            at.link(address).open(after(1))
    assert at.bus.open_handles == 0


def test_the_one_that_is_meant(at: Counter) -> None:
    twin = Device(serial="S2", port=(1, 3))
    at.bus.plug(twin)
    for address in ("usb:04b8:0e15:S2", "usb:04b8:0e15?port=1-1.3"):
        link = at.link(address)
        link.open(after(1))
        assert (at.device.claimed, twin.claimed) == (set(), {0})
        link.close()


def test_a_device_that_came_back_is_found_by_who_it_is(at: Counter) -> None:
    link = at.link("usb:04b8:0e15:S1")
    link.open(after(1))
    at.bus.unplug(at.device)
    with pytest.raises(LinkLost):
        link.write(b"x", after(1))
    link.close()
    with pytest.raises(Absent):
        link.open(after(1))
    at.device.port = (2, 1)
    at.bus.plug(at.device)
    link.open(after(1))
    assert link.write(b"x", after(1)) == 1


def test_the_interface_of_the_drivers_class(at: Counter) -> None:
    at.device.interfaces = [
        [interface(0, 0x03)],
        [interface(1, 0xFF, OUT, IN)],
        [interface(2, 0x0B, OUT, IN, NOTICES)],
    ]
    at.link(usb_class=0x0B).open(after(1))
    assert at.device.claimed == {2}
    at.link().open(after(1))
    assert at.device.claimed == {1, 2}, "without a class, the first with a bulk pair"
    with pytest.raises(LinkUnusable, match="no interface of class 0x07"):
        at.link(usb_class=7).open(after(1))


def test_the_alternate_setting_with_both_pipes(at: Counter) -> None:
    at.device.interfaces = [[interface(0, 7, OUT), interface(0, 7, OUT, IN, alternate=1)]]
    link = at.link(usb_class=7)
    link.open(after(1))
    assert at.bus.log == ["open", "claim 0", "alternate 0 1"]
    link.control(Control(request_type=0xA1, request=0, interface_high=True, length=8), after(1))
    assert at.device.controls[-1][3] == 0x0001


def test_a_printer_that_only_listens(at: Counter) -> None:
    at.device.interfaces = [[interface(0, 7, OUT)]]
    link = at.link(usb_class=7)
    link.open(after(1))
    assert link.write(b"abc", after(1)) == 3
    assert link.read(after(0.01)) == b""


def test_another_program_has_it(at: Counter) -> None:
    at.device.claimed.add(0)
    with pytest.raises(HeldByOther, match="held by another program"):
        at.link().open(after(1))
    assert at.bus.open_handles == 0


def test_the_kernels_printer_driver_gets_it_back(at: Counter) -> None:
    at.device.kernel_driver = True
    link = at.link(usb_class=7)
    link.open(after(1))
    link.close()
    assert at.bus.log == ["open", "detach 0", "claim 0", "release 0", "attach 0", "close"]


def test_the_kernels_printer_driver_gets_it_back_also_if_claiming_fails(at: Counter) -> None:
    at.device.kernel_driver = True
    at.device.refuses["claim"] = [errno.EIO]
    with pytest.raises(LinkLost):
        at.link().open(after(1))
    assert at.bus.log == ["open", "detach 0", "claim 0", "attach 0", "close"]


def test_no_other_kernel_driver_is_detached(at: Counter) -> None:
    at.device.interfaces = [[interface(0, 0x02, OUT, IN)]]
    at.device.kernel_driver = True
    with pytest.raises(HeldByOther, match="kernel's driver"):
        at.link().open(after(1))
    assert at.bus.log == ["open", "close"]


@pytest.mark.parametrize(
    ("call", "code", "kind"),
    [
        ("open", errno.EACCES, NoPermission),
        ("open", errno.ENODEV, Absent),
        ("open", errno.EIO, LinkLost),
        ("open", errno.EBUSY, HeldByOther),
        ("claim", errno.ENODEV, Absent),
        ("claim", errno.EBUSY, HeldByOther),
        ("claim", errno.EACCES, NoPermission),
    ],
)
def test_why_it_does_not_open(at: Counter, call: str, code: int, kind: type[LinkError]) -> None:
    at.device.refuses[call] = [code]
    with pytest.raises(kind) as caught:
        at.link().open(after(1))
    assert "04b8:0e15" in str(caught.value)
    assert "\n" not in str(caught.value) + caught.value.hint
    assert at.bus.open_handles == 0


def test_silence_is_nothing_and_ends_in_time(at: Counter) -> None:
    link = at.link()
    link.open(after(1))
    began_s = time.monotonic()
    assert link.read(after(0.05)) == b""
    assert time.monotonic() - began_s < 0.2
    assert link.read(after(-1)) == b"", "a deadline that has passed is no wait for ever"
    assert link.write(b"x", after(-1)) in (0, 1)


def test_slices_are_short_and_a_wake_ends_one(at: Counter) -> None:
    link = at.link()
    link.open(after(1))
    link.wake()
    began_s = time.monotonic()
    assert link.read(after(5)) == b"", "a wake before the read counts"
    threading.Timer(0.02, link.wake).start()
    assert link.read(after(5)) == b""
    assert time.monotonic() - began_s < 0.5
    assert max(at.bus.timeouts) <= 250
    link.close()
    link.wake()
    assert link.read(after(5)) == b"", "nor is a closed one waited for"


def test_what_waits_is_taken_whole_whatever_the_packets(at: Counter) -> None:
    link = at.link()
    link.open(after(1))
    at.bus.say(at.device, bytes(range(256)) * 20)
    got = b""
    while len(got) < 5120:
        got += link.read(after(1))
    assert got == bytes(range(256)) * 20


def test_a_full_device_takes_a_part_and_the_count_is_exact(at: Counter) -> None:
    at.device.takes = 1000
    link = at.link()
    link.open(after(1))
    assert link.write(bytes(3000), after(0.05)) == 1000
    assert link.write(bytes(10), after(0.02)) == 0


def test_one_halt_is_cleared_two_are_a_break(at: Counter) -> None:
    at.device.halted = {IN}
    link = at.link()
    link.open(after(1))
    link.write(b"abc", after(1))
    assert link.read(after(1)) == b"abc"
    assert "clear 0x82" in at.bus.log
    at.device.refuses["transfer"] = [errno.EPIPE, errno.EPIPE]
    with pytest.raises(LinkLost):
        link.read(after(1))


@pytest.mark.parametrize("code", [errno.EIO, errno.ENODEV, errno.EOVERFLOW, errno.EPROTO])
def test_a_break_is_told_at_once(at: Counter, code: int) -> None:
    link = at.link()
    link.open(after(1))
    at.device.refuses["transfer"] = [code]
    with pytest.raises(LinkLost):
        link.read(after(1))
    at.device.refuses["transfer"] = [code]
    with pytest.raises(LinkLost):
        link.write(b"x", after(1))


def test_a_reader_that_waits_hears_of_the_unplugging(at: Counter) -> None:
    link = at.link()
    link.open(after(1))
    threading.Timer(0.02, at.bus.unplug, (at.device,)).start()
    with pytest.raises(LinkLost):
        link.read(after(5))


def test_control_requests_name_the_interface(at: Counter) -> None:
    at.device.interfaces = [[interface(0, 0xFF)], [interface(1, 7, OUT, IN)]]
    at.device.said = b"\x18"
    link = at.link(usb_class=7)
    link.open(after(1))
    assert link.control(Control(request_type=0xA1, request=1, length=1), after(1)) == b"\x18"
    assert list(at.device.controls[-1]) == [0xA1, 1, 0, 1, 0]
    link.control(Control(request_type=0xA1, request=0, interface_high=True, length=1), after(1))
    assert list(at.device.controls[-1])[:4] == [0xA1, 0, 0, 0x0100]
    assert link.control(Control(request_type=0x21, request=2, index=0x0500, data=b"ab"), after(1)) == b""
    assert list(at.device.controls[-1]) == [0x21, 2, 0, 0x0501, 0x61, 0x62]
    link.control(Control(request_type=0xC0, request=9, index=0x1234, length=1), after(1))
    assert list(at.device.controls[-1])[3] == 0x1234, "to the device: as it is"


@pytest.mark.parametrize(("code", "answer"), [(errno.EPIPE, None), (errno.ETIMEDOUT, None)])
def test_a_refused_control_request_is_none(at: Counter, code: int, answer: None) -> None:
    link = at.link()
    link.open(after(1))
    at.device.said = code
    assert link.control(Control(request_type=0xA1, request=1, length=1), after(1)) is answer
    at.device.said = errno.EIO
    with pytest.raises(LinkLost):
        link.control(Control(request_type=0xA1, request=1, length=1), after(1))


def test_notices_come_by_their_own_pipe(at: Counter) -> None:
    at.device.interfaces = [[interface(0, 0x0B, OUT, IN, NOTICES)]]
    link = at.link(usb_class=0x0B)
    link.open(after(1))
    at.bus.say(at.device, b"\x50\x03", NOTICES)
    assert link.notice(after(1)) == b"\x50\x03"
    assert link.read(after(0.01)) == b""


def test_what_is_closed_breaks(at: Counter) -> None:
    link = at.link()
    with pytest.raises(LinkLost):
        link.write(b"x", after(1))
    with pytest.raises(LinkLost):
        link.control(Control(request_type=0xA1, request=1, length=1), after(1))
    assert link.read(after(0.01)) == b""
    link.close()


def _cycles(count: int) -> None:
    device = Device()
    bus = Fake(device)
    link = UsbLink(UsbAddress(vid=0x04B8, pid=0x0E15, serial="S1"), bus=FakeBus(bus))
    for _ in range(count):
        link.open(after(1))
        assert link.write(b"\x10\x04\x01", after(1)) == 3
        assert link.read(after(1)) == b"\x10\x04\x01"
        bus.unplug(device)
        with pytest.raises(LinkLost):
            link.read(after(1))
        link.close()
        with pytest.raises(Absent):
            link.open(after(1))
        bus.plug(device)
    assert bus.open_handles == 0


@pytest.mark.system
def test_unplugged_and_back_a_hundred_times() -> None:
    _cycles(100)


@pytest.mark.soak
@pytest.mark.system
def test_unplugged_and_back_a_thousand_times() -> None:
    _cycles(1000)


def test_one_that_hangs_while_it_is_configured_is_closed_once(
    at: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(*_: object) -> dict[str, Json]:
        raise Stuck("it hangs")

    monkeypatch.setattr(CHILD, "ask", hangs)
    at.device.configuration = 0
    with pytest.raises(Stuck):
        at.link().open(after(1))
    assert at.bus.log == ["open", "close"], "libusb does not survive closing it twice"
