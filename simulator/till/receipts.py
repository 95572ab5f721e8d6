"""Receipts as a till program sends them: text, a logo as raster image, a QR code, a cut. Pure.

Commands from the TM-T88III programming guide, the QR code from the ESC/POS command reference.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_INIT = b"\x1b@"
_CENTRE, _LEFT = b"\x1ba\x01", b"\x1ba\x00"
_BOLD, _PLAIN = b"\x1bE\x01", b"\x1bE\x00"
_CUT = b"\x1dV\x42\x00"
_COLUMNS = 42
_LOGO_WIDTH_BYTES, _LOGO_ROWS = 24, 64
_GOODS = (
    ("Espresso", 220),
    ("Flat white", 380),
    ("Croissant", 260),
    ("Orange juice", 450),
    ("Mineral water", 210),
    ("Cheese roll", 490),
    ("Carrot cake", 420),
)


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale: how long its goods take to be rung up, and its receipt."""

    number: int
    ringing_s: float
    receipt: bytes


def sale(number: int, chance: random.Random, *, longest_s: float) -> Sale:
    """The sale of that number; the same again for the same `chance`."""
    lines = [chance.choice(_GOODS) for _ in range(chance.randint(1, 12))]
    parts = [_INIT, _CENTRE]
    if number % 2:
        parts.append(_logo(chance))
    parts += [_BOLD, b"CORNER CAFE\n", _PLAIN, _LEFT, f"Receipt {number:06}\n\n".encode()]
    parts += [_line(name, cents) for name, cents in lines]
    parts += [b"-" * _COLUMNS + b"\n", _BOLD, _line("TOTAL", sum(cents for _, cents in lines)), _PLAIN]
    if number % 3 == 0:
        parts += [_CENTRE, _qr(f"https://receipt.example/{number:06}".encode()), _LEFT]
    parts += [b"\nThank you\n", _CUT]
    return Sale(number, chance.uniform(longest_s / 4, longest_s), b"".join(parts))


def _line(name: str, cents: int) -> bytes:
    price = f"{cents // 100}.{cents % 100:02}"
    return f"{name:<{_COLUMNS - len(price)}}{price}\n".encode()


def _logo(chance: random.Random) -> bytes:
    """GS v 0 with bytes of every kind, as dithered pictures have them."""
    size = _LOGO_WIDTH_BYTES.to_bytes(2, "little") + _LOGO_ROWS.to_bytes(2, "little")
    return b"\x1dv0\x00" + size + chance.randbytes(_LOGO_WIDTH_BYTES * _LOGO_ROWS)


def _qr(text: bytes) -> bytes:
    """GS ( k: store, then print."""
    store = b"\x1d(k" + (len(text) + 3).to_bytes(2, "little") + b"1P0" + text
    return store + b"\x1d(k\x03\x001Q0"
