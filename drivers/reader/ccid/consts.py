"""Names and numbers of the USB CCID class, revision 1.1; the section of its specification is given."""

from __future__ import annotations

import enum

HEADER_BYTES = 10
DATA_MOST = 261  #: of an answer to a short APDU; longer answers are asked for by nobody here
ATR_BYTES = range(2, 34)  #: ISO 7816-3, 8.1


class Command(enum.IntEnum):
    """Bulk OUT, 6.1: all that is ever sent."""

    POWER_ON = 0x62
    POWER_OFF = 0x63
    GET_SLOT_STATUS = 0x65


class Answer(enum.IntEnum):
    """Bulk IN, 6.2: what answers those."""

    DATA_BLOCK = 0x80
    SLOT_STATUS = 0x81


class Notice(enum.IntEnum):
    """Interrupt IN, 6.3."""

    SLOT_CHANGE = 0x50
    HARDWARE_ERROR = 0x51


HARDWARE_ERROR_BYTES = 4  # 6.3.2
OVER_CURRENT = 0x01  # 6.3.2, bHardwareErrorCode

# bStatus, 6.2.6
CARD_MASK = 0x03
FAILED = 0x40
TIME_EXTENSION = 0x80


class Card(enum.IntEnum):
    """bmICCStatus, 6.2.6."""

    ACTIVE = 0
    INACTIVE = 1
    ABSENT = 2


class Power(enum.IntEnum):
    """bPowerSelect of IccPowerOn, 6.1.1."""

    AUTOMATIC = 0
    VOLT_5 = 1


class Error(enum.IntEnum):
    """bError of a command that failed, 6.2.6. Below 80: the place of a parameter that is wrong."""

    NOT_SUPPORTED = 0x00
    BAD_SLOT = 0x05
    BAD_POWER = 0x07
    SHORT_CIRCUIT = 0xA2
    SLOT_BUSY = 0xE0
    AUTOMATIC_SEQUENCE = 0xF2
    HARDWARE = 0xFB
    MUTE = 0xFE


PARAMETERS_WRONG = range(0x80)
"""The command was not carried out, so it says nothing of the reader."""
BUSY = (Error.SLOT_BUSY, Error.AUTOMATIC_SEQUENCE)
