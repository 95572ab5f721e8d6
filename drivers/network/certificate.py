"""Reads who a certificate is for and when it ends: the few fields of X.509 (RFC 5280) that people ask for.

Nothing is verified here; OpenSSL does that. Raises ValueError for what is no certificate.
"""

from __future__ import annotations

import base64
import calendar
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

MOST_BYTES = 512 * 1024  #: Debian's bundle of all that is trusted has 220 KB
DAY_S = 86_400.0
SOON_S = 30 * DAY_S
SOON_SHARE = 1 / 5  #: of its life; one that lives for weeks is renewed later than 30 days before its end

INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
VERSION, EXTENSIONS = 0xA0, 0xA3
DNS_NAME, IP_ADDRESS = 0x82, 0x87
BMP_STRING = 0x1E

_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
_ATTRIBUTES = {
    bytes.fromhex("550403"): "CN",
    bytes.fromhex("55040a"): "O",
    bytes.fromhex("55040b"): "OU",
    bytes.fromhex("550406"): "C",
}
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Times are seconds since the epoch."""

    subject: str
    issuer: str
    begins_s: float
    ends_s: float
    names: tuple[str, ...] = ()  #: the hosts it is for

    def ends_soon(self, wall_s: float) -> bool:
        """Whether somebody ought to renew it."""
        return self.ends_s - wall_s < min(SOON_S, SOON_SHARE * (self.ends_s - self.begins_s))


def read(der: bytes) -> Certificate:
    """One certificate in DER."""
    (whole,) = _items(der[:MOST_BYTES])
    fields = [item for item in _items(_first(whole[1])) if item[0] != VERSION]
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, then optional ones
    if len(fields) < 6:
        raise ValueError("a certificate has more fields")
    issuer, validity, subject = (value for _tag, value in fields[2:5])
    begins, ends = _items(validity)
    return Certificate(
        subject=_name(subject),
        issuer=_name(issuer),
        begins_s=_time(*begins),
        ends_s=_time(*ends),
        names=tuple(_hosts(fields[6:])),
    )


def read_pem(text: bytes) -> list[Certificate]:
    """Every certificate of a PEM file; what else stands in it is passed over."""
    return [read(base64.b64decode(body)) for body in _PEM.findall(text[:MOST_BYTES])]


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, value) of each element in a row."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("cut off")
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise ValueError("a length that DER does not have")
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + length > len(data):
            raise ValueError("cut off")
        yield tag, data[at : at + length]
        at += length


def _first(data: bytes) -> bytes:
    for _tag, value in _items(data):
        return value
    raise ValueError("empty")


def _name(data: bytes) -> str:
    """`CN=..., O=...`: what the certificate says of a name, in its order."""
    parts = []
    for _tag, relative in _items(data):
        for _tag, pair in _items(relative):
            (_, kind), (tag, value) = _items(pair)
            text = value.decode("utf-16-be" if tag == BMP_STRING else "utf-8", "replace")
            parts.append(f"{_ATTRIBUTES.get(kind, 'other')}={text}")
    return ", ".join(part for part in parts if not part.startswith("other=")) or ", ".join(parts)


def _time(tag: int, value: bytes) -> float:
    """UTCTime's two-digit years go from 1950 to 2049 (section 4.1.2.5.1)."""
    digits = value.decode("ascii").removesuffix("Z")
    if tag == UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    if len(digits) != 14 or not digits.isdigit():
        raise ValueError(f"no time: {value!r}")
    parts = [int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2))]
    return float(calendar.timegm((*parts, 0, 0, 0)))


def _hosts(fields: list[tuple[int, bytes]]) -> Iterator[str]:
    for tag, value in fields:
        if tag != EXTENSIONS:
            continue
        for _tag, extension in _items(_first(value)):
            parts = list(_items(extension))
            if parts and parts[0][1] == _SUBJECT_ALT_NAME:
                for kind, name in _items(_first(parts[-1][1])):
                    if kind == DNS_NAME:
                        yield name.decode("ascii", "replace")
                    elif kind == IP_ADDRESS and len(name) in (4, 16):
                        yield socket.inet_ntop(socket.AF_INET if len(name) == 4 else socket.AF_INET6, name)
