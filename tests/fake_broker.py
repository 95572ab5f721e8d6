"""A broker that misbehaves on purpose: raw bytes of MQTT 3.1.1 and 5, one scripted thread a connection.

with FakeBroker(lambda peer: peer.serve()) as broker: ...          a well-behaved one
def rude(peer): peer.accept(); peer.close()                         and so on
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    1, 2, 3, 4, 8, 9, 12, 13, 14,
)  # fmt: skip
FIVE = 5

SERVER_KEEP_ALIVE, RECEIVE_MAXIMUM, MAXIMUM_QOS, RETAIN_AVAILABLE, MAXIMUM_PACKET_SIZE = (
    0x13, 0x21, 0x24, 0x25, 0x27,
)  # fmt: skip
_WIDTH = {
    SERVER_KEEP_ALIVE: "!H",
    RECEIVE_MAXIMUM: "!H",
    MAXIMUM_QOS: "!B",
    RETAIN_AVAILABLE: "!B",
    MAXIMUM_PACKET_SIZE: "!I",
}
"""Properties of CONNACK (MQTT 5.0 section 3.2.2.3)."""


@dataclass(frozen=True)
class Packet:
    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True)
class Published:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    mid: int | None


class Peer:
    """One connection of a client, after its CONNECT was read."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number  #: 1 for the first connection
        self.version = 0
        self.keepalive_s = 0
        self.unanswered = 0
        self.most_unanswered = 0
        self.published: list[Published] = []

    def packets(self) -> Iterator[Packet]:
        """Until the client is gone."""
        while (packet := self._packet()) is not None:
            if packet.kind == PUBLISH:
                self.published.append(self.parse(packet))
            yield packet

    def _packet(self) -> Packet | None:
        try:
            first = self._exactly(1)[0]
            length = shift = 0
            while True:
                byte = self._exactly(1)[0]
                length |= (byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80:
                    break
            return Packet(first >> 4, first & 0x0F, self._exactly(length))
        except (OSError, EOFError):
            return None

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def read_connect(self) -> bool:
        packet = self._packet()
        if packet is None or packet.kind != CONNECT:
            return False
        self.version = packet.body[6]
        self.keepalive_s = int.from_bytes(packet.body[8:10], "big")
        return True

    def parse(self, packet: Packet) -> Published:
        body = packet.body
        qos = packet.flags >> 1 & 3
        end = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:end].decode()
        mid = None
        if qos:
            mid = int.from_bytes(body[end : end + 2], "big")
            end += 2
        if self.version == FIVE:
            end += 1 + body[end]
        return Published(topic, body[end:], qos, bool(packet.flags & 1), mid)

    def send(self, kind: int, body: bytes, flags: int = 0) -> None:
        assert len(body) < 128
        self.sock.sendall(bytes([kind << 4 | flags, len(body)]) + body)

    def accept(self, code: int = 0, limits: dict[int, int] | None = None) -> None:
        """CONNACK, as its version has it."""
        body = bytes([0, code])
        if self.version == FIVE:
            properties = b"".join(
                bytes([key]) + struct.pack(_WIDTH[key], value) for key, value in (limits or {}).items()
            )
            body += bytes([len(properties)]) + properties
        self.send(CONNACK, body)

    def answer(self, packet: Packet, code: int = 0) -> None:
        """What a broker answers to that; nothing to what needs no answer."""
        if packet.kind == PUBLISH:
            mid = self.parse(packet).mid
            if mid is not None:
                five = bytes([code]) if self.version == FIVE and code else b""
                self.send(PUBACK, struct.pack("!H", mid) + five)
        elif packet.kind == SUBSCRIBE:
            properties = b"\0" if self.version == FIVE else b""
            self.send(SUBACK, packet.body[:2] + properties + bytes([code]))
        elif packet.kind == PINGREQ:
            self.send(PINGRESP, b"")

    def serve(self) -> None:
        """Everything as it should be, to the end."""
        self.accept()
        for packet in self.packets():
            self.answer(packet)

    def close(self) -> None:
        self.sock.close()


class FakeBroker:
    """Listens on a port of its own; `behave` is run for each connection in a thread that ends with it."""

    def __init__(self, behave: Callable[[Peer], None]) -> None:
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.peers: list[Peer] = []
        self.errors: list[Exception] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self.peers:
            with suppress(OSError):  # it may be gone already
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5.0)
        for peer in self.peers:
            peer.close()
        assert not self.errors, self.errors

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            peer = Peer(sock, len(self.peers) + 1)
            self.peers.append(peer)
            self._start(lambda peer=peer: self._run(peer))  # type: ignore[misc]

    def _run(self, peer: Peer) -> None:
        try:
            if peer.read_connect():
                self._behave(peer)
        except OSError:
            pass  # the client left first
        except Exception as error:  # noqa: BLE001 told at the end, in the test's own thread
            self.errors.append(error)
        finally:
            peer.close()

    @property
    def published(self) -> list[Published]:
        """Of all connections, in order of connection."""
        return [message for peer in self.peers for message in peer.published]
