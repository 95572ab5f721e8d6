"""The Star Line Mode commands a printer tells apart: how each begins, how long it is, what it is to us.

Source: Star Line Mode command specifications (HSP7000 rev 0.00; line thermal printers), TSP700 programmer's
manual, command list. A command that is not here is unknown to the printer: it loses its first byte or two.
"""

from __future__ import annotations

from simulator.devices.printer.command import (
    Command,
    Length,
    Role,
    fixed,
    little_endian,
    stored_images,
    to_nul,
)

ESC, RS = 0x1B, 0x1E


def to_lf_nul(seen: bytes) -> int:
    end = seen.find(b"\n\0")
    return end + 2 if end >= 0 else len(seen) + 1


def to_rs(seen: bytes) -> int:
    """ESC b: four parameters, then data up to RS."""
    end = seen.find(RS, 4)
    return end + 1 if end >= 0 else max(5, len(seen) + 1)


def image(rows: int) -> Length:
    """n1 n2, then that many columns (or, of a raster, bytes of width) of `rows` bytes each."""
    return lambda seen: 2 + int.from_bytes(seen[:2], "little") * rows if len(seen) >= 2 else 2


def page_length(seen: bytes) -> int:
    """ESC C n in lines; ESC C 0 n in inches."""
    return 2 if seen[:1] == b"\0" else 1


def code_setting(seen: bytes) -> int:
    """ESC GS x S and ESC GS y S: 0 of PDF417 sizes the symbol with three numbers, all else is one."""
    return 4 if seen[:1] == b"0" else 2


def qr_data(seen: bytes) -> int:
    """ESC GS y D: 1 m nL nH data; 2 a, then for each of a parts a kind, nL nH and data."""
    if not seen:
        return 1
    if seen[:1] == b"1":
        return 4 + int.from_bytes(seen[2:4], "little") if len(seen) >= 4 else 4
    if len(seen) < 2:
        return 2
    at = 2
    for _ in range(seen[1]):
        if len(seen) < at + 3:
            return at + 3
        at += 3 + int.from_bytes(seen[at + 1 : at + 3], "little")
    return at


# How many parameters follow ESC and one letter that only sets something.
_SETTINGS: dict[int, bytes] = {
    0: b"@MP:EF45gpq012O\x0e\x14",
    1: b"R/ WhU-_Iy%lQxA3Nr",
    2: b"istS\x07",
}

COMMANDS: tuple[Command, ...] = (
    *(
        Command(
            f"ESC {chr(letter) if letter > 0x20 else format(letter, '02X')}", bytes([ESC, letter]), fixed(n)
        )
        for n, letters in _SETTINGS.items()
        for letter in letters
    ),
    Command("ESC C", b"\x1bC", page_length),
    Command("ESC D", b"\x1bD", to_nul),
    Command("ESC B", b"\x1bB", to_nul),
    Command("ESC #", b"\x1b#", to_lf_nul),
    Command("ESC # *", b"\x1b#*\n\0", fixed(0), Role.QUEUED),
    Command("ESC ? LF NUL", b"\x1b?\n\0", fixed(0), Role.QUEUED),
    Command("ESC FS q", b"\x1b\x1cq", stored_images),
    Command("ESC FS p", b"\x1b\x1cp", fixed(2), Role.PRINTS),
    Command("ESC RS", b"\x1b\x1e", fixed(2)),
    Command("ESC RS a", b"\x1b\x1ea", fixed(1), Role.QUEUED),
    Command("ESC RS E", b"\x1b\x1eE", fixed(1), Role.QUEUED),
    Command("ESC RS L", b"\x1b\x1eL", fixed(1), Role.PRINTS),
    Command("ESC GS", b"\x1b\x1d", fixed(2)),
    Command("ESC GS A", b"\x1b\x1dA", fixed(2)),
    Command("ESC GS R", b"\x1b\x1dR", fixed(2)),
    Command("ESC GS x S", b"\x1b\x1dxS", code_setting),
    Command("ESC GS x D", b"\x1b\x1dxD", little_endian(2)),
    Command("ESC GS x P", b"\x1b\x1dxP", fixed(0), Role.PRINTS),
    Command("ESC GS x I", b"\x1b\x1dxI", fixed(0)),
    Command("ESC GS y S", b"\x1b\x1dyS", fixed(2)),
    Command("ESC GS y D", b"\x1b\x1dyD", qr_data),
    Command("ESC GS y P", b"\x1b\x1dyP", fixed(0), Role.PRINTS),
    Command("ESC GS y I", b"\x1b\x1dyI", fixed(0)),
    Command("ESC * r", b"\x1b*r", to_nul),
    Command("ESC * r A", b"\x1b*rA", fixed(0)),
    Command("ESC * r B", b"\x1b*rB", fixed(0)),
    Command("ESC * r R", b"\x1b*rR", fixed(0)),
    Command("ESC K", b"\x1bK", image(1), Role.PRINTS),
    Command("ESC L", b"\x1bL", image(1), Role.PRINTS),
    Command("ESC X", b"\x1bX", image(3), Role.PRINTS),
    Command("ESC k", b"\x1bk", image(24), Role.PRINTS),
    Command("ESC b", b"\x1bb", to_rs, Role.PRINTS),
    Command("ESC a", b"\x1ba", fixed(1), Role.PRINTS),
    Command("ESC J", b"\x1bJ", fixed(1), Role.PRINTS),
    Command("ESC z", b"\x1bz", fixed(1)),
    Command("ESC d", b"\x1bd", fixed(1), Role.PRINTS),
    Command("ESC FF", b"\x1b\x0c", fixed(1), Role.PRINTS),
    Command("LF", b"\n", fixed(0), Role.PRINTS),
    Command("FF", b"\x0c", fixed(0), Role.PRINTS),
    Command("HT", b"\t", fixed(0), Role.PRINTS),
    Command("VT", b"\x0b", fixed(0), Role.PRINTS),
    Command("BEL", b"\x07", fixed(0), Role.QUEUED),
    Command("ETB", b"\x17", fixed(0), Role.QUEUED),
    Command("CAN", b"\x18", fixed(0), Role.QUEUED),
    Command("FS", b"\x1c", fixed(0), Role.REAL_TIME),
    Command("ENQ", b"\x05", fixed(0), Role.REAL_TIME),
    Command("EOT", b"\x04", fixed(0), Role.REAL_TIME),
    Command("ESC ACK SOH", b"\x1b\x06\x01", fixed(0), Role.REAL_TIME),
)
"""A longer prefix goes before a shorter one that it begins with."""

RASTER: tuple[Command, ...] = (
    Command("b", b"b", image(1), Role.PRINTS),
    Command("k", b"k", image(1), Role.PRINTS),
)
"""Known between ESC * r A and ESC * r B alone: one line of dots each."""
