"""Aedex as bytes. It has no answers. Sans-IO."""

from __future__ import annotations

from drivers.display.aedex.consts import ATTENTION, BOTTOM, CR, TOP

_HARMLESS = ATTENTION[:1] + b"?"


def show(lines: tuple[str, ...]) -> bytes:
    """Each replaces its line. `lines` are printable ASCII; the attention code in them is broken up."""
    return b"".join(_line(which, line) for which, line in zip((TOP, BOTTOM), lines, strict=True))


def _line(which: int, line: str) -> bytes:
    return ATTENTION + bytes((which,)) + line.encode("ascii").replace(ATTENTION, _HARMLESS) + bytes((CR,))


CLEAR = show((" " * 20, " " * 20))
"""There is no command that clears and keeps the settings."""
