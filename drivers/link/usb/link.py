"""One interface of a USB device: bytes over its bulk pipes, control requests, interrupt notices.

libusb's waits end at nothing but their time, so a read goes in slices: `wake` is heard within one.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from drivers.api import Deadline
from drivers.errors import LinkLost
from drivers.link.address import UsbAddress
from drivers.link.passive import ROOT
from drivers.link.usb import backend as backends
from drivers.link.usb.backend import TROUBLE
from drivers.link.usb.bus import Bus, bus_of
from drivers.link.usb.take import Taken, Taker, tidy
from drivers.link.wake import Waiter
from drivers.usb_control import Control

SLICE_MS = 250
READ_BYTES = 4096
WRITE_BYTES = 16384
EMPTY_S = 0.02  #: between two reads of a pipe that brings nothing at once

_TO_INTERFACE = 1  #: recipient, in bmRequestType; USB 2.0, table 9-2
_RECIPIENT = 0x1F
_FROM_DEVICE = 0x80

Read: TypeAlias = Callable[[Any, int, int, "array[int]", int], int]


class UsbLink:
    """The interface is claimed while the link is open, and given back as it was."""

    scheme = "usb"
    held = True
    proves_power = True

    def __init__(
        self, address: UsbAddress, usb_class: int | None = None, *, bus: Bus | None = None, root: Path = ROOT
    ) -> None:
        self._address = address
        self._taker = Taker(address, usb_class, bus or bus_of(address), root=root)
        self._waiter = Waiter()
        self._taken: Taken | None = None
        self._halted = False
        self._empty = 0  # transfers without a byte, one after the other

    def open(self, deadline: Deadline) -> None:
        if self._taken is None:
            self._taken = self._taker.take(deadline)
            self._halted = False

    def close(self) -> None:
        taken, self._taken = self._taken, None
        if taken is not None:
            taken.give_back()

    def is_open(self) -> bool:
        return self._taken is not None

    def read(self, deadline: Deadline) -> bytes:
        taken = self._taken
        if taken is None:
            return self._pause(deadline)
        return self._receive(taken, taken.backend.bulk_read, taken.pipes.bulk_in, deadline)

    def notice(self, deadline: Deadline) -> bytes:
        """What comes by the interrupt pipe; see `drivers.usb_control.NoticeLink`."""
        taken = self._taken
        if taken is None:
            return self._pause(deadline)
        return self._receive(taken, taken.backend.intr_read, taken.pipes.notices, deadline)

    def write(self, data: bytes, deadline: Deadline) -> int:
        taken = self._taken
        if taken is None or taken.pipes.bulk_out is None:
            raise LinkLost(f"{self._address}: not open")
        backend, pipe, sent = taken.backend, taken.pipes.bulk_out, 0
        while sent < len(data):
            part = array("B", data[sent : sent + WRITE_BYTES])
            try:
                sent += backend.bulk_write(
                    taken.handle, pipe, taken.pipes.interface, part, _ms(deadline.remaining_s())
                )
            except TROUBLE as error:
                self._bear(taken, pipe, error)
            else:
                self._halted = False
            if deadline.expired():
                break
        return sent

    def control(self, request: Control, deadline: Deadline) -> bytes | None:
        """One control request; see `drivers.usb_control.ControlLink`."""
        taken = self._taken
        if taken is None:
            raise LinkLost(f"{self._address}: not open")
        data = array("B", bytes(request.length) if request.request_type & _FROM_DEVICE else request.data)
        try:
            count = taken.backend.ctrl_transfer(
                taken.handle,
                request.request_type,
                request.request,
                request.value,
                _index(request, taken),
                data,
                _ms(deadline.remaining_s()),
            )
        except TROUBLE as error:
            if backends.number(error) in (errno.EPIPE, errno.ETIMEDOUT):
                return None
            raise backends.trouble(str(self._address), error) from error
        return data.tobytes()[:count] if request.request_type & _FROM_DEVICE else b""

    def reset(self, deadline: Deadline) -> None:
        """Reset the device, as if it were plugged in anew. The link is closed after it; raises LinkError."""
        self.close()
        self._taker.reset(deadline)

    def power_line(self) -> bool | None:
        return None

    def busy(self) -> bool:
        return False

    def wake(self) -> None:
        self._waiter.wake()

    # -- waiting -----------------------------------------------------------------------------------

    def _pause(self, deadline: Deadline) -> bytes:
        self._waiter.pause(deadline)
        return b""

    def _receive(self, taken: Taken, read: Read, pipe: int | None, deadline: Deadline) -> bytes:
        tidy()
        if pipe is None:
            return self._pause(deadline)
        packet = taken.pipes.packet_bytes
        room = array(
            "B", bytes(-(-READ_BYTES // packet) * packet)
        )  # less than a packet's room is an overflow
        while True:
            # Some printers answer each question of the bus with nothing, as fast as it asks.
            woken = self._waiter.pause(deadline.within(EMPTY_S)) if self._empty > 1 else self._waiter.woken()
            if woken:
                return b""
            try:
                within_ms = min(SLICE_MS, _ms(deadline.remaining_s()))
                count = read(taken.handle, pipe, taken.pipes.interface, room, within_ms)
            except TROUBLE as error:
                self._bear(taken, pipe, error)
                count = self._empty = 0
            else:
                self._empty = 0 if count else self._empty + 1
            if count:
                self._halted = False
                return room.tobytes()[:count]
            if deadline.expired():
                return b""

    def _bear(self, taken: Taken, pipe: int, error: Exception) -> None:
        """Go on after a wait without result, and after one halt of the pipe; raises LinkLost else."""
        code = backends.number(error)
        if code == errno.ETIMEDOUT:
            return
        if code == errno.EPIPE and not self._halted:
            self._halted = True
            try:
                taken.backend.clear_halt(taken.handle, pipe)
            except TROUBLE as again:
                raise backends.trouble(str(self._address), again) from again
            return
        raise backends.trouble(str(self._address), error) from error


def _index(request: Control, taken: Taken) -> int:
    if request.request_type & _RECIPIENT != _TO_INTERFACE:
        return request.index
    if request.interface_high:
        return taken.pipes.interface << 8 | taken.pipes.alternate
    return request.index & 0xFF00 | taken.pipes.interface


def _ms(seconds: float) -> int:
    """For libusb, to which 0 is for ever."""
    return max(1, int(seconds * 1000))
