"""Names and numbers of Star Line Mode, with the manual page that gives each.

SLM: Star Line Mode Command Specifications for line thermal printers (TSP600, 650, 700, 800, 1000, TUP900).
HSP: the same for the HSP7000, Rev. 0.00. DOT: Star Command Specifications for dot printers, Rev. 0.70.
"""

from __future__ import annotations

import enum

ESC, ACK, SOH, RS, BEL, ETB, LF = 0x1B, 0x06, 0x01, 0x1E, 0x07, 0x17, 0x0A
XON, XOFF = 0x11, 0x13

# How to tell apart what is mixed on one line (DOT 5-6, HSP 5-11): (byte & mask) == value.
HEADER_MASK, HEADER_BITS = 0xD1, 0x01  # 00x0xxx1: first byte of the automatic status
TAIL_MASK, TAIL_BITS = 0x91, 0x00  # 0xx0xxx0: its other bytes
VERSION_MASK, VERSION_BITS = 0x11, 0x00  # the second byte, whose bit 7 says that more follows

LENGTH_LOW, LENGTH_HIGH = 0x0E, 0x20  # of the first byte: the count of bytes, headers included, in 1-3 and 5
FRAME_LEAST, FRAME_MOST = 7, 15  # "up to printer status 5 (7th byte)" is version 1, DOT 5-3
EXTENDED = 0x80  # of the second byte: a length of two bytes follows, and so many bytes of data, DOT 5-7
EXTENSION_MOST = 0x200  # DOT 5-7


class Printer(enum.IntFlag):
    """Third byte: printer status 1."""

    ETB = 0x02  # ETB was executed
    DRAWER_SWITCH = 0x04  # the compulsion switch
    OFFLINE = 0x08
    COVER_OPEN = 0x20
    OFFLINE_SWITCH = 0x40


class Error(enum.IntFlag):
    """Fourth byte: printer status 2."""

    MECHANICAL = 0x04
    CUTTER = 0x08
    UNRECOVERABLE = 0x20
    HEAD_HOT = 0x40


class Error2(enum.IntFlag):
    """Fifth byte: printer status 3."""

    HEAD_UP = 0x02
    PRESENTER_JAM = 0x04
    BLACK_MARK = 0x08
    PAGE_MODE = 0x20
    OVERFLOW = 0x40


class Paper(enum.IntFlag):
    """Sixth byte: printer status 4."""

    NEAR_END_OUTER = 0x02
    NEAR_END_INNER = 0x04
    END = 0x08


COUNTER_BYTE = 7  # the eighth byte: the ETB counter in bits 6, 5, 3, 2, 1; SLM 5-11
COUNTER_HIGH, COUNTER_LOW = 0x60, 0x0E
