"""The contract of a model that can be served over USB, beside `simulator.devices.device`.

A model stays a model of bytes: what the host writes to the bulk OUT pipe, or as a HID feature report,
comes to `take`; what it says leaves by bulk IN, or is the next feature report. The door does the rest of USB:
enumeration, standard requests, pipes, report ids and padding. Field names as in the USB specification 2.0,
chapter 9, and the HID specification 1.11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeGuard

from simulator.devices.device import Device, Knob

SUPPLY = Knob("supply", ("mains", "bus"))
"""What feeds it: every model that is served over USB has this knob. One that is off is not on the bus."""
CONFIGURED = Knob("configured", ("yes", "no", "hangs"))
"""Whether the host has chosen a configuration yet; `hangs`: not, and SET_CONFIGURATION never ends."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`address` with bit 7 set is IN."""

    address: int
    kind: Literal["bulk", "interrupt"]
    packet_bytes: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One interface, alternate setting 0. `functional`: class descriptors between it and its endpoints."""

    device_class: int
    subclass: int = 0
    protocol: int = 0
    endpoints: tuple[Endpoint, ...] = ()
    functional: bytes = b""
    report: bytes = b""  #: HID: the report descriptor
    report_id: int = 0  #: HID: of its feature report; 0: it has none
    report_bytes: int = 0  #: HID: how long its feature report is, without the id


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the device descriptor and its strings say; the serial number is the model's knob `serial`."""

    vid: int
    pid: int
    manufacturer: str
    product: str
    release: int = 0x0100  #: bcdDevice
    interface: Interface


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control request to the device (table 9-2)."""

    request_type: int
    request: int
    value: int = 0
    index: int = 0
    length: int = 0
    data: bytes = b""


class UsbDevice(Device, Protocol):
    """A model that has a USB side."""

    shape: Shape

    def control(self, request: Control, now_s: float) -> bytes | None:
        """Answer a class request; None refuses it (STALL). Standard and HID requests are the door's."""
        ...

    def notices(self, now_s: float) -> list[bytes]:
        """What leaves by the interrupt IN pipe by now; each is handed out once."""
        ...


def has_usb(device: Device) -> TypeGuard[UsbDevice]:
    """Whether a model can be served over USB."""
    return hasattr(device, "shape")
