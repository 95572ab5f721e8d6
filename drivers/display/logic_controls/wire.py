"""Logic Controls' command set as bytes. It has no answers. Sans-IO."""

from __future__ import annotations

from drivers.display.logic_controls.consts import BRIGHTNESS, DIGIT_SELECT, LEVELS, LOWER, NORMAL, UPPER


def show(lines: tuple[str, ...]) -> bytes:
    """Normal mode, and each line from its first position. `lines` are full, and printable ASCII."""
    return bytes((NORMAL,)) + b"".join(
        bytes((DIGIT_SELECT, position)) + line.encode("ascii")
        for position, line in zip((UPPER, LOWER), lines, strict=True)
    )


CLEAR = show((" " * 20, " " * 20))
"""Its only command that clears, 1F, resets the settings too."""
BRIGHTNESSES = tuple(bytes((BRIGHTNESS, level)) for level in LEVELS)
