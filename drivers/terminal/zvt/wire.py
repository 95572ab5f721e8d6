"""ZVT's bytes: commands (APDUs), bare as TCP carries them and framed as a serial line does. Sans-IO.

What a terminal sends may hold card numbers, so an APDU's data is not shown by `repr`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.errors import ProtocolError
from drivers.terminal.zvt.consts import (
    ACK,
    CLASSES,
    CRC_POLYNOMIAL,
    DLE,
    ETX,
    FIELD_LENGTHS,
    FRAME_ACK,
    FRAME_NAK,
    LONG,
    STX,
    TLV_LENGTH,
)

_CONTROL = 2
_LONG_HEAD = 5


@dataclass(frozen=True, slots=True)
class Apdu:
    """One command or answer: class and instruction, and what comes with it."""

    control: bytes
    data: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        length = len(self.data)
        if length < LONG:
            return self.control + bytes((length,)) + self.data
        return self.control + bytes((LONG,)) + length.to_bytes(2, "little") + self.data


POSITIVE = Apdu(ACK)


@dataclass(frozen=True, slots=True)
class FrameAck:
    """The other side has the frame."""


@dataclass(frozen=True, slots=True)
class FrameNak:
    """The other side wants the frame again."""


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that did not arrive whole."""


Event: TypeAlias = Apdu | FrameAck | FrameNak | BadFrame


class Stream:
    """APDUs one behind the other, as over TCP. At most 65 kB are kept."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Apdu]:
        """Raises ProtocolError at a byte that begins no APDU: where the next one begins cannot be known."""
        self._bytes += data
        found = []
        while self._bytes:
            if self._bytes[0] not in CLASSES:
                self._bytes.clear()
                raise ProtocolError("what the terminal sends is not ZVT")
            head, length = _head(self._bytes)
            if not head or len(self._bytes) < head + length:
                break
            found.append(Apdu(bytes(self._bytes[:_CONTROL]), bytes(self._bytes[head : head + length])))
            del self._bytes[: head + length]
        return found

    def partial(self) -> bool:
        return bool(self._bytes)


class Frames:
    """What comes over a serial line: frames with a checksum, and the word whether ours arrived."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._escaped = False
        self._inside = False
        self._crc: bytearray | None = None  # the body is whole, and its checksum comes

    def feed(self, data: bytes) -> list[Event]:
        found = [event for byte in data if (event := self._take(byte)) is not None]
        if len(self._body) > _LONG_HEAD + 0xFFFF:
            self.reset()
            found.append(BadFrame())
        return found

    def partial(self) -> bool:
        return self._inside or self._escaped

    def reset(self) -> None:
        """The line fell silent within a frame."""
        self._body.clear()
        self._escaped = self._inside = False
        self._crc = None

    def _take(self, byte: int) -> Event | None:
        if self._crc is not None:
            self._crc.append(byte)
            return self._whole() if len(self._crc) == 2 else None
        if self._escaped:
            self._escaped = False
            return self._after_dle(byte)
        if byte == DLE:
            self._escaped = True
        elif self._inside:
            self._body.append(byte)
        elif byte == FRAME_ACK:
            return FrameAck()
        elif byte == FRAME_NAK:
            return FrameNak()
        return None

    def _after_dle(self, byte: int) -> Event | None:
        if byte == STX:
            broken = self._inside
            self._body.clear()
            self._inside = True
            return BadFrame() if broken else None
        if not self._inside:
            return None
        if byte == DLE:
            self._body.append(DLE)
        elif byte == ETX:
            self._crc = bytearray()
        else:
            self.reset()
            return BadFrame()
        return None

    def _whole(self) -> Event:
        body, came = bytes(self._body), int.from_bytes(self._crc or b"", "little")
        self.reset()
        head, length = _head(body)
        if came != crc(body + bytes((ETX,))) or not head or len(body) != head + length:
            return BadFrame()
        return Apdu(body[:_CONTROL], body[head:])


def frame(apdu: Apdu) -> bytes:
    """As a serial line carries it: DLE STX, the APDU with each DLE doubled, DLE ETX, the checksum."""
    body = apdu.encode()
    doubled = body.replace(bytes((DLE,)), bytes((DLE, DLE)))
    checksum = crc(body + bytes((ETX,))).to_bytes(2, "little")
    return bytes((DLE, STX)) + doubled + bytes((DLE, ETX)) + checksum


def crc(data: bytes) -> int:
    """CRC-16 with the reflected polynomial 0x8408, from 0 (Kermit's)."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (CRC_POLYNOMIAL if value & 1 else 0)
    return value


def fields(data: bytes, wanted: frozenset[int]) -> dict[int, bytes]:
    """The fields (BMPs) of these numbers. All others are stepped over unread, up to one of unknown length."""
    found: dict[int, bytes] = {}
    for number, start, end in _spans(data):
        if number in wanted:
            found[number] = data[start:end]
    return found


def begins_with_field(data: bytes) -> bool:
    """Whether a whole field stands there."""
    return next(_spans(data), None) is not None


def _spans(data: bytes) -> Iterator[tuple[int, int, int]]:
    at = 0
    while at < len(data) and (length := FIELD_LENGTHS.get(data[at])) is not None:
        number, start = data[at], at + 1
        if length < 0:
            span = _tlv_length(data, start) if length == TLV_LENGTH else counted(data, start, -length)
            if span is None:
                return
            start, length = span
        at = start + length
        if at > len(data):
            return
        yield number, start, at


def counted(data: bytes, at: int, digits: int) -> tuple[int, int] | None:
    """Of an LLVAR or LLLVAR: where its content starts, and its length; None where it is none."""
    given = data[at : at + digits]
    if len(given) < digits or any(byte >> 4 != 0xF or byte & 0xF > 9 for byte in given):
        return None
    return at + digits, int("".join(str(byte & 0xF) for byte in given))


def _tlv_length(data: bytes, at: int) -> tuple[int, int] | None:
    first = data[at : at + 1]
    if not first:
        return None
    if first[0] < 0x80:
        return at + 1, first[0]
    more = first[0] & 0x7F
    given = data[at + 1 : at + 1 + more]
    return (at + 1 + more, int.from_bytes(given, "big")) if 1 <= more <= 2 and len(given) == more else None


def _head(data: bytes | bytearray) -> tuple[int, int]:
    """How long the head is, and what follows it; (0, 0) while that cannot be told."""
    if len(data) <= _CONTROL:
        return 0, 0
    if data[_CONTROL] != LONG:
        return _CONTROL + 1, data[_CONTROL]
    if len(data) < _LONG_HEAD:
        return 0, 0
    return _LONG_HEAD, int.from_bytes(data[3:_LONG_HEAD], "little")
