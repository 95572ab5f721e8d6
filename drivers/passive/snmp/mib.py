"""What a printer's objects mean (RFC 2790 hrPrinter*, RFC 3805 prt*). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.api import Json, Power
from drivers.identity import printable
from drivers.passive.snmp.consts import (
    COUNTER_UNITS,
    DETECTED_ERRORS,
    DEVICE_DESCR,
    ERROR_BITS,
    INPUT_LEVEL,
    INPUT_MAX,
    MARKER_LIFE,
    MARKER_UNIT,
    PRINTER_STATUS,
    SERIAL,
    SYS_DESCR,
    Oid,
    PrinterStatus,
)
from drivers.passive.snmp.wire import Value
from drivers.passive.source import Findings

CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "cover_open": ("doorOpen",),
    "paper_end": ("noPaper", "inputTrayEmpty"),
    "paper_near_end": ("lowPaper",),
    "paper_jam": ("jammed",),
    "cartridge_empty": ("noToner", "markerSupplyMissing"),
    "cartridge_near_empty": ("lowToner",),
    "printer_offline": ("offline",),
}
"""Kind -> the detected errors that mean it. CUPS, too, found `serviceRequested` to mean nothing reliable."""

_OF_NONE_THAT_WORKS = frozenset({"offline", "inputTrayEmpty"})
"""Many printers show these while they print: off line as asleep, one tray of several empty."""

_WORKS = (PrinterStatus.IDLE, PrinterStatus.PRINTING, PrinterStatus.WARMUP)
_TEXT_MOST = 120
_LIFE_NAMES = {
    "hours": "HoursPoweredCount",
    "lines": "ReceiptLinePrintedCount",
    "characters": "ReceiptCharacterPrintedCount",
}
"""Unit -> the UnifiedPOS name; others have none, and count as what the MIB calls them."""


def objects(row: int) -> tuple[Oid, ...]:
    """What is asked of the printer that is the host's device `row`."""
    return (
        (*PRINTER_STATUS, row),
        (*DETECTED_ERRORS, row),
        (*DEVICE_DESCR, row),
        SYS_DESCR,
        (*SERIAL, row),
        (*MARKER_LIFE, row, 1),
        (*MARKER_UNIT, row, 1),
        (*INPUT_LEVEL, row, 1),
        (*INPUT_MAX, row, 1),
    )


def findings(row: int, values: Mapping[Oid, Value]) -> Findings:
    """What those values say; an object that is not there says nothing."""
    status = values.get((*PRINTER_STATUS, row))
    raw = values.get((*DETECTED_ERRORS, row))
    detected = _detected(raw, status)
    identity = {
        "model": _text(values.get((*DEVICE_DESCR, row))) or _text(values.get(SYS_DESCR)),
        "serial": _text(values.get((*SERIAL, row))),
    }
    known = PrinterStatus(status) if isinstance(status, int) and status in tuple(PrinterStatus) else None
    facts: dict[str, Json] = {}
    level = _level_pct(values.get((*INPUT_LEVEL, row, 1)), values.get((*INPUT_MAX, row, 1)))
    if level is not None:
        facts["paper_level_pct"] = level
    evidence: dict[str, Json] = {"printer_status": None if known is None else known.name.lower()}
    if isinstance(raw, bytes):
        evidence["detected_errors"] = raw[:8].hex()
    said = ", ".join(detected) if detected else "no error" if detected is not None else "no error state"
    return Findings(
        conditions={
            kind: None if detected is None else any(error in detected for error in errors)
            for kind, errors in CONDITIONS.items()
        },
        power=Power.UNKNOWN if status is None else Power.ONLINE,
        in_use=known is PrinterStatus.PRINTING if known in _WORKS else None,
        identity={name: text for name, text in identity.items() if text},
        facts=facts,
        statistics=_statistics(values.get((*MARKER_LIFE, row, 1)), values.get((*MARKER_UNIT, row, 1))),
        evidence=evidence,
        says=f"{evidence['printer_status'] or 'no printer status'}, {said}",
    )


def is_printer(row: int, values: Mapping[Oid, Value]) -> bool:
    return values.get((*PRINTER_STATUS, row)) is not None


def _detected(raw: Value, status: Value) -> tuple[str, ...] | None:
    """The errors by name. RFC 1514's agents send one byte, RFC 2790's two; both are in the field.

    An empty string is "nothing detected" of a printer that says it works, and nothing of any other.
    """
    if not isinstance(raw, bytes) or (not raw and status not in _WORKS):
        return None
    return tuple(
        name
        for number, name in enumerate(ERROR_BITS)
        if number // 8 < len(raw)
        and raw[number // 8] & 0x80 >> number % 8
        and not (name in _OF_NONE_THAT_WORKS and status in _WORKS)
    )


def _level_pct(level: Value, most: Value) -> float | None:
    """Negative levels are words: other, unknown, at least one left (RFC 3805 prtInputCurrentLevel)."""
    if not isinstance(level, int) or not isinstance(most, int) or most <= 0 or not 0 <= level <= most:
        return None
    return round(100 * level / most)


def _statistics(life: Value, unit: Value) -> dict[str, float]:
    if not isinstance(life, int) or life < 0:
        return {}
    name = COUNTER_UNITS.get(unit) if isinstance(unit, int) else None
    return {_LIFE_NAMES.get(name or "", "MarkerLifeCount"): float(life)}


def _text(value: Value) -> str:
    if not isinstance(value, bytes):
        return ""
    return printable(value.decode("utf-8", "replace").replace("\0", " "), _TEXT_MOST)
