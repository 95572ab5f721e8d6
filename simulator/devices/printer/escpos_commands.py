"""The ESC/POS commands a printer tells apart, as data: how each begins, how long it is, what it is to us.

Source: Epson TM-T88III programming guide (p84-85, 307-320, 476) and the ESC/POS command reference; lengths
of the multi-byte families as in kunif/EscPosUtils. A command that is not here is unknown to the printer.
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

ESC, FS, GS, DLE = 0x1B, 0x1C, 0x1D, 0x10
LF, FF, CR, HT, CAN = 0x0A, 0x0C, 0x0D, 0x09, 0x18


def family(seen: bytes) -> int:
    """A function letter, pL, pH, then the parameters: GS (, FS (, ESC (."""
    return 3 + int.from_bytes(seen[1:3], "little") if len(seen) >= 3 else 3


def by_first(table: dict[int, int], otherwise: int) -> Length:
    """The first parameter decides how many there are."""
    return lambda seen: table.get(seen[0], otherwise) if seen else 1


def raster(seen: bytes) -> int:
    """GS v 0: m xL xH yL yH, then x times y bytes."""
    if len(seen) < 5:
        return 5
    return 5 + int.from_bytes(seen[1:3], "little") * int.from_bytes(seen[3:5], "little")


def columns(seen: bytes) -> int:
    """ESC *: m nL nH, then n columns of one byte (8 dots) or three (24 dots)."""
    if len(seen) < 3:
        return 3
    return 3 + int.from_bytes(seen[1:3], "little") * (3 if seen[0] >= 32 else 1)


def downloaded(seen: bytes) -> int:
    """GS *: x y, then x times y times 8 bytes."""
    return 2 + seen[0] * seen[1] * 8 if len(seen) >= 2 else 2


def characters(seen: bytes) -> int:
    """ESC &: y c1 c2, then for each character its width x and x times y bytes."""
    if len(seen) < 3:
        return 3
    at = 3
    for _ in range(max(0, seen[2] - seen[1] + 1)):
        if at >= len(seen):
            return at + 1
        at += 1 + seen[at] * seen[0]
    return at


def barcode(seen: bytes) -> int:
    """GS k: up to m=6 the data ends with NUL; from 65 on it is counted."""
    if not seen:
        return 1
    if seen[0] <= 6:
        return 1 + to_nul(seen[1:])
    if 65 <= seen[0] <= 79:
        return 2 + seen[1] if len(seen) >= 2 else 2
    return 1


def nv_data(seen: bytes) -> int:
    """FS g 1 (write: m, 4 of address, nL nH, data) and FS g 2 (read: m, 4 of address, nL nH)."""
    if not seen or seen[0] != 0x31:
        return 8
    return 8 + int.from_bytes(seen[6:8], "little") if len(seen) >= 8 else 8


# How many parameters follow a command of two bytes that only sets something.
_SETTINGS: dict[int, dict[int, bytes]] = {
    ESC: {0: b"2<LS", 1: b" !%-3=?EGMRTUVartu{", 2: b"$\\Bcf", 3: b"p", 8: b"W"},
    FS: {0: b"&.", 1: b"!-CW", 2: b"?S", 74: b"2"},
    GS: {0: b":c", 1: b"!BEHTbfhw", 2: b"$LPW\\", 3: b"^z"},
}
_LETTERS = {ESC: "ESC", FS: "FS", GS: "GS"}

COMMANDS: tuple[Command, ...] = (
    *(
        Command(f"{_LETTERS[lead]} {chr(letter)}", bytes([lead, letter]), fixed(count), Role.SETTING)
        for lead, by_count in _SETTINGS.items()
        for count, letters in by_count.items()
        for letter in letters
    ),
    Command("ESC @", b"\x1b@", fixed(0), Role.SETTING),
    Command("ESC D", b"\x1bD", to_nul, Role.SETTING),
    Command("ESC &", b"\x1b&", characters, Role.SETTING),
    Command("ESC (", b"\x1b(", family, Role.SETTING),
    Command("FS (", b"\x1c(", family, Role.SETTING),
    Command("FS q", b"\x1cq", stored_images, Role.SETTING),
    Command("FS g", b"\x1cg", nv_data, Role.SETTING),
    Command("GS *", b"\x1d*", downloaded, Role.SETTING),
    Command("GS C", b"\x1dC", by_first({0x30: 3, 0x31: 7, 0x32: 3}, 1), Role.SETTING),
    Command("GS (", b"\x1d(", family, Role.SETTING),
    Command("GS 8 L", b"\x1d8L", little_endian(4), Role.SETTING),
    Command("LF", b"\n", fixed(0), Role.PRINTS),
    Command("FF", b"\x0c", fixed(0), Role.PRINTS),
    Command("CR", b"\r", fixed(0), Role.PRINTS),
    Command("HT", b"\t", fixed(0), Role.PRINTS),
    Command("ESC FF", b"\x1b\x0c", fixed(0), Role.PRINTS),
    Command("ESC d", b"\x1bd", fixed(1), Role.PRINTS),
    Command("ESC e", b"\x1be", fixed(1), Role.PRINTS),
    Command("ESC J", b"\x1bJ", fixed(1), Role.PRINTS),
    Command("ESC K", b"\x1bK", fixed(1), Role.PRINTS),
    Command("ESC i", b"\x1bi", fixed(0), Role.PRINTS),
    Command("ESC m", b"\x1bm", fixed(0), Role.PRINTS),
    Command("ESC *", b"\x1b*", columns, Role.PRINTS),
    Command("FS p", b"\x1cp", fixed(2), Role.PRINTS),
    Command("GS /", b"\x1d/", fixed(1), Role.PRINTS),
    Command("GS V", b"\x1dV", by_first({0: 1, 1: 1, 0x30: 1, 0x31: 1}, 2), Role.PRINTS),
    Command("GS k", b"\x1dk", barcode, Role.PRINTS),
    Command("GS v 0", b"\x1dv0", raster, Role.PRINTS),
    Command("GS Q 0", b"\x1dQ0", raster, Role.PRINTS),
    Command("GS ( k", b"\x1d(k", little_endian(2), Role.PRINTS),
    Command("GS ( L", b"\x1d(L", little_endian(2), Role.PRINTS),
    Command("GS a", b"\x1da", fixed(1), Role.AUTO_STATUS),
    Command("GS I", b"\x1dI", fixed(1), Role.QUERY),
    Command("GS r", b"\x1dr", fixed(1), Role.QUERY),
    Command("GS j", b"\x1dj", fixed(1), Role.QUERY),
    Command("GS g 0", b"\x1dg0", fixed(3), Role.SETTING),
    Command("GS g 2", b"\x1dg2", fixed(3), Role.QUERY),
    Command("GS ( H", b"\x1d(H", little_endian(2), Role.QUERY),
    Command("DLE EOT", b"\x10\x04", by_first({7: 2, 8: 2, 18: 2}, 1), Role.REAL_TIME),
    Command("DLE ENQ", b"\x10\x05", fixed(1), Role.REAL_TIME),
    Command("DLE DC4 1", b"\x10\x14\x01", fixed(2), Role.REAL_TIME),
    Command("DLE DC4 2", b"\x10\x14\x02", fixed(2), Role.REAL_TIME),
    Command("DLE DC4 7", b"\x10\x14\x07", fixed(1), Role.REAL_TIME),
    Command("DLE DC4 8", b"\x10\x14\x08", fixed(7), Role.REAL_TIME),
)
"""A longer prefix goes before a shorter one that it begins with."""
