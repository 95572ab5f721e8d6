"""HID feature reports of a USB device: opened, asked, closed at each poll, and never held.

The kernel hands what a reader sends unasked to every open descriptor, and that may be a card. So the
descriptor is open only while a question is, and is never read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from drivers.api import Deadline
from drivers.errors import LinkLost
from drivers.link.address import HidAddress
from drivers.link.hid.report import Feature
from drivers.link.passive import ROOT
from drivers.link.wake import Waiter

AGAIN_S = 0.01  #: a report that is all zero says that the device is not ready


class Way(Protocol):
    """How feature reports get to the device. Raises LinkErrors."""

    def open(self, deadline: Deadline) -> Feature: ...
    def close(self) -> None: ...
    def set_feature(self, number: int, data: bytes, deadline: Deadline) -> bool: ...
    def get_feature(self, number: int, size: int, deadline: Deadline) -> bytes | None: ...


class HidLink:
    """`write`: in feature reports, the last filled up with zeros. `read`: one, whole, without its id."""

    scheme = "hid"
    held = False
    proves_power = True

    def __init__(self, address: HidAddress, *, way: Way | None = None, root: Path = ROOT) -> None:
        self._address = address
        self._way = way or _way(address, root)
        self._waiter = Waiter()
        self._feature: Feature | None = None

    def open(self, deadline: Deadline) -> None:
        if self._feature is None:
            self._feature = self._way.open(deadline)

    def close(self) -> None:
        self._feature = None
        self._way.close()

    def is_open(self) -> bool:
        return self._feature is not None

    def read(self, deadline: Deadline) -> bytes:
        while not self._waiter.woken():
            feature = self._feature
            if feature is None:
                self._waiter.pause(deadline)
                break
            report = self._way.get_feature(feature.number, feature.size_bytes, deadline)
            if report and any(report):
                return report
            if deadline.expired() or self._waiter.pause(deadline.within(AGAIN_S)):
                break
        return b""

    def write(self, data: bytes, deadline: Deadline) -> int:
        feature = self._feature
        if feature is None:
            raise LinkLost(f"{self._address}: not open")
        size = feature.size_bytes
        for at in range(0, len(data), size):
            report = data[at : at + size].ljust(size, b"\0")
            if not self._way.set_feature(feature.number, report, deadline):
                return at
        return len(data)

    def power_line(self) -> bool | None:
        return None

    def busy(self) -> bool:
        return False

    def wake(self) -> None:
        self._waiter.wake()


def _way(address: HidAddress, root: Path) -> Way:
    if address.backend:
        from drivers.link.hid.control import HidControl  # noqa: PLC0415 - only where another USB is used

        return HidControl(address)
    from drivers.link.hid.node import HidNode  # noqa: PLC0415 - likewise

    return HidNode(address, root=root)
