"""As much of the X protocol as asks how long ago the last input was. Sans-IO.

Everything is little-endian by our choice at the start, but for Xauthority files, which are not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.errors import ProtocolError
from drivers.screen import consts

SETUP_BYTES_MOST = 1 << 18  #: the protocol's own limit
_SETUP_HEAD = 8


class SetupRefused(Exception):
    """The X server does not let this client in; its own words."""


@dataclass(frozen=True, slots=True)
class Message:
    """A reply or an error of the server's to request number `sequence` (16 bits)."""

    error: int | None
    sequence: int
    data: bytes  #: all 32 bytes


def setup(cookie: bytes) -> bytes:
    """The client's first words; without a cookie where none is known."""
    name = consts.COOKIE if cookie else b""
    head = struct.pack("<BxHHHHxx", consts.LITTLE_ENDIAN, consts.MAJOR, consts.MINOR, len(name), len(cookie))
    return head + _padded(name) + _padded(cookie)


def query_extension(name: bytes) -> bytes:
    padded = _padded(name)
    return struct.pack("<BxHHxx", consts.QUERY_EXTENSION, 2 + len(padded) // 4, len(name)) + padded


def query_info(opcode: int, root: int) -> bytes:
    """MIT-SCREEN-SAVER's question; `opcode` is what the server gave the extension."""
    return struct.pack("<BBHI", opcode, consts.QUERY_INFO, 2, root)


def extension_opcode(reply: Message) -> int | None:
    """None: the server does not have that extension."""
    present, opcode = reply.data[8], reply.data[9]
    return opcode if present else None


def idle_s(reply: Message) -> float:
    """Seconds since the last input of keyboard, pointer or touch."""
    milliseconds: int = struct.unpack_from("<I", reply.data, 16)[0]
    return milliseconds / 1000


class Conversation:
    """What the server says: the setup, then replies. Fed with bytes in any pieces."""

    def __init__(self) -> None:
        self.root: int | None = None  #: the first screen's root window, once the setup came
        self._held = bytearray()
        self._skip = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """Replies and errors; events are passed over. Raises SetupRefused, ProtocolError."""
        self._held += data
        if self.root is None and not self._set_up():
            return
        while True:
            skipped = min(self._skip, len(self._held))
            del self._held[:skipped]
            self._skip -= skipped
            if self._skip or len(self._held) < consts.MESSAGE_BYTES:
                return
            message = bytes(self._held[: consts.MESSAGE_BYTES])
            del self._held[: consts.MESSAGE_BYTES]
            kind, code, sequence, length = struct.unpack_from("<BBHI", message)
            if kind in (consts.REPLY, consts.GENERIC_EVENT, consts.GENERIC_EVENT | consts.SENT):
                self._skip = 4 * length
            if kind in (consts.REPLY, consts.ERROR):
                yield Message(code if kind == consts.ERROR else None, sequence, message)

    def _set_up(self) -> bool:
        if len(self._held) < _SETUP_HEAD:
            return False
        verdict, reason_length, major, _minor, units = struct.unpack_from("<BBHHH", self._held)
        if verdict not in (consts.FAILED, consts.SUCCESS, consts.AUTHENTICATE) or (
            verdict != consts.AUTHENTICATE and major != consts.MAJOR
        ):
            raise ProtocolError("what answers is no X server")
        size = _SETUP_HEAD + 4 * units
        if len(self._held) < size:
            return False
        body = bytes(self._held[_SETUP_HEAD:size])
        del self._held[:size]
        if verdict != consts.SUCCESS:
            reason = body[:reason_length] if verdict == consts.FAILED else body
            raise SetupRefused(reason.rstrip(b"\0").decode("latin-1").strip() or "no reason given")
        self.root = _first_root(body)
        return True


def _first_root(body: bytes) -> int:
    try:
        vendor_length, formats = struct.unpack_from("<16xHxxxB", body)
        root: int = struct.unpack_from("<I", body, 32 + _padded_length(vendor_length) + 8 * formats)[0]
    except struct.error:
        raise ProtocolError("the X server's setup is cut short") from None
    return root


def cookie_for(xauthority: bytes, host: bytes, display: int) -> bytes:
    """The cookie for a display of this machine's out of an Xauthority file; empty if there is none."""
    number = str(display).encode()
    for family, address, of, name, cookie in _entries(xauthority):
        here = family == consts.FAMILY_WILD or (family == consts.FAMILY_LOCAL and address == host)
        if here and of in (b"", number) and name == consts.COOKIE:
            return cookie
    return b""


def _entries(data: bytes) -> Iterator[tuple[int, bytes, bytes, bytes, bytes]]:
    """Entries in order (Xau(3)); one that is cut short ends them."""
    at = 0
    while at + 2 <= len(data):
        family = int.from_bytes(data[at : at + 2], "big")
        at += 2
        parts = []
        for _ in range(4):
            length = int.from_bytes(data[at : at + 2], "big")
            if at + 2 + length > len(data):
                return
            parts.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        address, number, name, cookie = parts
        yield family, address, number, name, cookie


def _padded_length(length: int) -> int:
    return (length + 3) // 4 * 4


def _padded(data: bytes) -> bytes:
    return data.ljust(_padded_length(len(data)), b"\0")
