"""What a character display is told to show: lines of its size, of characters that every one has. Pure."""

from __future__ import annotations

from dataclasses import dataclass

REPLACEMENT = "?"
PATTERN = ("TILLWATCH TEST 12345", "ABCDEFGHIJKLMNOPQRST")
"""For a technician to look at, and to be read back; each line full, so that a dead column shows."""


@dataclass(frozen=True, slots=True)
class Size:
    rows: int = 2
    columns: int = 20


TWO_BY_TWENTY = Size()


def fitted(text: str, size: Size) -> tuple[str, ...]:
    """`text` as `size.rows` lines of `size.columns` printable ASCII characters each.

    Lines are split at a line feed. What is too long is cut; what is not printable ASCII becomes `?`, so no
    text can hold a control byte.
    """
    given = text.split("\n")[: size.rows]
    given += [""] * (size.rows - len(given))
    return tuple(_plain(line)[: size.columns].ljust(size.columns) for line in given)


def fits(text: str, size: Size) -> bool:
    """Whether all of it can be shown as it stands."""
    lines = text.split("\n")
    return len(lines) <= size.rows and all(
        len(line) <= size.columns and _plain(line) == line for line in lines
    )


def _plain(line: str) -> str:
    return "".join(c if " " <= c <= "~" else REPLACEMENT for c in line)
