"""The USB/IP protocol 1.1.1, the side that exports a device. Sans-IO: bytes in, requests and replies out.

Source: Linux, Documentation/usb/usbip_protocol.rst; offsets and values as printed there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

VERSION = 0x0111
OK, REFUSED = 0, 1
MOST_BYTES = 1 << 20
"""The most that one transfer carries."""

_COMMON = struct.Struct(">HHI")
_REQ_DEVLIST, _REP_DEVLIST, _REQ_IMPORT, _REP_IMPORT = 0x8005, 0x0005, 0x8003, 0x0003
_BUSID_BYTES = 32
_DEVICE = struct.Struct(">256s32sIIIHHHBBBBBB")
_BASIC = struct.Struct(">IIIII")
_SUBMIT = struct.Struct(">IIIII8s")
_RET_SUBMIT = struct.Struct(">iIIII8x")
_UNLINK = struct.Struct(">I24x")
_RET_UNLINK = struct.Struct(">i24x")
_HEADER_BYTES = 48
_CMD_SUBMIT, _CMD_UNLINK, _REPLY_SUBMIT, _REPLY_UNLINK = 1, 2, 3, 4
_NOT_ISOCHRONOUS = 0xFFFFFFFF
_FULL_SPEED = 2


class BadMessageError(ValueError):
    """What came is not this protocol; nothing after it can be read."""


@dataclass(frozen=True, slots=True)
class DevList:
    """What do you export?"""


@dataclass(frozen=True, slots=True)
class Import:
    """I attach this one."""

    busid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """A transfer. `endpoint` with its direction bit; `setup` for endpoint 0."""

    seqnum: int
    endpoint: int
    flags: int
    length: int
    setup: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Unlink:
    """Give up an earlier transfer."""

    seqnum: int
    unlinked: int


Request = DevList | Import | Submit | Unlink


class Decoder:
    """Takes what one client sends, however it is cut."""

    def __init__(self) -> None:
        self.imported = False  #: from then on transfers come, and nothing else
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        self._held += data

    def next(self) -> Request | None:
        """The next whole request; None until more comes. `BadMessageError` for anything else."""
        return self._next_transfer() if self.imported else self._next_operation()

    def _next_operation(self) -> Request | None:
        if len(self._held) < _COMMON.size:
            return None
        version, code, _ = _COMMON.unpack_from(self._held)
        if version != VERSION:
            raise BadMessageError(f"version {version:#06x}")
        if code == _REQ_DEVLIST:
            self._take(_COMMON.size)
            return DevList()
        if code != _REQ_IMPORT:
            raise BadMessageError(f"operation {code:#06x}")
        if len(self._held) < _COMMON.size + _BUSID_BYTES:
            return None
        busid = self._take(_COMMON.size + _BUSID_BYTES)[_COMMON.size :]
        return Import(busid.split(b"\0")[0].decode("ascii", "replace"))

    def _next_transfer(self) -> Request | None:
        if len(self._held) < _HEADER_BYTES:
            return None
        command, seqnum, _, direction, number = _BASIC.unpack_from(self._held)
        if command == _CMD_UNLINK:
            (unlinked,) = _UNLINK.unpack_from(self._held, _BASIC.size)
            self._take(_HEADER_BYTES)
            return Unlink(seqnum, unlinked)
        if command != _CMD_SUBMIT or direction > 1 or number > 15:
            raise BadMessageError(f"command {command}, direction {direction}, endpoint {number}")
        flags, length, _, packets, _, setup = _SUBMIT.unpack_from(self._held, _BASIC.size)
        if length > MOST_BYTES or packets not in (0, _NOT_ISOCHRONOUS):
            raise BadMessageError(f"a transfer of {length} bytes, {packets} isochronous packets")
        end = _HEADER_BYTES + (0 if direction else length)
        if len(self._held) < end:
            return None
        data = self._take(end)[_HEADER_BYTES:]
        endpoint = number | 0x80 * direction if number else 0
        return Submit(seqnum=seqnum, endpoint=endpoint, flags=flags, length=length, setup=setup, data=data)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken


def exported(path: str, busid: str, bus: int, address: int, descriptor: bytes, configuration: bytes) -> bytes:
    """A device as DEVLIST and IMPORT describe it, from its descriptors."""
    vid, pid, release = struct.unpack_from("<HHH", descriptor, 8)
    return _DEVICE.pack(
        path.encode(),
        busid.encode(),
        bus,
        address,
        _FULL_SPEED,
        vid,
        pid,
        release,
        *descriptor[4:7],
        configuration[5],
        descriptor[17],
        configuration[4],
    )


def interfaces(configuration: bytes) -> bytes:
    """What DEVLIST adds to a device: class, subclass, protocol of its one interface."""
    return configuration[9 + 5 : 9 + 8] + b"\0"


def devlist(devices: list[bytes]) -> bytes:
    """The answer to `DevList`: each device with its interfaces."""
    head = _COMMON.pack(VERSION, _REP_DEVLIST, OK) + struct.pack(">I", len(devices))
    return head + b"".join(devices)


def imported(device: bytes | None) -> bytes:
    """The answer to `Import`; None refuses it."""
    return _COMMON.pack(VERSION, _REP_IMPORT, OK if device else REFUSED) + (device or b"")


def submitted(seqnum: int, status: int, moved: int, data: bytes) -> bytes:
    """The end of a transfer; `status` 0 or an errno, `moved` its actual length, `data` what came IN."""
    basic = _BASIC.pack(_REPLY_SUBMIT, seqnum, 0, 0, 0)
    # Its tables say 0xffffffff packets where there are none, its captured example 0, as kernels send it.
    return basic + _RET_SUBMIT.pack(-status, moved, 0, 0, 0) + data


def unlinked(seqnum: int, status: int) -> bytes:
    """The end of an `Unlink`: ECONNRESET where the transfer was still pending, else 0."""
    return _BASIC.pack(_REPLY_UNLINK, seqnum, 0, 0, 0) + _RET_UNLINK.pack(-status)
