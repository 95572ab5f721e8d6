"""A served device in the same process, on whatever clock the caller turns; no threads, nothing sleeps."""

from __future__ import annotations

from typing import Protocol

from simulator.devices.usb import Control
from simulator.doors import uart
from simulator.doors.line import Line
from simulator.served import Served

WAITING_BYTES = 1 << 16
"""What the host's side holds while the device is busy; more is not taken."""
_LUMP = 64


class Monotonic(Protocol):
    def monotonic_s(self) -> float: ...


class MemoryDoor:
    """A serial line to `served`; with `baud` 0 all passes at once, as over USB.

    A `host_baud` other than `baud` garbles both ways.
    """

    def __init__(self, served: Served, clock: Monotonic, baud: int = 115200) -> None:
        self.served = served
        self.baud = baud
        self.host_baud = baud
        self._clock = clock
        byte_s = uart.byte_s(baud) if baud else 0.0
        self._to_device = Line(byte_s, _LUMP)
        self._to_host = Line(byte_s)
        self._arrived = bytearray()
        self._plugged = served.plugged(clock.monotonic_s())

    def send(self, data: bytes) -> int:
        """Bytes from the host; how many the line takes (all, unless the device is busy). Unplugged: lost."""
        now_s = self._advance()
        if not self._plugged:
            return len(data)
        taken = data[: WAITING_BYTES - self._to_device.waiting_bytes]
        self._to_device.put(uart.heard(taken, self.host_baud, self.baud), now_s)
        return len(taken)

    def receive(self) -> bytes:
        """What has arrived at the host by now."""
        self._advance()
        arrived = bytes(self._arrived)
        self._arrived.clear()
        return arrived

    def control(self, request: Control) -> bytes | None:
        """A USB control request to the device; None where it refuses or says nothing."""
        return self.served.control(request, self._advance())

    def notice(self) -> bytes:
        """What has come by the interrupt pipe by now."""
        return b"".join(self.served.notices(self._advance()))

    def apply(self, *settings: str) -> None:
        """Turn knobs and add faults, now."""
        now_s = self._advance()
        self.served.apply(settings, now_s)
        self._step(now_s)

    def next_s(self) -> float | None:
        """Nothing arrives and the plug does not move before this; None: not without input."""
        now_s = self._advance()
        return now_s if self._arrived else self._next_s(now_s)

    def plugged(self) -> bool:
        self._advance()
        return self._plugged

    def powered(self) -> bool:
        self._advance()
        return self.served.powered()

    def power_line(self) -> bool | None:
        """DSR; None where it is not wired."""
        self._advance()
        line = self.served.power_line()
        return line and self._plugged

    def _next_s(self, now_s: float) -> float | None:
        first_s = self.served.next_s(now_s)
        for moment_s in (self._to_host.next_s(), self._to_device.next_s() if self._device_takes() else None):
            if moment_s is not None and (first_s is None or moment_s < first_s):
                first_s = moment_s
        return first_s

    def _device_takes(self) -> bool:
        return self._to_device.waiting_bytes > 0 and self.served.room() > 0

    def _advance(self) -> float:
        """Everything that happens by now, each at its moment."""
        now_s = self._clock.monotonic_s()
        at_s = self._next_s(now_s)
        while at_s is not None and at_s <= now_s:
            self._step(at_s)
            at_s = self._next_s(now_s)
        return now_s

    def _step(self, at_s: float) -> None:
        self._plugged = self.served.plugged(at_s)
        if not self._plugged:
            self._to_device.clear()
            self._to_host.clear()
            self._arrived.clear()
        if self._device_takes() and (data := self._to_device.take(at_s)):
            self.served.host_bytes(data, at_s)
        said = self.served.due(at_s)
        self._to_host.put(uart.heard(said, self.baud, self.host_baud), at_s)
        self._arrived += self._to_host.take(at_s)
