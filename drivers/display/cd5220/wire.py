"""CD5220 as bytes. It has no answers. Sans-IO."""

from __future__ import annotations

from drivers.display.cd5220.consts import BRIGHTNESS, CLR, CR, ESC, LEVELS, LINE, LINES


def show(lines: tuple[str, ...]) -> bytes:
    """ESC Q A and ESC Q B: each replaces its line. `lines` are printable ASCII."""
    return b"".join(
        bytes((ESC, LINE, which)) + line.encode("ascii") + bytes((CR,))
        for which, line in zip(LINES, lines, strict=True)
    )


CLEAR = bytes((CLR,))
BRIGHTNESSES = tuple(CLEAR + bytes((ESC, BRIGHTNESS, level)) for level in LEVELS)
"""With a CLR before it: while lines stand there, nothing else is taken."""
