"""MagTek feature reports: requests out, answers in. Sans-IO.

Manual 99875338-3, p25: [command, length, data] and [result, length, data], each filled up with zeros.

An answer does not name its question. Its length does, as far as it goes: that a late one is taken for another
question's rests on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from drivers.reader.magtek.consts import (
    COUNTER_BYTES,
    DATA_MOST,
    GET_PROPERTY,
    HIGHEST_RESULT,
    SERIAL_MOST,
    SOFTWARE_ID_BYTES,
    Property,
    Result,
)

LENGTHS = {
    Property.SOFTWARE_ID: range(SOFTWARE_ID_BYTES, SOFTWARE_ID_BYTES + 1),
    Property.USB_SERIAL: range(SERIAL_MOST + 1),
    Property.DEVICE_SERIAL: range(SERIAL_MOST + 1),
    Property.SEQUENCE_COUNTER: range(COUNTER_BYTES, COUNTER_BYTES + 1),
}
REFUSALS = {what: range(0 if what is Property.SOFTWARE_ID else DATA_MOST) for what in Property}
"""Every reader has a software id: it is never refused."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Count:
    count: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The reader has no such property, or not now."""

    result: int


class Wrong:
    """No answer to that question."""


Answer: TypeAlias = Text | Count | Refused


def get(what: Property) -> bytes:
    """Get Property, p26: changes nothing."""
    return bytes((GET_PROPERTY, 1, what))


def read(what: Property, report: bytes) -> Answer | Wrong | None:
    """What a report answers to `get(what)`; None while it is not all there."""
    if len(report) < 2:
        return Wrong() if report and report[0] > HIGHEST_RESULT else None
    result, length, data = report[0], report[1], report[2 : 2 + report[1]]
    lengths = LENGTHS[what] if result == Result.SUCCESS else REFUSALS[what]
    if result > HIGHEST_RESULT or length not in lengths:
        return Wrong()
    if len(data) < length:
        return None
    if result != Result.SUCCESS:
        return Refused(result)
    return _count(data) if what is Property.SEQUENCE_COUNTER else _text(data)


def answers_another(report: bytes) -> bool:
    """Whether it is an answer to anything that is ever asked."""
    return any(not isinstance(read(what, report), Wrong | None) for what in Property)


def _count(data: bytes) -> Count:
    return Count(int.from_bytes(data, "little"))


def _text(data: bytes) -> Text | Wrong:
    text = data.decode("ascii", "replace")
    return Text(text) if text.isprintable() and text.isascii() else Wrong()
