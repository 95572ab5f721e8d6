"""HID feature reports as control requests, over a USB backend that is not the kernel's.

Device Class Definition for HID 1.11, 7.2 (Get_Report, Set_Report) and 7.1 (the report descriptor).
"""

from __future__ import annotations

import errno
from array import array
from typing import Any

from drivers.api import Deadline
from drivers.errors import LinkError, LinkLost, LinkUnusable
from drivers.link.address import HidAddress
from drivers.link.hid.report import Feature, parse
from drivers.link.usb.backend import TROUBLE, number, trouble
from drivers.link.usb.bus import Bus, Found, bus_of
from drivers.link.usb.pipes import choose

HID = 0x03
_DESCRIPTOR_BYTES = 4096
_FEATURE = 0x0300


class HidControl:
    """Opened and closed each time. Methods raise LinkError."""

    def __init__(self, at: HidAddress, bus: Bus | None = None) -> None:
        self._at = at
        self._bus = bus or bus_of(at)
        self._open: tuple[Found, Any, int] | None = None

    def open(self, deadline: Deadline) -> Feature:
        found = self._bus.find(self._at, deadline)
        try:
            handle = found.backend.open_device(found.dev)
        except TROUBLE as error:
            raise self._lost(error) from error
        self._open = found, handle, 0
        try:
            active = found.backend.get_configuration(handle)
            pipes = choose(found.backend, found.dev, found.descriptor, active, HID)
            if pipes is None:
                raise LinkUnusable(f"{self._at}: it has no HID interface")
            self._open = found, handle, pipes.interface
            descriptor = self._ask(0x81, 6, 0x2200, array("B", bytes(_DESCRIPTOR_BYTES)), deadline)
            reports = parse(descriptor or b"")
            if reports.types_keys or not reports.features:
                raise LinkUnusable(f"{self._at}: it is a keyboard, or has no feature reports")
        except TROUBLE as error:
            self.close()
            raise self._lost(error) from error
        except BaseException:  # a LinkError, or a backend that breaks over what the device says of itself
            self.close()
            raise
        return reports.features[0]

    def close(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            try:
                opened[0].backend.close_device(opened[1])
            except TROUBLE:
                return  # it is gone, and so is what was open

    def set_feature(self, number: int, data: bytes, deadline: Deadline) -> bool:
        report = array("B", bytes([number] * bool(number)) + data)
        return self._ask(0x21, 9, _FEATURE | number, report, deadline) is not None

    def get_feature(self, number: int, size: int, deadline: Deadline) -> bytes | None:
        """Without its id."""
        led = bool(number)
        report = self._ask(0xA1, 1, _FEATURE | number, array("B", bytes(size + led)), deadline)
        return None if report is None else report[led:]

    def _ask(self, kind: int, request: int, value: int, data: array[int], deadline: Deadline) -> bytes | None:
        if self._open is None:
            raise LinkLost(f"{self._at}: not open")
        found, handle, interface = self._open
        within_ms = max(1, int(1000 * deadline.remaining_s()))
        try:
            count = found.backend.ctrl_transfer(handle, kind, request, value, interface, data, within_ms)
        except TROUBLE as error:
            if number(error) in (errno.EPIPE, errno.ETIMEDOUT):
                return None
            raise self._lost(error) from error
        return data.tobytes()[:count]

    def _lost(self, error: Exception) -> LinkError:
        return trouble(str(self._at), error)
