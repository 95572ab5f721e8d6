"""Reads a HID report descriptor: which feature reports there are, and whether it is a keyboard. Pure.

Device Class Definition for HID 1.11, 6.2.2 (items), 5.6 (report ids) and the HID Usage Tables 1.12, 3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

_KEYS = 0x07  #: usage page Keyboard/Keypad
_DESKTOP = 0x01
_KEYBOARDS = frozenset({0x06, 0x07})  #: usages Keyboard and Keypad of the desktop page
_LONG = 0xFE

# Tag and type of a short item, its size bits cleared.
_INPUT, _OUTPUT, _FEATURE, _COLLECTION, _END_COLLECTION = 0x80, 0x90, 0xB0, 0xA0, 0xC0
_MAIN = frozenset({_INPUT, _OUTPUT, _FEATURE, _COLLECTION, _END_COLLECTION})
_USAGE_PAGE, _REPORT_SIZE, _REPORT_ID, _REPORT_COUNT, _PUSH, _POP = 0x04, 0x74, 0x84, 0x94, 0xA4, 0xB4
_USAGE = 0x08
_BITS_MOST = 8 * 0x3FFE  # an ioctl has 14 bits for a buffer's length, and the id needs one of its bytes
_NUMBERS = range(256)  # a report's id is one byte
_FIELDS = {_USAGE_PAGE: "page", _REPORT_SIZE: "size_bits", _REPORT_COUNT: "count", _REPORT_ID: "number"}


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature report. `number` 0: reports have no ids here. `size_bytes` without the id."""

    number: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Reports:
    """What a descriptor says, in its order."""

    features: tuple[Feature, ...]
    types_keys: bool  #: it is a keyboard to whoever reads it


@dataclass(frozen=True, slots=True)
class _Globals:
    page: int = 0
    size_bits: int = 0
    count: int = 0
    number: int = 0


def parse(descriptor: bytes) -> Reports:
    """What can be read of it; a descriptor that is cut short ends there."""
    now = _Globals()
    stack: list[_Globals] = []
    usages: list[int] = []
    bits: dict[int, int] = {}
    keys = False
    for tag, value in _items(descriptor):
        if tag in _FIELDS:
            now = dataclasses.replace(now, **{_FIELDS[tag]: value})
        elif tag == _PUSH:
            stack.append(now)
        elif tag == _POP and stack:
            now = stack.pop()
        elif tag == _USAGE:  # one of four bytes carries its own page
            usages.append(value if value > 0xFFFF else now.page << 16 | value)
        elif tag == _FEATURE:
            bits[now.number] = bits.get(now.number, 0) + now.size_bits * now.count
        if tag in _MAIN:
            inputs_keys = tag == _INPUT and now.page == _KEYS
            keys |= inputs_keys or any(_is_keyboard(usage) for usage in usages)
            usages.clear()
    return Reports(
        tuple(
            Feature(number, -(-size // 8))
            for number, size in bits.items()
            if 0 < size <= _BITS_MOST and number in _NUMBERS
        ),
        keys,
    )


def _is_keyboard(usage: int) -> bool:
    page, name = usage >> 16, usage & 0xFFFF
    return page == _KEYS or (page == _DESKTOP and name in _KEYBOARDS)


def _items(descriptor: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(descriptor):
        prefix = descriptor[at]
        if prefix == _LONG:
            at += 3 + (descriptor[at + 1] if at + 1 < len(descriptor) else 0)
            continue
        size = (0, 1, 2, 4)[prefix & 3]
        data = descriptor[at + 1 : at + 1 + size]
        if len(data) < size:
            return
        yield prefix & 0xFC, int.from_bytes(data, "little")
        at += 1 + size
