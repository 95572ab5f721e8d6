"""SNMP messages v1 and v2c (RFC 1157, RFC 3416) in BER: GET and GETNEXT out, the response in.

Sans-IO. Only what these messages need of BER: definite lengths, tags of one byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from drivers.errors import ProtocolError
from drivers.passive.snmp.consts import NOTHING, WHOLE_NUMBERS, Oid, Pdu, Tag, Version

Value: TypeAlias = int | bytes | Oid | None
"""None: there is no such object, or it has no value."""

VALUES_MOST = 64
OID_MOST = 128  #: sub-identifiers (RFC 2578 3.5)


@dataclass(frozen=True, slots=True)
class Response:
    """`error` is 0 if there is none; `index` counts from 1 and says which object it is about."""

    request: int
    error: int
    index: int
    values: tuple[tuple[Oid, Value], ...]


def ask(version: Version, community: bytes, pdu: Pdu, request: int, oids: Sequence[Oid]) -> bytes:
    """One question; `request` comes back in its answer."""
    names = (_tlv(Tag.SEQUENCE, _oid(oid) + _tlv(Tag.NULL, b"")) for oid in oids)
    body = _integer(request) + _integer(0) + _integer(0) + _tlv(Tag.SEQUENCE, b"".join(names))
    return _tlv(Tag.SEQUENCE, _integer(version) + _tlv(Tag.OCTETS, community) + _tlv(pdu, body))


def read(data: bytes) -> Response:
    """A response; raises ProtocolError for anything else. Bytes behind the message are passed over."""
    message = _Reader(_Reader(data).expect(Tag.SEQUENCE))
    message.integer()
    message.expect(Tag.OCTETS)  # the community; never looked at, never shown
    body = _Reader(message.expect(Pdu.RESPONSE))
    request, error, index = body.integer(), body.integer(), body.integer()
    bindings = _Reader(body.expect(Tag.SEQUENCE))
    values: list[tuple[Oid, Value]] = []
    while bindings.more():
        if len(values) == VALUES_MOST:
            raise ProtocolError("SNMP: more values than were asked for")
        binding = _Reader(bindings.expect(Tag.SEQUENCE))
        name = _read_oid(binding.expect(Tag.OID))
        values.append((name, binding.value()))
    return Response(request, error, index, tuple(values))


class _Reader:
    """Tag, length, value; one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._data)

    def next(self) -> tuple[int, bytes]:
        tag, length = self._byte(), self._byte()
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise ProtocolError("SNMP: a length that BER does not have here")
            length = int.from_bytes(self._bytes(count))
        return tag, self._bytes(length)

    def expect(self, wanted: int) -> bytes:
        tag, content = self.next()
        if tag != wanted:
            raise ProtocolError(f"SNMP: tag {tag:#04x} where {wanted:#04x} belongs")
        return content

    def integer(self) -> int:
        return _read_integer(self.expect(Tag.INTEGER), signed=True)

    def value(self) -> Value:
        tag, content = self.next()
        if tag in NOTHING:
            return None
        if tag in WHOLE_NUMBERS:
            return _read_integer(content, signed=tag == Tag.INTEGER)
        if tag == Tag.OID:
            return _read_oid(content)
        return content  # octets, and what else is best taken as such

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise ProtocolError("SNMP: the message ends too early")
        self._at += count
        return taken


def _read_integer(content: bytes, *, signed: bool) -> int:
    if not 1 <= len(content) <= 9:  # a 64-bit counter with its leading zero
        raise ProtocolError("SNMP: a number of impossible length")
    return int.from_bytes(content, signed=signed)


def _read_oid(content: bytes) -> Oid:
    numbers: list[int] = []
    number = 0
    for place, byte in enumerate(content):
        number = number << 7 | byte & 0x7F
        if number >= 1 << 32 or len(numbers) == OID_MOST:
            raise ProtocolError("SNMP: an object name beyond all bounds")
        if not byte & 0x80:
            numbers.append(number)
            number = 0
        elif place == len(content) - 1:
            raise ProtocolError("SNMP: an object name that ends too early")
    if not numbers:
        return ()
    first = min(numbers[0] // 40, 2)
    return (first, numbers[0] - 40 * first, *numbers[1:])


def _oid(oid: Oid) -> bytes:
    content = bytearray()
    for number in (40 * oid[0] + oid[1], *oid[2:]):
        sevens = [number & 0x7F]
        while number := number >> 7:
            sevens.append(number & 0x7F | 0x80)
        content += bytes(reversed(sevens))
    return _tlv(Tag.OID, bytes(content))


def _integer(number: int) -> bytes:
    return _tlv(Tag.INTEGER, number.to_bytes(number.bit_length() // 8 + 1, signed=True))


def _tlv(tag: int, content: bytes) -> bytes:
    count = len(content)
    if count < 0x80:
        return bytes((tag, count)) + content
    length = count.to_bytes((count.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content
