"""Names and numbers of ViVOtech2. Pages are of ID TECH's NEO 2 Interface Developer's Guide 80139403-002."""

from __future__ import annotations

import enum
from collections.abc import Mapping

TAG = b"ViVOtech2\0"  # p28; before each frame, both ways
HEADER_BYTES = len(TAG) + 4  # and command, sub-command or status, length of the data high byte first
CRC_BYTES = 2
DATA_MOST = 512  #: more than any answer to what is asked here

CRC_POLYNOMIAL, CRC_INIT = 0x1021, 0xFFFF  # p28; not reflected, over the whole frame before it


class Ask(enum.Enum):
    """Command, sub-command, data: all that is ever sent."""

    PING = (0x18, 0x01, b"")  # p119
    FIRMWARE = (0x29, 0x00, b"")  # p131: a text
    MODULES = (0x09, 0x20, b"")  # p252: a text
    CONTROLLER_ID = (0x29, 0x17, b"")  # p136: 16 bytes
    SELF_CHECK_TIME = (0x25, 0x07, b"")  # p119: hours and minutes, BCD, UTC; with data it would be set
    BEEP = (0x0B, 0x01, b"\x01")  # p283-284: one short beep; for an external self-test


CONTROLLER_ID_BYTES = 16


class Status(enum.IntEnum):
    """In an answer, where the command had its sub-command. p28."""

    OK = 0x00
    BAD_HEADER = 0x01
    UNKNOWN_COMMAND = 0x02
    UNKNOWN_SUB_COMMAND = 0x03
    CRC_ERROR = 0x04
    BAD_PARAMETER = 0x05
    NOT_SUPPORTED = 0x06
    MALFORMED = 0x07
    TIMEOUT = 0x08
    FAILED = 0x0A
    COMMAND_NOT_ALLOWED = 0x0B
    SUB_COMMAND_NOT_ALLOWED = 0x0C
    OVERFLOW = 0x0D
    USER_INTERFACE_EVENT = 0x0E
    SECURE_INTERFACE_FAILED = 0x12
    FRAME_TOO_LARGE = 0x19
    TAMPER = 0x1D
    SAM_ERROR = 0x20
    SAM_LENGTH_ERROR = 0x21


NOT_DONE = (
    Status.UNKNOWN_COMMAND,
    Status.UNKNOWN_SUB_COMMAND,
    Status.NOT_SUPPORTED,
    Status.COMMAND_NOT_ALLOWED,
    Status.SUB_COMMAND_NOT_ALLOWED,
)
"""This reader does not do that, or not now: no fault."""

KINDS: Mapping[int, str] = {
    Status.TAMPER: "tamper",
    Status.SAM_ERROR: "sam_error",
    Status.SAM_LENGTH_ERROR: "sam_error",
    Status.SECURE_INTERFACE_FAILED: "secure_interface_failed",
}
"""What a status word says of the reader itself."""
