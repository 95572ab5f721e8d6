"""ViVOtech2 frames: commands out, answers in. Sans-IO. Layout: NEO 2 Interface Developer's Guide, p28.

    "ViVOtech2" 00 | command | sub-command or status | length, high byte first | data | CRC

The CRC's low byte comes first in a command, its high byte in an answer; p119 prints one answer the other way
round, so both are taken there. Bytes of a frame that nobody asked for are not kept: they may be a card's.
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass

from drivers.reader.vivotech.consts import CRC_BYTES, CRC_INIT, DATA_MOST, HEADER_BYTES, TAG, Ask


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is a `consts.Status`, or a number that the guide does not have."""

    command: int
    status: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """So many bytes that are no frame; broken frames included."""

    count: int


class Frames:
    """Takes bytes in any pieces; keeps one unfinished frame at most. Zeros between frames are passed over."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def reset(self) -> None:
        """The link was opened anew."""
        self._rest.clear()

    def feed(self, data: bytes) -> list[Answer | Noise]:
        """What `data` completes, in order."""
        found: list[Answer | Noise] = []
        for start in range(0, len(data), DATA_MOST):
            self._rest += data[start : start + DATA_MOST]
            self._split(found)
        return found

    def _split(self, found: list[Answer | Noise]) -> None:
        while self._rest:
            noise = self._skip()
            if noise:
                found.append(Noise(noise))
            end = self._end()
            # A tag inside says that the frame before it broke off, or that its length is wrong: no text or
            # number that is asked for here holds one.
            inner = self._rest.find(TAG, 1, end)
            if inner > 0:
                found.append(Noise(inner))
                del self._rest[:inner]
            elif end is None:
                return
            else:
                found.append(self._frame(end))

    def _skip(self) -> int:
        """Drop what stands before the next tag; how much of it was noise."""
        at = self._rest.find(TAG)
        if at < 0:
            at = len(self._rest) - self._begun()
        skipped = self._rest[:at]
        del self._rest[:at]
        return len(skipped) - skipped.count(0)

    def _begun(self) -> int:
        """How many of the last bytes may be a tag's first."""
        return next((n for n in range(len(TAG) - 1, 0, -1) if self._rest.endswith(TAG[:n])), 0)

    def _end(self) -> int | None:
        """Where the frame at the front ends; None if it is not all there."""
        if len(self._rest) < HEADER_BYTES:
            return None
        length = int.from_bytes(self._rest[HEADER_BYTES - 2 : HEADER_BYTES], "big")
        end = HEADER_BYTES + length + CRC_BYTES
        return end if len(self._rest) >= end or length > DATA_MOST else None

    def _frame(self, end: int) -> Answer | Noise:
        frame = bytes(self._rest[:end])
        body, check = frame[:-CRC_BYTES], frame[-CRC_BYTES:]
        right = _crc(body).to_bytes(CRC_BYTES, "big")
        if end > HEADER_BYTES + DATA_MOST + CRC_BYTES or check not in (right, right[::-1]):
            del self._rest[: len(TAG)]
            return Noise(len(TAG))
        del self._rest[:end]
        command, status = body[len(TAG)], body[len(TAG) + 1]
        return Answer(command, status, body[HEADER_BYTES:] if command in _ASKED else b"")


def request(ask: Ask) -> bytes:
    """The frame of a command."""
    command, sub_command, data = ask.value
    body = TAG + bytes((command, sub_command)) + len(data).to_bytes(2, "big") + data
    return body + _crc(body).to_bytes(CRC_BYTES, "little")


def _crc(body: bytes) -> int:
    """CRC-16, polynomial 1021, from FFFF, not reflected."""
    return crc_hqx(body, CRC_INIT)


_ASKED = frozenset(ask.value[0] for ask in Ask)
