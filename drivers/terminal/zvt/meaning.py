"""What a payment terminal's answers mean. Pure.

A terminal tells one code at a time: a code says that its trouble is there, and nothing of the others; a
completion without any says that there is none. A code that concerns a card or a customer says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.api import Json
from drivers.identity import printable
from drivers.terminal.zvt import consts
from drivers.terminal.zvt.wire import Apdu, begins_with_field, counted, fields

KINDS: tuple[str, ...] = (
    "reader_defective",
    "pin_pad_defective",
    "not_registered",
    "diagnosis_required",
    "memory_full",
    "communication_fault",
    "printer_not_ready",
)

CODES: Mapping[int, str] = {
    consts.READER_MECHANISM: "reader_defective",
    consts.CARD_LOCK_DEFECTIVE: "reader_defective",
    consts.READER_DEFECTIVE: "reader_defective",
    consts.SHUTTER_CLOSED: "reader_defective",
    consts.PIN_PAD_DEFECTIVE_TOO: "pin_pad_defective",
    consts.PIN_PAD_DEFECTIVE: "pin_pad_defective",
    consts.NOT_REGISTERED: "not_registered",
    consts.DIAGNOSIS_REQUIRED: "diagnosis_required",
    consts.TURNOVER_FILE_FULL: "memory_full",
    consts.MEMORY_FULL: "memory_full",
    consts.JOURNAL_FULL: "memory_full",
    consts.COMMUNICATION_ERROR: "communication_fault",
    consts.COMMUNICATION_FAULT: "communication_fault",
    consts.REMOTE_SILENT: "communication_fault",
    consts.NO_CONNECTION: "communication_fault",
    consts.OFFLINE: "communication_fault",
    consts.PRINTER_NOT_READY: "printer_not_ready",
}

HARMLESS = (consts.CARD_INSERTED, consts.CARD_NOT_REMOVED)
"""Of a completion, these say that a customer's card is in, and that nothing is wrong."""

BUSY = (consts.PLEASE_WAIT, consts.RECEIVER_NOT_READY)

_FLAGS: Mapping[str, str] = {
    "reader_defective": "CardReaderOKFlag",
    "pin_pad_defective": "PEDOKFlag",
    "communication_fault": "CommunicationOKFlag",
}
"""Condition -> nexo's flag that it is fine."""

_TEXT_MOST = 60
_WANTED = frozenset((consts.STATUS_BYTE, consts.RESULT_CODE, consts.TERMINAL_ID))


@dataclass(frozen=True, slots=True)
class Said:
    """What was read of one message: codes that are not 0, and who says so."""

    codes: tuple[int, ...] = ()
    identity: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """One command, answered. `completed`: it was done, not aborted or refused."""

    completed: bool
    codes: tuple[int, ...] = ()
    identity: Mapping[str, str] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return self.completed and not set(self.codes).difference(HARMLESS)

    @property
    def busy(self) -> bool:
        return any(code in BUSY for code in self.codes)


def read(apdu: Apdu) -> Said:
    """Result codes, status and ids of a message; everything else in it stays unread, card data above all."""
    if apdu.control == consts.ABORT:
        return Said(_codes(apdu.data[:1]))
    if apdu.control == consts.STATUS_INFORMATION:
        return _fields(apdu.data)
    if apdu.control == consts.COMPLETION:
        return _completion(apdu.data)
    if apdu.control[0] == consts.NEGATIVE:
        return Said(_codes(apdu.control[1:]))
    return Said()


def _completion(data: bytes) -> Said:
    """To a status enquiry: the software's version (LLLVAR) if it tells that, then its status; else fields.

    Some codes are numbers of fields too, so where a version stands, the status is behind it.
    """
    identity: dict[str, str] = {}
    span = counted(data, 0, 3)
    if span is not None:
        start, length = span
        if version := printable(data[start : start + length].decode("ascii", "replace"), _TEXT_MOST):
            identity["firmware"] = version
        data = data[start + length :]
    if span is not None or not begins_with_field(data):
        return Said(_codes(data[:1]), identity | dict(_fields(data[1:]).identity))
    rest = _fields(data)
    return Said(rest.codes, identity | dict(rest.identity))


def _fields(data: bytes) -> Said:
    found = fields(data, _WANTED)
    codes = _codes(found.get(consts.RESULT_CODE, b"")) + _status(found.get(consts.STATUS_BYTE, b""))
    terminal = found.get(consts.TERMINAL_ID, b"").hex()
    return Said(codes, {"terminal_id": terminal} if terminal.isdigit() else {})


def _status(byte: bytes) -> tuple[int, ...]:
    if not byte or byte[0] & ~consts.STATUS_BITS:  # no bits, so a code
        return _codes(byte)
    return (consts.DIAGNOSIS_REQUIRED,) if byte[0] & consts.DIAGNOSIS_NECESSARY else ()


def _codes(byte: bytes) -> tuple[int, ...]:
    return tuple(byte) if byte != bytes((consts.OK,)) else ()


def conditions(answer: Answer) -> dict[str, bool | None]:
    """Of each kind: there, not there, or not said."""
    told = {CODES[code] for code in answer.codes if code in CODES}
    return {kind: True if kind in told else False if answer.clean else None for kind in KINDS}


def poi_status(answer: Answer) -> dict[str, Json]:
    """In nexo's names (Sale to POI, POIStatus); what is not known is absent."""
    known = conditions(answer)
    status: dict[str, Json] = {
        flag: not value for kind, flag in _FLAGS.items() if (value := known[kind]) is not None
    }
    if known["printer_not_ready"] is not None:
        status["PrinterStatus"] = "OutOfOrder" if known["printer_not_ready"] else "OK"
    if answer.clean:
        status["GlobalStatus"] = "OK"
    elif answer.busy:
        status["GlobalStatus"] = "Busy"
    elif consts.REMOTE_MAINTENANCE in answer.codes:
        status["GlobalStatus"] = "Maintenance"
    return {name: status[name] for name in sorted(status)}


def shown(codes: Sequence[int]) -> str:
    """For a technician: each code, with what we make of it."""
    return ", ".join(f"{code:02X} ({CODES.get(code, 'see the manual').replace('_', ' ')})" for code in codes)
