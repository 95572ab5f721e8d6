"""Stands between a client and a broker, passes every byte, and keeps what passed in which order."""

from __future__ import annotations

import json
import select
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.fake_broker import FIVE, PUBACK, PUBLISH


@dataclass(frozen=True)
class Passed:
    """`kind` is `sent` (a row towards the broker) or `acknowledged` (its PUBACK came back)."""

    kind: str
    connection: int
    seq: int
    id: str


class _Stream:
    """Cuts one direction into packets."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        self._buffer += data
        packets = []
        while (cut := self._cut()) is not None:
            packets.append(cut)
        return packets

    def _cut(self) -> tuple[int, bytes] | None:
        length = shift = 0
        for at, byte in enumerate(self._buffer[1:5], start=1):
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                end = at + 1 + length
                if len(self._buffer) < end:
                    return None
                packet = self._buffer[0], self._buffer[at + 1 : end]
                self._buffer = self._buffer[end:]
                return packet
        return None


class RecordingProxy:
    """`port` is where the client connects; `record` is what passed. One thread for all connections."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.record: list[Passed] = []
        self._connections = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(5.0)
        self._listener.close()

    def acknowledged(self) -> set[int]:
        return {passed.seq for passed in list(self.record) if passed.kind == "acknowledged"}

    def _run(self) -> None:
        pairs: dict[socket.socket, _Half] = {}
        while not self._stopping.is_set():
            readable, _, _ = select.select([self._listener, *pairs], [], [], 0.05)
            for sock in readable:
                if sock is self._listener:
                    self._accept(pairs)
                elif sock in pairs and not self._pass(pairs[sock]):
                    for gone in (sock, pairs[sock].other):
                        pairs.pop(gone, None)
                        gone.close()
        for sock in pairs:
            sock.close()

    def _accept(self, pairs: dict[socket.socket, _Half]) -> None:
        client, _ = self._listener.accept()
        try:
            broker = socket.create_connection(("127.0.0.1", self._broker_port), 1.0)
        except OSError:
            client.close()
            return
        self._connections += 1
        session = _Session(self._connections, self.record)
        pairs[client] = _Half(client, broker, session.from_client)
        pairs[broker] = _Half(broker, client, session.from_broker)

    def _pass(self, half: _Half) -> bool:
        with suppress(OSError):
            data = half.sock.recv(65536)
            if data:
                half.note(data)  # noted before it passes, so nobody acts on what is not recorded
                half.other.sendall(data)
                return True
        return False


class _Session:
    """What passed on one connection, understood."""

    def __init__(self, number: int, record: list[Passed]) -> None:
        self._number = number
        self._record = record
        self._version = 0
        self._flying: dict[int, tuple[int, str]] = {}
        self._client, self._broker = _Stream(), _Stream()

    def from_client(self, data: bytes) -> None:
        for first, body in self._client.feed(data):
            if not self._version:
                self._version = body[6]
            elif first >> 4 == PUBLISH and first >> 1 & 3:
                end = 2 + int.from_bytes(body[:2], "big")
                mid = int.from_bytes(body[end : end + 2], "big")
                end += 2
                if self._version == FIVE:
                    end += 1 + body[end]
                message: dict[str, Any] = json.loads(body[end:]) if body[end:] else {}
                if "seq" in message:
                    self._flying[mid] = message["seq"], message["id"]
                    self._record.append(Passed("sent", self._number, *self._flying[mid]))

    def from_broker(self, data: bytes) -> None:
        for first, body in self._broker.feed(data):
            row = self._flying.pop(int.from_bytes(body[:2], "big"), None) if first >> 4 == PUBACK else None
            if row is not None:
                self._record.append(Passed("acknowledged", self._number, *row))


@dataclass
class _Half:
    sock: socket.socket
    other: socket.socket
    note: Any
