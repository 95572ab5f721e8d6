"""The printer's bytes in whole answers, none of them lost. Sans-IO.

The same kinds as in `wire`, for one who passes on what was said: each piece keeps its bytes. XON
and XOFF are pieces of their own, given at once, also when they stand inside a frame.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from drivers.printer.escpos.consts import (
    ASB_BITS,
    ASB_BYTES,
    ASB_MASK,
    BLOCK_HEADERS,
    BLOCK_MOST,
    NUL,
    STATUS_BITS,
    STATUS_MASK,
    TAIL_BITS,
    TAIL_MASK,
    US,
    XOFF,
    XON,
)


class Form(enum.Enum):
    """What a piece is by its bytes alone."""

    STATUS = "answers DLE EOT"
    SHORT = "one byte 0xx0xxxx"
    FRAME = "automatic status"
    BLOCK = "a block, with header and NUL"
    FLOW = "XON or XOFF"
    LOOSE = "none of these"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of the printer's bytes that belong together."""

    form: Form
    raw: bytes


class Splitter:
    """Takes the printer's bytes in any pieces; keeps at most one unfinished frame."""

    def __init__(self) -> None:
        self._frame = bytearray()

    @property
    def unfinished(self) -> bool:
        """A frame is begun."""
        return bool(self._frame)

    def flush(self) -> list[Piece]:
        """The rest of the frame will not come: what came of it."""
        return [Piece(Form.LOOSE, self._taken())] if self._frame else []

    def feed(self, data: bytes) -> list[Piece]:
        """What `data` completes; equal for every way of cutting a stream into pieces."""
        pieces: list[Piece] = []
        for byte in data:
            if byte in (XON, XOFF):
                pieces.append(Piece(Form.FLOW, bytes((byte,))))
                continue
            if self._frame and not self._fits(byte):
                pieces += self.flush()
            if self._frame:
                self._continue(byte, pieces)
            else:
                self._begin(byte, pieces)
        return pieces

    def _taken(self) -> bytes:
        raw = bytes(self._frame)
        self._frame.clear()
        return raw

    def _in_block(self) -> bool:
        return self._frame[0] in BLOCK_HEADERS

    def _fits(self, byte: int) -> bool:
        if self._in_block():  # some blocks hold fields, with US between them
            return byte == NUL or (byte >= US and len(self._frame) <= BLOCK_MOST)
        return byte & TAIL_MASK == TAIL_BITS

    def _continue(self, byte: int, pieces: list[Piece]) -> None:
        self._frame.append(byte)
        if self._in_block():
            if byte == NUL:
                pieces.append(Piece(Form.BLOCK, self._taken()))
        elif len(self._frame) == ASB_BYTES:
            pieces.append(Piece(Form.FRAME, self._taken()))

    def _begin(self, byte: int, pieces: list[Piece]) -> None:
        if byte & STATUS_MASK == STATUS_BITS:
            pieces.append(Piece(Form.STATUS, bytes((byte,))))
        elif byte & ASB_MASK == ASB_BITS or byte in BLOCK_HEADERS:
            self._frame.append(byte)
        else:
            form = Form.SHORT if byte & TAIL_MASK == TAIL_BITS else Form.LOOSE
            pieces.append(Piece(form, bytes((byte,))))
