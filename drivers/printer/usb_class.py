"""The three requests of the USB printer class, and what their answers mean. Pure but for `DeviceId`.

Source: USB Device Class Definition for Printing Devices 1.1, 4.2; IEEE 1284-2000, 7.6 (device id); Linux'
usblp. The link puts the interface's number in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.api import Deadline, Link
from drivers.belief import NEEDED
from drivers.identity import ieee1284, is_own_serial, printable
from drivers.usb_control import Control, controls

DEVICE_ID_MOST = 1024  #: as usblp asks
PAPER_EMPTY, SELECTED, NOT_ERROR = 0x20, 0x10, 0x08
RESERVED = 0xFF ^ PAPER_EMPTY ^ SELECTED ^ NOT_ERROR

REPLY_S = 0.2  #: such a request is answered by the printer's USB chip, not by its print engine
TRIES = 3  #: so many refusals in a row, and it has none: a TM-U220 with UB-U02III refuses (cups PR 1612)

_IDENTITY: Mapping[str, tuple[str, ...]] = {
    "manufacturer": ("MFG",),
    "model": ("MDL",),
    "serial": ("SN", "SERN", "SER", "SERIALNUMBER"),
}
_TEXT_MOST = 64


@dataclass(frozen=True, slots=True)
class PortStatus:
    """The answer to GET_PORT_STATUS, as on a parallel port."""

    paper_empty: bool
    selected: bool
    error: bool


def get_device_id() -> Control:
    """Answered with two bytes of length, high first and counted in, then the IEEE-1284 id."""
    return Control(request_type=0xA1, request=0, interface_high=True, length=DEVICE_ID_MOST)


def get_port_status() -> Control:
    """Answered with one byte; 18 hex is a healthy printer."""
    return Control(request_type=0xA1, request=1, length=1)


def soft_resets() -> tuple[Control, Control]:
    """Empties the buffers: print data is lost. To "other" by the older text, else to the interface."""
    return Control(request_type=0x23, request=2), Control(request_type=0x21, request=2)


def read_device_id(answer: bytes) -> str | None:
    """The id's text; None where that is no answer to GET_DEVICE_ID."""
    length = int.from_bytes(answer[:2], "big")
    if not 2 < length <= len(answer):
        return None
    text = answer[2:length].rstrip(b"\x00 \r\n")
    return text.decode("ascii") if text.isascii() and b":" in text else None


def read_port_status(answer: bytes) -> PortStatus | None:
    """None where that is no answer to GET_PORT_STATUS."""
    if len(answer) != 1 or answer[0] & RESERVED:
        return None
    return PortStatus(
        paper_empty=bool(answer[0] & PAPER_EMPTY),
        selected=bool(answer[0] & SELECTED),
        error=not answer[0] & NOT_ERROR,
    )


def identity(text: str) -> dict[str, str]:
    """Of an IEEE-1284 id: `manufacturer`, `model`, `serial`, where it says them."""
    fields = ieee1284(text)
    found = {
        name: printable(next((fields[key] for key in keys if fields.get(key)), ""), _TEXT_MOST)
        for name, keys in _IDENTITY.items()
    }
    if not is_own_serial(found["serial"]):
        found["serial"] = ""
    return {name: value for name, value in found.items() if value}


class DeviceId:
    """The IEEE-1284 id of the printer behind an open link, asked until it is believed, then no more.

    Only while the printer is idle: some lose data where it is asked with full buffers (usblp.c).
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self.text: str | None = None  #: what is believed
        self.opened()

    def opened(self) -> None:
        """The link is open anew: perhaps it is another printer. What was believed stays until it says so."""
        self._candidate: str | None = None
        self._agreed = self._refused = 0

    @property
    def settled(self) -> bool:
        """Nothing more is to be asked."""
        return self._agreed >= NEEDED or self._refused >= TRIES or not controls(self._link)

    def ask(self, deadline: Deadline) -> None:
        """One question, where one is due. Raises LinkErrors."""
        if self.settled or not controls(self._link):
            return
        answer = self._link.control(get_device_id(), deadline.within(REPLY_S))
        text = None if answer is None else read_device_id(answer)
        if text is None:
            self._refused += 1
            return
        self._refused = 0
        self._agreed = self._agreed + 1 if text == self._candidate else 1
        self._candidate = text
        if self._agreed >= NEEDED:
            self.text = text
