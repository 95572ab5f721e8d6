"""Names and numbers of ESC/POS status, with the manual page that gives each.

T88: Epson TM-T88III programming guide. U220: Epson TM-U220 specification. CIT: Citizen CBM-1000
appendix. J2000: Epson TM-J2000/J2100 specification. T81: Epson TM-T81 manual. L90: Epson TM-L90
manual. CH: Epson ESC/POS reference, GS ( H function 48.
"""

from __future__ import annotations

import enum

DLE, EOT, ENQ, DC4 = 0x10, 0x04, 0x05, 0x14
ESC, FS, GS, US, NUL, LF = 0x1B, 0x1C, 0x1D, 0x1F, 0x00, 0x0A
XON, XOFF = 0x11, 0x13  # CIT

# How to tell apart what is mixed on one line (CIT): (byte & mask) == value.
STATUS_MASK, STATUS_BITS = 0x93, 0x12  # 0xx1xx10: answer to DLE EOT
ASB_MASK, ASB_BITS = 0x93, 0x10  # 0xx1xx00: first byte of automatic status
TAIL_MASK, TAIL_BITS = 0x90, 0x00  # 0xx0xxxx: its other bytes
ASB_BYTES = 4  # T88 p318

BLOCK_HEADERS = bytes((0x5F, 0x3D, 0x3B, 0x37))  # J2000 p469; each ends with NUL
BLOCK_PROCESS = 0x37  # GS ( H, and others
PROCESS_DONE = 0x22  # second byte of GS ( H's answer, CH
BLOCK_MOST = 128  # more than any documented answer holds (80 characters)


class Query(enum.IntEnum):
    """DLE EOT n: what is asked. T88 p307-308, U220 p54."""

    PRINTER = 1
    OFFLINE_CAUSE = 2
    ERROR_CAUSE = 3
    ROLL_PAPER = 4


class Printer(enum.IntFlag):
    """Answer to DLE EOT 1. T88 p307."""

    PIN3_HIGH = 0x04
    OFFLINE = 0x08


class OfflineCause(enum.IntFlag):
    """Answer to DLE EOT 2. T88 p307."""

    COVER_OPEN = 0x04
    PAPER_END = 0x20


class ErrorCause(enum.IntFlag):
    """Answer to DLE EOT 3. T88 p308."""

    RECOVERABLE = 0x04
    CUTTER = 0x08
    UNRECOVERABLE = 0x20
    AUTO_RECOVERABLE = 0x40  # the head is too hot, or the cover was opened while printing


class RollPaper(enum.IntFlag):
    """Answer to DLE EOT 4. T88 p308; a Maxim MOB-58 sets one bit of each pair."""

    NEAR_END = 0x0C
    END = 0x60


class Asb1(enum.IntFlag):
    """First byte of automatic status. T88 p320, U220 p83."""

    PIN3_HIGH = 0x04
    OFFLINE = 0x08
    COVER_OPEN = 0x20


class Asb2(enum.IntFlag):
    """Second byte. T88 p320."""

    RECOVERABLE = 0x04
    CUTTER = 0x08
    UNRECOVERABLE = 0x20
    AUTO_RECOVERABLE = 0x40


class Asb3(enum.IntFlag):
    """Third byte. T88 p320."""

    NEAR_END = 0x03
    END = 0x0C


class AsbItem(enum.IntFlag):
    """GS a n: what is to be reported by itself. T88 p318."""

    DRAWER = 0x01
    ONLINE = 0x02
    ERROR = 0x04
    ROLL_PAPER = 0x08
    PANEL_SWITCH = 0x40


ASB_ITEM_BITS = {
    AsbItem.DRAWER: bytes((0x04, 0x00, 0x00, 0x00)),
    AsbItem.ONLINE: bytes((0x68, 0x01, 0x00, 0x00)),  # offline, cover, fed by the button, waits to recover
    AsbItem.ERROR: bytes((0x00, 0x6C, 0x00, 0x00)),
    AsbItem.ROLL_PAPER: bytes((0x00, 0x00, 0x0F, 0x00)),
    AsbItem.PANEL_SWITCH: bytes((0x00, 0x02, 0x00, 0x00)),
}
"""Which bits of a frame each item is about. T88 p318, p320."""


class Info(enum.IntEnum):
    """GS I n with a block answer. J2000 p469."""

    FIRMWARE = 65
    MAKER = 66
    MODEL = 67
    SERIAL = 68


class Counter(enum.IntEnum):
    """GS g 2: maintenance counters that cannot be reset. T81 p116, T88 p476."""

    LINES_FED = 148
    CUTS = 178
    HOURS = 198


class Recovery(enum.IntEnum):
    """DLE ENQ n, for errors that can be recovered from. L90 p99, T88 p85."""

    RESTART_LINE = 1
    CLEAR_BUFFERS = 2


PROCESS_ID_BYTES = range(0x20, 0x7F)  # d1..d4 of GS ( H, CH
