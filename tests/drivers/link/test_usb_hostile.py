"""USB devices and machines that do what they should not: the links bear it, and leave nothing open."""

from __future__ import annotations

import errno
import gc
import threading
import time

import pytest

from drivers.api import Deadline, SystemClock
from drivers.errors import LinkError
from drivers.link.address import UsbAddress
from drivers.link.usb.link import UsbLink
from tests.drivers.link.usb_fake import Device, Fake, FakeBus

CLOCK = SystemClock()
AT = UsbAddress(vid=0x04B8, pid=0x0E15)


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


class Empty(Fake):
    """Each read of a pipe brings a transfer without a byte, at once."""

    reads = 0

    def bulk_read(self, *_: object) -> int:
        self.reads += 1
        return 0


def test_a_pipe_that_brings_nothing_at_once_is_not_asked_again_and_again() -> None:
    bus = Empty(Device())
    link = UsbLink(AT, bus=FakeBus(bus))
    link.open(after(1))
    began_s = time.monotonic()
    assert link.read(after(0.2)) == b""
    assert 0.2 <= time.monotonic() - began_s < 1
    assert 3 < bus.reads < 20
    threading.Timer(0.02, link.wake).start()
    began_s = time.monotonic()
    assert link.read(after(5)) == b"", "a wake ends it still"
    assert time.monotonic() - began_s < 1
    link.close()


def test_no_wake_is_lost_however_it_falls() -> None:
    """One that comes while the last one is taken counts for the next read."""
    link = UsbLink(AT, bus=FakeBus(Fake(Device())))
    taking = link._waiter.woken

    def taken_and_called_again() -> bool:
        was = taking()
        if was:
            link._waiter.woken = taking  # type: ignore[method-assign]
            link.wake()
        return was

    link.open(after(1))
    link._waiter.woken = taken_and_called_again  # type: ignore[method-assign]
    link.wake()
    began_s = time.monotonic()
    assert link.read(after(5)) == b""
    assert link.read(after(5)) == b""
    assert time.monotonic() - began_s < 1
    link.close()


@pytest.mark.parametrize("call", ["get_configuration", "get_interface_descriptor", "claim_interface"])
def test_whatever_a_backend_raises_nothing_stays_open(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    bus = Fake(Device(kernel_driver=True))

    def breaks(*_: object) -> None:
        raise ValueError("a descriptor that cannot be")

    monkeypatch.setattr(bus, call, breaks)
    link = UsbLink(AT, bus=FakeBus(bus))
    with pytest.raises(ValueError, match="cannot be"):
        link.open(after(1))
    assert bus.open_handles == 0
    assert bus.plugged[0].kernel_driver, "what was the kernel's is the kernel's again"


def test_a_kernel_driver_that_has_just_gone_is_no_reason_to_give_up() -> None:
    device = Device(kernel_driver=True, refuses={"detach": [errno.ENOENT]})
    bus = Fake(device)
    link = UsbLink(AT, bus=FakeBus(bus))
    link.open(after(1))
    link.close()
    assert bus.open_handles == 0


@pytest.mark.parametrize(
    "refuses",
    [{"open": [errno.EACCES]}, {"claim": [errno.EBUSY]}, {"detach": [errno.EIO]}, {"claim": [errno.ENODEV]}],
)
def test_a_failed_open_leaves_the_collector_nothing(refuses: dict[str, list[int]]) -> None:
    """What of pyusb is in a cycle is never given back to libusb, so no error may be in its own frames."""
    link = UsbLink(AT, bus=FakeBus(Fake(Device(kernel_driver=True, refuses=refuses))))
    gc.collect()
    gc.disable()
    try:
        failed = opens(link)
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert failed


def opens(link: UsbLink) -> str | None:
    try:
        link.open(after(1))
    except LinkError as error:
        return error.code
    return None
