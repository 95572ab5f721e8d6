"""Epson's display commands as bytes, and the blocks that come back. Sans-IO.

57 20 30 1F <1 to 80 bytes> 00      answer to US ( B; which one, only the asker knows
"""

from __future__ import annotations

from drivers.display.dmd.consts import (
    BLOCK_MOST,
    BLOCK_START,
    BRIGHTNESS,
    CLR,
    HANDSHAKE,
    LEVELS,
    NUL,
    SELFTEST,
    US,
    Info,
)


class Parser:
    """Takes the display's bytes in any pieces; keeps at most one unfinished block."""

    def __init__(self) -> None:
        self.noise = False  #: something came that is not the protocol, since the last `reset`
        self._block = bytearray()

    def reset(self) -> None:
        """Forget what is unfinished: a new question begins."""
        self.noise = False
        self._block.clear()

    def feed(self, data: bytes) -> list[bytes]:
        """The information in each block that `data` completes; equal for every way of cutting a stream."""
        blocks = []
        for byte in data:
            if self._block and not self._fits(byte):
                self.noise = True
                self._block.clear()
            if not self._block:
                if byte == BLOCK_START[0]:
                    self._block.append(byte)
                elif byte != NUL:  # what pads a transfer
                    self.noise = True
                continue
            self._block.append(byte)
            if byte == NUL:
                blocks.append(bytes(self._block[len(BLOCK_START) : -1]))
                self._block.clear()
        return blocks

    def _fits(self, byte: int) -> bool:
        at = len(self._block)
        if at < len(BLOCK_START):
            return byte == BLOCK_START[at]
        if byte == NUL:
            return at > len(BLOCK_START)
        return 0x20 <= byte <= 0x7E and at < len(BLOCK_START) + BLOCK_MOST


def ask_info(info: Info) -> bytes:
    """US ( B function 48: answers with a block."""
    return bytes((US, ord("("), ord("B"), 0x02, 0x00, 0x30, info))


def show(lines: tuple[str, ...]) -> bytes:
    """CLR, then both lines, each full: the cursor goes from the first to the second by itself."""
    return bytes((CLR,)) + "".join(lines).encode("ascii")


def selftest() -> bytes:
    """US @: its own test; the text is gone then."""
    return bytes((US, SELFTEST))


def handshake(line: int) -> bytes:
    """US v: its DTR to MARK, or to SPACE as soon as it is ready."""
    return bytes((US, HANDSHAKE, line))


CLEAR = bytes((CLR,))
BRIGHTNESSES = tuple(bytes((US, BRIGHTNESS, level)) for level in LEVELS)
