"""A host that attaches devices by USB/IP, written from Linux' Documentation/usb/usbip_protocol.rst alone."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SOON_S = 5.0


def _big(number: int, size: int = 4) -> bytes:
    return number.to_bytes(size, "big", signed=number < 0)


@dataclass(frozen=True, slots=True)
class Exported:
    """One device of the list."""

    path: str
    busid: str
    busnum: int
    devnum: int
    speed: int
    vid: int
    pid: int
    interfaces: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """USBIP_RET_SUBMIT (command 3) or USBIP_RET_UNLINK (4)."""

    command: int
    seqnum: int
    status: int
    length: int = 0
    data: bytes = b""


class UsbIpHost:
    """One connection. Raises `TimeoutError` where nothing comes, `ConnectionError` where it ends."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), SOON_S)
        self._seqnums = itertools.count(1)
        self._ways: dict[int, int] = {}
        self._devid = 0

    def receive(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            if not (more := self.socket.recv(size - len(got))):
                raise ConnectionResetError(f"it hung up after {len(got)} of {size} bytes")
            got += more
        return got

    def number(self, size: int = 4) -> int:
        return int.from_bytes(self.receive(size), "big")

    def devlist(self) -> list[Exported]:
        self.socket.sendall(_big(0x0111, 2) + _big(0x8005, 2) + _big(0))
        assert (self.number(2), self.number(2), self.number()) == (0x0111, 0x0005, 0)
        devices = []
        for _ in range(self.number()):
            device, interfaces = self._device()
            more = tuple((row[0], row[1], row[2]) for row in (self.receive(4) for _ in range(interfaces)))
            devices.append(Exported(*device, more))
        return devices

    def attach(self, busid: str) -> Exported | None:
        """None where it is refused."""
        self.socket.sendall(_big(0x0111, 2) + _big(0x8003, 2) + _big(0) + busid.encode().ljust(32, b"\0"))
        assert (self.number(2), self.number(2)) == (0x0111, 0x0003)
        if self.number():
            return None
        device, _ = self._device()
        self._devid = device[2] << 16 | device[3]
        return Exported(*device)

    def _device(self) -> tuple[tuple[str, str, int, int, int, int, int], int]:
        path = self.receive(256).split(b"\0")[0].decode()
        busid = self.receive(32).split(b"\0")[0].decode()
        busnum, devnum, speed = self.number(), self.number(), self.number()
        vid, pid, _release = self.number(2), self.number(2), self.number(2)
        *_, interfaces = self.receive(6)
        return (path, busid, busnum, devnum, speed, vid, pid), interfaces

    def submit(
        self,
        endpoint: int,
        *,
        wanted: int | None = None,
        data: bytes = b"",
        setup: bytes = bytes(8),
        flags: int = 0,
    ) -> int:
        """Its sequence number. `wanted`: how much may come IN; without it the transfer goes OUT."""
        seqnum = next(self._seqnums)
        way_in = int(wanted is not None)
        self._ways[seqnum] = way_in
        basic = _big(1) + _big(seqnum) + _big(self._devid) + _big(way_in) + _big(endpoint)
        length = len(data) if wanted is None else wanted
        more = _big(flags) + _big(length) + _big(0) + _big(0xFFFFFFFF) + _big(0) + setup
        self.socket.sendall(basic + more + data)
        return seqnum

    def unlink(self, earlier: int) -> int:
        seqnum = next(self._seqnums)
        basic = _big(2) + _big(seqnum) + _big(self._devid) + _big(0) + _big(0)
        self.socket.sendall(basic + _big(earlier) + bytes(24))
        return seqnum

    def ended(self, timeout_s: float = SOON_S) -> Ended:
        """What ends next."""
        self.socket.settimeout(timeout_s)
        header = self.receive(48)
        self.socket.settimeout(SOON_S)
        command, seqnum = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
        assert header[8:20] == bytes(12)
        status = int.from_bytes(header[20:24], "big", signed=True)
        if command == 4:
            return Ended(4, seqnum, status)
        length = int.from_bytes(header[24:28], "big")
        data = self.receive(length) if self._ways.pop(seqnum) else b""
        return Ended(3, seqnum, status, length, data)

    def control(self, kind: int, request: int, value: int, index: int, more: int | bytes) -> Ended:
        """A control transfer; `more`: how much may come IN, or what goes OUT."""
        length = more if isinstance(more, int) else len(more)
        setup = bytes([kind, request]) + b"".join(n.to_bytes(2, "little") for n in (value, index, length))
        if isinstance(more, int) and kind & 0x80:
            self.submit(0, wanted=more, setup=setup)
        else:
            self.submit(0, data=b"" if isinstance(more, int) else more, setup=setup)
        return self.ended()


@contextmanager
def host(port: int) -> Iterator[UsbIpHost]:
    connection = UsbIpHost("127.0.0.1", port)
    try:
        yield connection
    finally:
        connection.socket.close()
