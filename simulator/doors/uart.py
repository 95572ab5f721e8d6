"""What a UART hears of bytes sent at another speed: the same levels, sampled at the wrong moments."""

from __future__ import annotations

import math

_CELLS = 10
"""A byte on the line: start bit, eight data bits, stop bit."""


def byte_s(baud: int) -> float:
    return _CELLS / baud


def heard(data: bytes, sent_baud: int, heard_baud: int) -> bytes:
    """`data` as a receiver set to `heard_baud` reads it; within about 4 percent it reads it right."""
    if sent_baud == heard_baud:
        return data
    step = sent_baud / heard_baud
    cells = [level for byte in data for level in (0, *((byte >> bit) & 1 for bit in range(8)), 1)]
    read = bytearray()
    start = _falling_edge(cells, 0)
    while start < len(cells):
        samples = (_level(cells, start + (1.5 + bit) * step) << bit for bit in range(8))
        read.append(sum(samples))
        start = _falling_edge(cells, math.ceil(start + (_CELLS - 0.5) * step))
    return bytes(read)


def _level(cells: list[int], at: float) -> int:
    """The line rests high after the last cell."""
    return cells[int(at)] if at < len(cells) else 1


def _falling_edge(cells: list[int], first: int) -> int:
    """The next cell from `first` on where a start bit begins."""
    for at in range(first, len(cells)):
        if cells[at] == 0 and (at == 0 or cells[at - 1] == 1):
            return at
    return len(cells)
