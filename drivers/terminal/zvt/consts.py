"""Names and numbers of ZVT, as in PA00P015 and PA00P016 (terminalhersteller.de), by public implementations.

ECR is the till (here: the agent), PT the payment terminal.
"""

from __future__ import annotations

from collections.abc import Mapping

PORT = 20007

# Control fields: class and instruction.
STATUS_ENQUIRY = b"\x05\x01"
DIAGNOSIS = b"\x06\x70"
SELFTEST = b"\x06\x79"
STATUS_INFORMATION = b"\x04\x0f"
INTERMEDIATE_STATUS = b"\x04\xff"
COMPLETION = b"\x06\x0f"
ABORT = b"\x06\x1e"
PRINT_LINE = b"\x06\xd1"
PRINT_TEXT_BLOCK = b"\x06\xd3"
ACK = b"\x80\x00"
ACK_TOO = b"\x84\x00"  #: as older terminals acknowledge
NEGATIVE = 0x84  #: the class of a refusal; its instruction is the code

CLASSES = frozenset((0x01, 0x04, 0x05, 0x06, 0x08, 0x0F, 0x80, 0x84))
"""First bytes that a command or an answer can have."""

LONG = 0xFF  #: as the length: two more bytes hold it, the low one first

# The serial line's frame (transport layer; 9600 baud, 8 bits, no parity).
DLE, STX, ETX = 0x10, 0x02, 0x03
FRAME_ACK, FRAME_NAK = 0x06, 0x15
CRC_POLYNOMIAL = 0x8408  #: reflected, from 0
CHARACTER_S = 0.2  #: T1, between two bytes of a frame
FRAME_ACK_S = 5.0  #: T3
COMMAND_S = 180.0  #: T4, till a command is completed
FRAME_TRIES = 3

# Data fields (BMPs) of status information and completion.
TLV = 0x06
STATUS_BYTE = 0x19
RESULT_CODE = 0x27
TERMINAL_ID = 0x29

LL, LLL = -2, -3  #: a length in two or three bytes of the form Fx, x a digit
TLV_LENGTH = -1  #: a length as BER-TLV has it
FIELD_LENGTHS: Mapping[int, int] = {
    **dict.fromkeys((0x01, 0x02, 0x03, 0x05, 0x19, 0x27, 0x8A, 0x8C, 0xA0, 0xD0, 0xD2, 0xD3), 1),
    **dict.fromkeys((0xE0, 0xE9, 0xEA, 0xF0, 0xF9, 0xFA, 0xFB, 0xFC), 1),
    **dict.fromkeys((0x0D, 0x0E, 0x17, 0x3A, 0x49, 0x87), 2),
    **dict.fromkeys((0x0B, 0x0C, 0x37, 0x3D, 0x88, 0xAA), 3),
    0x29: 4,
    0xBA: 5,
    0x04: 6,
    **dict.fromkeys((0x3B, 0xEB), 8),
    0x2A: 15,
    **dict.fromkeys((0x22, 0x23, 0x2D, 0x8B, 0xA7, 0xD1, *range(0xE1, 0xE9), *range(0xF1, 0xF9)), LL),
    **dict.fromkeys((0x24, 0x2E, 0x3C, 0x60, 0x9A, 0xAF), LLL),
    0x06: TLV_LENGTH,
}
"""How long each field is, so that what is not read can be stepped over."""

# Bits of the status byte of a completion (field 19).
INITIALISATION_NECESSARY = 0x01
DIAGNOSIS_NECESSARY = 0x02
STATUS_BITS = 0x1F

# Result codes, of an abort, a refusal, or a terminal's status.
OK = 0x00
CARD_UNREADABLE = 0x64
READER_MECHANISM = 0x66
TURNOVER_FILE_FULL = 0x6A
NOT_REGISTERED = 0x6B
ABORTED_BY_USER = 0x6C
COMMUNICATION_ERROR = 0x7D
NOT_POSSIBLE = 0x83
PIN_PAD_DEFECTIVE_TOO = 0x89
COMMUNICATION_FAULT = 0x9B
PLEASE_WAIT = 0x9C
RECEIVER_NOT_READY = 0xA0
REMOTE_SILENT = 0xA1
NO_CONNECTION = 0xA3
MEMORY_FULL = 0xB1
JOURNAL_FULL = 0xB2
CARD_LOCK_DEFECTIVE = 0xC0
DIAGNOSIS_REQUIRED = 0xC2
PRINTER_NOT_READY = 0xCC
CARD_INSERTED = 0xDC
CARD_EJECT = 0xDD
CARD_INSERT = 0xDE
REMOTE_MAINTENANCE = 0xE0
CARD_NOT_REMOVED = 0xE1
READER_DEFECTIVE = 0xE2
SHUTTER_CLOSED = 0xE3
PIN_PAD_DEFECTIVE = 0xED
OFFLINE = 0xF1

# Intermediate status.
AUTOMATIC_DIAGNOSIS = 0xC9
AUTOMATIC_INITIALISATION = 0xCA
