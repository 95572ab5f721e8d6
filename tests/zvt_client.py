"""A ZVT till of its own, for tests: the other side of a payment terminal, sharing no line with Tillwatch.

Written from the published protocol (PA00P015, transport PA00P016) and from frames that public
implementations recorded; it imports neither the driver nor the simulator. TCP carries bare APDUs; a
serial line frames them: DLE STX, APDU with DLE doubled, DLE ETX, CRC low and high, then ACK or NAK.
"""

from __future__ import annotations

import os
import select
import socket
import termios
import time
import tty
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

DLE, STX, ETX, ACK, NAK = 0x10, 0x02, 0x03, 0x06, 0x15
WITHIN_S = 5.0
TRIES = 3
PASSWORD = bytes.fromhex("000000")
RECEIVED = bytes.fromhex("80 00 00")
COMPLETION, ABORT, INTERMEDIATE = b"\x06\x0f", b"\x06\x1e", b"\x04\xff"
ENDS = (COMPLETION, ABORT)
# Bytes that follow a bitmap's number: status byte, terminal id, currency.
BITMAPS = {0x19: 1, 0x29: 4, 0x49: 2}


class Unlike(Exception):
    """The terminal said something that the protocol has no place for; the bytes are in the text."""


class Silent(Exception):
    """Nothing came in time."""


def crc(data: bytes) -> bytes:
    """CRC of an undoubled APDU and ETX, low byte first (reflected 0x8408, from 0)."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0x8408 if value & 1 else value >> 1
    return value.to_bytes(2, "little")


def framed(apdu: bytes) -> bytes:
    doubled = apdu.replace(b"\x10", b"\x10\x10")
    return bytes((DLE, STX)) + doubled + bytes((DLE, ETX)) + crc(apdu + bytes((ETX,)))


def command(control: str, data: bytes = b"") -> bytes:
    """One APDU; 255 bytes and more have a length of FF and two bytes, low first."""
    length = bytes((len(data),)) if len(data) < 0xFF else b"\xff" + len(data).to_bytes(2, "little")
    return bytes.fromhex(control) + length + data


def enquiry(service: int | None = None, password: bytes = PASSWORD) -> bytes:
    """Status-Enquiry; `service`: None sends no service byte (03)."""
    return command("05 01", password + (b"" if service is None else bytes((0x03, service))))


def registration(config: int = 0x08, currency: bytes = b"\x09\x78", tail: bytes = b"") -> bytes:
    """As a till does it; config bit 08 asks for intermediate status, 0978 is the euro."""
    return command("06 00", PASSWORD + bytes((config,)) + currency + tail)


DIAGNOSIS = command("06 70")


class Link(Protocol):
    """One APDU each way."""

    def send(self, apdu: bytes) -> None: ...

    def receive(self, within_s: float = WITHIN_S) -> bytes: ...

    def close(self) -> None: ...


class TcpLink:
    """Bare APDUs on a stream."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), WITHIN_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, apdu: bytes) -> None:
        self._socket.sendall(apdu)

    def receive(self, within_s: float = WITHIN_S) -> bytes:
        ends_s = time.monotonic() + within_s
        head = self._exactly(3, ends_s)
        if head[2] == 0xFF:
            head += self._exactly(2, ends_s)
            return head + self._exactly(int.from_bytes(head[3:5], "little"), ends_s)
        return head + self._exactly(head[2], ends_s)

    def _exactly(self, count: int, ends_s: float) -> bytes:
        got = b""
        while len(got) < count:
            self._socket.settimeout(max(ends_s - time.monotonic(), 0.001))
            try:
                piece = self._socket.recv(count - len(got))
            except TimeoutError:
                raise Silent(f"TCP: {len(got)} of {count} bytes: {got.hex(' ')}") from None
            if not piece:
                raise ConnectionResetError("the terminal closed the connection")
            got += piece
        return got

    def close(self) -> None:
        self._socket.close()


