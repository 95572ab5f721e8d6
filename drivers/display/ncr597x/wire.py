"""NCR's display commands as bytes, and what comes back. Sans-IO.

1xxxxxxx                the id byte: IdByte
0xxxxxxx <characters>   a length and so many characters: Text
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from drivers.display.ncr597x.consts import (
    BRIGHTNESS,
    CURSOR,
    DISPLAY_ON,
    ERASE,
    ESC,
    ID_BYTE,
    ID_MARK,
    ID_TEXT,
    LEVELS,
    LINES,
    SCREEN,
)


@dataclass(frozen=True, slots=True)
class IdByte:
    value: int


@dataclass(frozen=True, slots=True)
class Text:
    """Characters of whatever set is selected, one byte each."""

    body: bytes


Event: TypeAlias = IdByte | Text


class Parser:
    """Takes the display's bytes in any pieces; keeps at most one unfinished text, of 127 bytes."""

    def __init__(self) -> None:
        self.noise = False  #: something came that is not the protocol, since the last `reset`
        self._missing = 0
        self._body = bytearray()

    def reset(self) -> None:
        """Forget what is unfinished: a new question begins."""
        self.noise = False
        self._missing = 0
        self._body.clear()

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes; equal for every way of cutting a stream into pieces."""
        events: list[Event] = []
        for byte in data:
            if self._missing:
                self._body.append(byte)
                self._missing -= 1
                if not self._missing:
                    events.append(Text(bytes(self._body)))
                    self._body.clear()
            elif byte & ID_MARK:
                events.append(IdByte(byte))
            elif byte:
                self._missing = byte
            else:
                self.noise = True
        return events


ASK_ID = bytes((ESC, ID_BYTE))
"""Answers with an IdByte."""
ASK_TEXT = bytes((ESC, ID_TEXT))
"""Answers with a Text: maker, model or part, firmware, on some the serial number."""
ASK_SCREEN = bytes((ESC, SCREEN))
"""Answers with a Text of eighty characters: what is displayed now."""

CLEAR = bytes((ESC, ERASE))
ON = bytes((ESC, DISPLAY_ON))
"""What is on the display can be seen; after power-up it cannot."""


def show(lines: tuple[str, ...]) -> bytes:
    """Erased, then what stands in each line. `lines` are full, and printable ASCII."""
    return CLEAR + b"".join(
        bytes((ESC, CURSOR, position)) + text.encode("ascii")
        for position, line in zip(LINES, lines, strict=True)
        if (text := line.rstrip())
    )


BRIGHTNESSES = tuple(bytes((ESC, BRIGHTNESS, level)) for level in LEVELS)
