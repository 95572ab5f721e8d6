"""Epson DM-D displays: ESC/POS for displays, from Epson's reference and the DM-D110 specification."""

from __future__ import annotations

import enum

ESC = 0x1B
US = 0x1F
CLR = 0x0C  #: clears, and leaves settings as they are
NUL = 0x00

SELFTEST = ord("@")  #: US @: runs the self-test; clears the text
BRIGHTNESS = ord("X")  #: US X n
LEVELS = (1, 2, 3, 4)  #: 20, 40, 60, 100 %
HANDSHAKE = ord("v")  #: US v n: 0 DTR to SPACE once it is ready, 1 to MARK
SPACE = 0
MARK = 1

BLOCK_START = b"\x57\x20\x30\x1f"  #: header, identifier, display number, separator
BLOCK_MOST = 80  #: bytes of information in a block


class Info(enum.IntEnum):
    """US ( B function 48: what to tell; all are answered by a block."""

    FIRMWARE = 65
    MAKER = 66
    NAME = 67
    SERIAL = 68