class SerialLink:
    """Frames on a tty, 9600 8N2; each is acknowledged, a refused one repeated.

    `heard` and `said` keep what passed on the line, in order, for tests that look at the bytes.
    """

    def __init__(self, path: Path) -> None:
        self._tty = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._waiting = b""
        self.said: list[bytes] = []
        self.heard: list[bytes] = []
        tty.setraw(self._tty, termios.TCSANOW)
        settings = termios.tcgetattr(self._tty)
        settings[2] |= termios.CS8 | termios.CSTOPB | termios.CLOCAL | termios.CREAD
        settings[2] &= ~termios.PARENB
        settings[4] = settings[5] = termios.B9600
        termios.tcsetattr(self._tty, termios.TCSANOW, settings)
        termios.tcflush(self._tty, termios.TCIOFLUSH)

    def send(self, apdu: bytes) -> None:
        """Until it is acknowledged, TRIES times."""
        for _ in range(TRIES):
            self.write(framed(apdu))
            if self.answer() == ACK:
                return
        raise Unlike(f"refused {TRIES} times: {apdu.hex(' ')}")

    def receive(self, within_s: float = WITHIN_S) -> bytes:
        """The next frame's APDU, acknowledged; one that is damaged is refused and awaited again."""
        for _ in range(TRIES):
            apdu, sound = self.take(within_s)
            self.write(bytes((ACK if sound else NAK,)))
            if sound:
                return apdu
        raise Unlike(f"damaged {TRIES} times: {apdu.hex(' ')}")

    def write(self, data: bytes) -> None:
        self.said.append(data)
        os.write(self._tty, data)

    def answer(self, within_s: float = WITHIN_S) -> int:
        """ACK or NAK to what was written."""
        byte = self._byte(time.monotonic() + within_s)
        self.heard.append(bytes((byte,)))
        if byte not in (ACK, NAK):
            raise Unlike(f"neither ACK nor NAK: {byte:02x} {self._waiting.hex(' ')}")
        return byte

    def take(self, within_s: float = WITHIN_S) -> tuple[bytes, bool]:
        """(APDU, is its CRC right) of the next frame, which stays unacknowledged."""
        ends_s = time.monotonic() + within_s
        head = bytes((self._byte(ends_s),)) + bytes((self._byte(ends_s),))
        if head != bytes((DLE, STX)):
            raise Unlike(f"no frame begins so: {head.hex(' ')} {self._waiting.hex(' ')}")
        apdu, line = b"", head
        while True:
            byte = self._byte(ends_s)
            line += bytes((byte,))
            if byte == DLE:
                byte = self._byte(ends_s)
                line += bytes((byte,))
                if byte == ETX:
                    break
                if byte != DLE:
                    raise Unlike(f"a lone DLE: {line.hex(' ')}")
            apdu += bytes((byte,))
        check = bytes((self._byte(ends_s), self._byte(ends_s)))
        self.heard.append(line + check)
        return apdu, check == crc(apdu + bytes((ETX,)))

    def _byte(self, ends_s: float) -> int:
        while not self._waiting:
            left_s = ends_s - time.monotonic()
            if left_s <= 0 or not select.select([self._tty], [], [], left_s)[0]:
                raise Silent(f"serial: nothing more after {b' '.join(self.heard[-2:]).hex(' ')}")
            self._waiting = os.read(self._tty, 4096)
        byte, self._waiting = self._waiting[0], self._waiting[1:]
        return byte

    def close(self) -> None:
        os.close(self._tty)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a command brought: its acknowledgement, and each message up to the end."""

    receipt: bytes
    messages: list[bytes] = field(default_factory=list)

    @property
    def end(self) -> bytes:
        return self.messages[-1]

    def of(self, control: bytes) -> list[bytes]:
        """Data of all messages of one kind."""
        return [body(message) for message in self.messages if message[:2] == control]


def ask(link: Link, apdu: bytes, within_s: float = WITHIN_S) -> Exchange:
    """A command to its end; each message of the terminal gets its 80 00 00. Raises Silent, Unlike."""
    link.send(apdu)
    receipt = link.receive(within_s)
    if receipt[0] == 0x84 and receipt[1] != 0x00:
        return Exchange(receipt)
    if receipt not in (RECEIVED, bytes.fromhex("84 00 00")):
        raise Unlike(f"no acknowledgement: {receipt.hex(' ')}")
    messages: list[bytes] = []
    while not messages or messages[-1][:2] not in ENDS:
        messages.append(link.receive(within_s))
        link.send(RECEIVED)
    return Exchange(receipt, messages)


def body(apdu: bytes) -> bytes:
    """An APDU's data; raises Unlike when its length is wrong."""
    data = apdu[5:] if apdu[2] == 0xFF else apdu[3:]
    told = int.from_bytes(apdu[3:5], "little") if apdu[2] == 0xFF else apdu[2]
    if told != len(data):
        raise Unlike(f"says {told} bytes and has {len(data)}: {apdu.hex(' ')}")
    return data


@dataclass(frozen=True, slots=True)
class Condition:
    """What the completion of a status enquiry says; version None: not told."""

    version: str | None
    status: int


def condition(completion: bytes) -> Condition:
    """Parse `[F0 Fx Fy version] status [06 TLV]`, whose TLV is not looked into; raises Unlike."""
    rest, version = body(completion), None
    if len(rest) > 3 and all(byte & 0xF0 == 0xF0 for byte in rest[:3]):
        count = int("".join(f"{byte & 0x0F}" for byte in rest[:3]))
        version, rest = rest[3 : 3 + count].decode("ascii"), rest[3 + count :]
    if not rest or rest[1:2] not in (b"", b"\x06"):
        raise Unlike(f"no terminal status: {completion.hex(' ')}")
    return Condition(version, rest[0])


def bitmaps(data: bytes) -> dict[int, bytes]:
    """Fields of a registration's completion by their number; raises Unlike for one unknown or cut off."""
    fields: dict[int, bytes] = {}
    while data:
        size = BITMAPS.get(data[0])
        if size is None or len(data) <= size:
            raise Unlike(f"unknown or cut off: {data.hex(' ')}")
        fields[data[0]], data = data[1 : 1 + size], data[1 + size :]
    return fields
