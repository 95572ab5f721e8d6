"""The descriptors of a virtual USB device, as bytes. Source: USB 2.0, 9.6; HID 1.11, 6.2.1. Pure.

One configuration of one interface. Full speed, so that packets of 64 bytes are the largest of any bulk pipe.
"""

from __future__ import annotations

import struct

from simulator.devices.usb import Interface, Shape

DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT, HID, REPORT = 0x01, 0x02, 0x03, 0x04, 0x05, 0x21, 0x22
CONFIGURATION_VALUE = 1
EP0_BYTES = 64
FULL_SPEED = 2
"""As libusb and USB/IP number it."""

_MANUFACTURER, _PRODUCT, _SERIAL = 1, 2, 3
_US_ENGLISH = 0x0409
_KINDS = {"bulk": 2, "interrupt": 3}
_INTERRUPT_EACH_MS = 10


def device(shape: Shape, serial: str) -> bytes:
    """The device descriptor; one without a serial number has no string for it."""
    return struct.pack(
        "<BBHBBBBHHHBBBB",
        18,
        DEVICE,
        0x0200,
        0,
        0,
        0,
        EP0_BYTES,
        shape.vid,
        shape.pid,
        shape.release,
        _MANUFACTURER,
        _PRODUCT,
        _SERIAL if serial else 0,
        1,
    )


def configuration(shape: Shape, *, mains: bool) -> bytes:
    """The configuration with all that belongs to it."""
    interface = shape.interface
    inner = struct.pack(
        "<BBBBBBBBB",
        9,
        INTERFACE,
        0,
        0,
        len(interface.endpoints),
        interface.device_class,
        interface.subclass,
        interface.protocol,
        0,
    )
    inner += interface.functional or hid(interface)
    for endpoint in interface.endpoints:
        each_ms = _INTERRUPT_EACH_MS if endpoint.kind == "interrupt" else 0
        inner += struct.pack(
            "<BBBBHB", 7, ENDPOINT, endpoint.address, _KINDS[endpoint.kind], endpoint.packet_bytes, each_ms
        )
    attributes, two_ma = (0xC0, 1) if mains else (0x80, 250)
    head = struct.pack(
        "<BBHBBBBB", 9, CONFIGURATION, 9 + len(inner), 1, CONFIGURATION_VALUE, 0, attributes, two_ma
    )
    return head + inner


def hid(interface: Interface) -> bytes:
    """The HID descriptor of an interface that has a report descriptor; of others none."""
    if not interface.report:
        return b""
    return struct.pack("<BBHBBBH", 9, HID, 0x0111, 0, 1, REPORT, len(interface.report))


def string(shape: Shape, serial: str, index: int) -> bytes | None:
    """A string descriptor; None where there is none of this index."""
    if index == 0:
        return struct.pack("<BBH", 4, STRING, _US_ENGLISH)
    texts = {_MANUFACTURER: shape.manufacturer, _PRODUCT: shape.product, _SERIAL: serial}
    if not (text := texts.get(index, "")):
        return None
    wide = text.encode("utf-16-le")[:252]
    return bytes([len(wide) + 2, STRING]) + wide
