"""Who a USB device says it is: its device descriptor and the strings that it names.

USB specification 2.0: GET_DESCRIPTOR 9.4.3, the device descriptor 9.6.1 (table 9-8), strings 9.6.7.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.api import Deadline
from drivers.identity import printable
from drivers.usb_control import Control, ControlLink

DEVICE_TO_HOST = 0x80
GET_DESCRIPTOR = 6
DEVICE, STRING = 1, 3
DEVICE_BYTES = 18
STRING_BYTES = 255
ENGLISH = 0x0409
EACH_S = 0.25  #: a descriptor comes in milliseconds
TEXT_MOST = 64

RELEASE = slice(12, 14)  #: bcdDevice
STRINGS: Mapping[str, int] = {"manufacturer": 14, "model": 15, "serial": 16}
"""Name -> where the device descriptor has the string's number; number 0 is none."""


def ask_identity(link: ControlLink, deadline: Deadline) -> dict[str, str] | None:
    """`manufacturer`, `model`, `serial`, `firmware` (bcdDevice), where it has them; None if it says nothing.

    Raises LinkErrors.
    """
    device = _descriptor(link, DEVICE, 0, 0, DEVICE_BYTES, deadline)
    if device is None or len(device) != DEVICE_BYTES:
        return None
    identity: dict[str, str] = {}
    for name, place in STRINGS.items():
        if device[place]:
            raw = _descriptor(link, STRING, device[place], ENGLISH, STRING_BYTES, deadline)
            if text := string_text(raw or b""):
                identity[name] = text
    identity["firmware"] = release(device[RELEASE])
    return identity


def release(raw: bytes) -> str:
    """bcdDevice: `10 02` is 2.10."""
    return f"{raw[1]:x}.{raw[0]:02x}"


def string_text(raw: bytes) -> str:
    """A string descriptor's text, in one line; empty if it is none."""
    if len(raw) < 2 or raw[1] != STRING or raw[0] > len(raw):
        return ""
    return printable(raw[2 : raw[0]].decode("utf-16-le", "replace"), TEXT_MOST)


def _descriptor(
    link: ControlLink, kind: int, number: int, language: int, length: int, deadline: Deadline
) -> bytes | None:
    request = Control(
        request_type=DEVICE_TO_HOST,
        request=GET_DESCRIPTOR,
        value=kind << 8 | number,
        index=language,
        length=length,
    )
    raw = link.control(request, deadline.within(EACH_S))
    return raw if raw and len(raw) > 1 and raw[1] == kind else None
