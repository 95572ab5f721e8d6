"""SNMP's tags (RFC 1157, RFC 3416) and the printer's objects (RFC 2790, RFC 3805)."""

from __future__ import annotations

import enum

PORT = 161

Oid = tuple[int, ...]


class Version(enum.IntEnum):
    V1 = 0
    V2C = 1


class Pdu(enum.IntEnum):
    GET = 0xA0
    GET_NEXT = 0xA1
    RESPONSE = 0xA2


class Tag(enum.IntEnum):
    INTEGER = 0x02
    OCTETS = 0x04
    NULL = 0x05
    OID = 0x06
    SEQUENCE = 0x30
    IP_ADDRESS = 0x40
    COUNTER32 = 0x41
    GAUGE32 = 0x42
    TICKS = 0x43
    OPAQUE = 0x44
    COUNTER64 = 0x46
    NO_SUCH_OBJECT = 0x80
    NO_SUCH_INSTANCE = 0x81
    END_OF_VIEW = 0x82


WHOLE_NUMBERS = frozenset({Tag.INTEGER, Tag.COUNTER32, Tag.GAUGE32, Tag.TICKS, Tag.COUNTER64})
NOTHING = frozenset({Tag.NULL, Tag.NO_SUCH_OBJECT, Tag.NO_SUCH_INSTANCE, Tag.END_OF_VIEW})

NO_SUCH_NAME = 2
"""SNMPv1's error for a whole question of which one object is not there."""

_MIB2: Oid = (1, 3, 6, 1, 2, 1)
_HOST: Oid = (*_MIB2, 25, 3)
_PRINTER: Oid = (*_MIB2, 43)

SYS_DESCR: Oid = (*_MIB2, 1, 1, 0)
DEVICE_DESCR: Oid = (*_HOST, 2, 1, 3)
PRINTER_STATUS: Oid = (*_HOST, 5, 1, 1)
DETECTED_ERRORS: Oid = (*_HOST, 5, 1, 2)
"""hr*: one row for each device of the host; the printer's row is mostly 1."""

SERIAL: Oid = (*_PRINTER, 5, 1, 1, 17)
INPUT_MAX: Oid = (*_PRINTER, 8, 2, 1, 9)
INPUT_LEVEL: Oid = (*_PRINTER, 8, 2, 1, 10)
MARKER_UNIT: Oid = (*_PRINTER, 10, 2, 1, 3)
MARKER_LIFE: Oid = (*_PRINTER, 10, 2, 1, 4)
"""prt*: the row of the host's device, and for the last four a row of their own."""


class PrinterStatus(enum.IntEnum):
    """hrPrinterStatus."""

    OTHER = 1
    UNKNOWN = 2
    IDLE = 3
    PRINTING = 4
    WARMUP = 5


ERROR_BITS = (
    "lowPaper",
    "noPaper",
    "lowToner",
    "noToner",
    "doorOpen",
    "jammed",
    "offline",
    "serviceRequested",
    "inputTrayMissing",
    "outputTrayMissing",
    "markerSupplyMissing",
    "outputNearFull",
    "outputFull",
    "inputTrayEmpty",
    "overduePreventMaint",
)
"""hrPrinterDetectedErrorState; bit 0 is the most significant of the first byte."""

COUNTER_UNITS = {7: "impressions", 5: "characters", 6: "lines", 8: "sheets", 9: "dotRow", 11: "hours"}
"""prtMarkerCounterUnit."""
