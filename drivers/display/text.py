"""What a character display is told to show: lines of its size, of characters that every one has. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

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


class ShownText(str):
    """What a config key may say that is to be shown; raises ValueError where it cannot be shown as it is."""

    __slots__ = ()

    def __new__(cls, text: str, size: Size = TWO_BY_TWENTY) -> Self:
        lines = text.split("\n")
        longest = max(len(line) for line in lines)
        if len(lines) > size.rows or longest > size.columns:
            raise ValueError(
                f"expected at most {size.rows} lines of {size.columns} characters, split by \\n, "
                f"not {len(lines)} of up to {longest}"
            )
        for character in text:
            if character != "\n" and _plain(character) != character:
                raise ValueError(
                    f"expected printable ASCII characters, which every display has; {character!r} is none"
                )
        return super().__new__(cls, text)


def _plain(line: str) -> str:
    return "".join(c if " " <= c <= "~" else REPLACEMENT for c in line)
