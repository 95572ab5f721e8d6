"""What passes on the bulk pipes of a card reader, as data; and its class descriptor.

Source: USB device class specification for integrated circuit card interface devices (CCID) rev 1.1: 5.1 (its
class descriptor), 6.1 (commands), 6.2 (responses), 6.2.6 (bStatus, bError), 6.3 (interrupt messages).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

HEADER_BYTES = 10
MESSAGE_BYTES = 271  #: dwMaxCCIDMessageLength: a short APDU and its header

DATA_BLOCK, SLOT_STATUS = 0x80, 0x81
ACTIVE, INACTIVE, ABSENT = 0, 1, 2  #: bmICCStatus
FAILED, TIME_EXTENSION = 0x40, 0x80  #: bmCommandStatus, in place
NOT_SUPPORTED, BAD_LENGTH, BAD_SLOT = 0x00, 0x01, 0x05  #: bError
SHORT_CIRCUIT, HARDWARE_ERROR, MUTE = 0xA2, 0xFB, 0xFE
CLOCK_RUNNING, CLOCK_STOPPED_LOW = 0, 1
NOTIFY_SLOT_CHANGE, NOTIFY_HARDWARE_ERROR = 0x50, 0x51
OVER_CURRENT = 0x01  #: bHardwareErrorCode


@dataclass(frozen=True, slots=True)
class Kind:
    """A command by its first byte: its name, the response it has, whether it carries data."""

    name: str
    response: int
    carries_data: bool = False


COMMANDS: Mapping[int, Kind] = {
    0x61: Kind("SetParameters", 0x82, carries_data=True),
    0x62: Kind("IccPowerOn", DATA_BLOCK),
    0x63: Kind("IccPowerOff", SLOT_STATUS),
    0x65: Kind("GetSlotStatus", SLOT_STATUS),
    0x69: Kind("Secure", DATA_BLOCK, carries_data=True),
    0x6A: Kind("T0APDU", SLOT_STATUS),
    0x6B: Kind("Escape", 0x83, carries_data=True),
    0x6C: Kind("GetParameters", 0x82),
    0x6D: Kind("ResetParameters", 0x82),
    0x6E: Kind("IccClock", SLOT_STATUS),
    0x6F: Kind("XfrBlock", DATA_BLOCK, carries_data=True),
    0x71: Kind("Mechanical", SLOT_STATUS),
    0x72: Kind("Abort", SLOT_STATUS),
    0x73: Kind("SetDataRateAndClockFrequency", 0x84, carries_data=True),
}
UNKNOWN = Kind("unknown", SLOT_STATUS, carries_data=True)


@dataclass(frozen=True, slots=True)
class Message:
    """One command of the host; `data` may be shorter than `length` says where that is too long to be true."""

    code: int
    length: int
    slot: int
    seq: int
    data: bytes = b""

    @property
    def kind(self) -> Kind:
        return COMMANDS.get(self.code, UNKNOWN)

    def answer(self, status: int, error: int, last: int = 0, data: bytes = b"") -> bytes:
        """The response to it; `last` is the byte whose meaning depends on the response."""
        header = struct.pack(
            "<BIBBBBB", self.kind.response, len(data), self.slot, self.seq, status, error, last
        )
        return header + data


def message(data: bytes) -> Message | None:
    """The command that `data` begins with; None: more is to come."""
    if len(data) < HEADER_BYTES:
        return None
    code, length, slot, seq = struct.unpack_from("<BIBB", data)
    whole = HEADER_BYTES + length
    if whole > MESSAGE_BYTES:
        return Message(code, length, slot, seq)
    return Message(code, length, slot, seq, data[HEADER_BYTES:whole]) if len(data) >= whole else None


CLASS_DESCRIPTOR = struct.pack(
    "<BBHBBIIIBIIBIIIIIBBHBB",
    54,
    0x21,  # functional descriptor
    0x0110,  # bcdCCID
    0,  # bMaxSlotIndex: one slot
    0x07,  # 5 V, 3 V, 1.8 V
    0x00000003,  # T=0, T=1
    4_000,  # dwDefaultClock, kHz
    8_000,  # dwMaximumClock
    0,  # bNumClockSupported: what lies between
    10_752,  # dwDataRate, bit/s
    344_086,  # dwMaxDataRate
    0,  # bNumDataRatesSupported
    254,  # dwMaxIFSD
    0,  # dwSynchProtocols
    0,  # dwMechanical
    0x000204BA,  # parameters by ATR, voltage, clock, baud rate and PPS automatic; IFSD automatic; short APDUs
    MESSAGE_BYTES,
    0xFF,  # bClassGetResponse: echo
    0xFF,  # bClassEnvelope: echo
    0,  # wLcdLayout: no display
    0,  # bPINSupport: no PIN pad
    1,  # bMaxCCIDBusySlots
)
