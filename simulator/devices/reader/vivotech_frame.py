"""ViVOtech2 frames as the reader sees them: commands found in a stream of bytes, responses put together.

Source: ID TECH NEO 2 Interface Developer's Guide (80139403-002), p28 (status codes), p42 (HID reports), p119.
Tag (10), command, sub-command (in a response: status), length high, length low, data, CRC. The CRC covers the
whole frame; it comes low byte first in commands, high byte first in responses.
"""

from __future__ import annotations

from dataclasses import dataclass

TAG = b"ViVOtech2\0"
HEAD_BYTES = len(TAG) + 4
DATA_BYTES_MOST = 1024
"""What its buffer takes; the guide names no number."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One command. `intact`: its CRC is right; `fits`: it is short enough for the buffer."""

    command: int
    sub: int
    data: bytes = b""
    intact: bool = True
    fits: bool = True


def crc(data: bytes) -> int:
    """CRC-16, polynomial 0x1021, initial value 0xFFFF, not reflected."""
    value = 0xFFFF
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


def response(command: int, status: int, data: bytes = b"") -> bytes:
    frame = TAG + bytes((command, status)) + len(data).to_bytes(2, "big") + data
    return frame + crc(frame).to_bytes(2, "big")


class Frames:
    """Finds commands, however the bytes are cut. What is none (zeros between reports, noise) is skipped."""

    def __init__(self) -> None:
        self._held = bytearray()

    def held(self) -> int:
        return len(self._held)

    def clear(self) -> None:
        self._held.clear()

    def feed(self, data: bytes) -> list[Frame]:
        self._held += data
        found: list[Frame] = []
        while (frame := self._next()) is not None:
            found.append(frame)
        return found

    def _next(self) -> Frame | None:
        self._skip()
        if len(self._held) < HEAD_BYTES:
            return None
        command, sub = self._held[len(TAG)], self._held[len(TAG) + 1]
        length = int.from_bytes(self._held[HEAD_BYTES - 2 : HEAD_BYTES], "big")
        if length > DATA_BYTES_MOST:
            del self._held[:HEAD_BYTES]
            return Frame(command, sub, fits=False)
        end = HEAD_BYTES + length
        if len(self._held) < end + 2:
            return None
        sent = int.from_bytes(self._held[end : end + 2], "little")
        intact = sent == crc(bytes(self._held[:end]))
        data = bytes(self._held[HEAD_BYTES:end])
        # The length of a broken frame may be wrong: the next one may begin inside it.
        del self._held[: end + 2 if intact else len(TAG)]
        return Frame(command, sub, data, intact=intact)

    def _skip(self) -> None:
        """Drop what stands before the next tag, or before what may become one."""
        at = self._held.find(TAG)
        if at < 0:
            kept = next(n for n in range(len(TAG) - 1, -1, -1) if self._held.endswith(TAG[:n]))
            at = len(self._held) - kept
        del self._held[:at]
