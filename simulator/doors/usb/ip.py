"""A USB device exported by USB/IP: `usbip attach` makes it a real one, for usblp, usbhid, libccid and libusb.

One host imports it at a time. Unplugged or without power it is not in the list, and the host that had it sees
it go; after a replug somebody has to attach it again, since USB/IP knows no hotplug.
"""

from __future__ import annotations

import errno
import socket
import struct
from pathlib import PurePosixPath

from simulator.devices.usb import Control, Shape
from simulator.doors.door import DoorError, Inside
from simulator.doors.usb import ip_wire as wire
from simulator.doors.usb.core import IN, Transfer, UsbCore
from simulator.loop import Loop

CLIENTS = 8
PENDING = 256
BUS, BUSID = 1, "1-1"
PATH = str(PurePosixPath("/sys/devices/platform/tillwatch-sim/usb1") / BUSID)
_FIRST_ADDRESS, _LAST_ADDRESS = 2, 127
_SEND_BUFFER = 1 << 20
_RECEIVE = 1 << 16
_SHORT_NOT_OK = 0x0001
"""transfer_flags (include/uapi/linux/usbip.h): a short IN transfer is an error."""


class _Client:
    """One connection, and the transfers it waits for, by their sequence numbers."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.decoder = wire.Decoder()
        self.pending: dict[int, Transfer] = {}


class UsbIpDoor:
    """`simulator.doors.door.Door` for `usbip:`."""

    def __init__(self, host: str, port: int, loop: Loop, shape: Shape) -> None:
        self._host, self._port = host, port
        self._loop = loop
        self._shape = shape
        self._clients: dict[int, _Client] = {}
        self._address = _FIRST_ADDRESS - 1
        self._now_s = 0.0
        self._listener: socket.socket
        self._core: UsbCore
        self._inside: Inside

    def open(self, inside: Inside, now_s: float) -> None:
        self._now_s = now_s
        self._inside = inside
        self._core = UsbCore(inside, self._shape)
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.setblocking(False)
        try:
            self._listener.bind((self._host, self._port))
        except OSError as error:
            self._listener.close()
            raise DoorError(f"{self.address()}: {error.strerror}; port 0 chooses a free one") from error
        self._listener.listen(CLIENTS)
        self._host, self._port = self._listener.getsockname()
        self._loop.watch(self._listener.fileno(), self._accept)

    def address(self) -> str:
        return f"usbip:{self._host}:{self._port}"

    def follow(self, *, plugged: bool, powered: bool, now_s: float) -> None:
        self._now_s = now_s
        if not self._core.follow(on_bus=plugged and powered):
            return
        if self._core.on_bus:
            self._address = self._address + 1 if self._address < _LAST_ADDRESS else _FIRST_ADDRESS
            return
        for client in self._importers():
            self._hang_up(client)

    def close(self) -> None:
        for client in list(self._clients.values()):
            self._hang_up(client)
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()

    def put(self, data: bytes, now_s: float) -> None:
        self._now_s = now_s
        self._core.put(data)

    def polled(self) -> bool:
        return self._core.polled()

    def notice(self, data: bytes, now_s: float) -> None:
        self._now_s = now_s
        self._core.notice(data)

    def tick(self, now_s: float) -> None:
        self._now_s = now_s
        self._core.tick(now_s)

    def next_s(self, now_s: float) -> float | None:  # noqa: ARG002
        return self._core.next_s()

    # Clients

    def _importers(self) -> list[_Client]:
        return [client for client in self._clients.values() if client.decoder.imported]

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it went away while it waited
        if len(self._clients) >= CLIENTS:
            connection.close()
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        client = _Client(connection)
        self._clients[connection.fileno()] = client
        self._loop.watch(connection.fileno(), lambda: self._read(client))

    def _hang_up(self, client: _Client) -> None:
        if self._clients.pop(client.connection.fileno(), None) is None:
            return
        if client.decoder.imported:
            self._inside.served.record("usbip", "released", self._now_s)
        pending, client.pending = client.pending, {}
        for transfer in pending.values():
            self._core.cancel(transfer, errno.ECONNRESET)
        self._loop.unwatch(client.connection.fileno())
        client.connection.close()

    def _read(self, client: _Client) -> None:
        try:
            data = client.connection.recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up(client)
            return
        client.decoder.feed(data)
        try:
            while self._is_here(client) and (request := client.decoder.next()):
                self._serve(client, request)
        except wire.BadMessageError:
            self._hang_up(client)

    def _is_here(self, client: _Client) -> bool:
        return self._clients.get(client.connection.fileno()) is client

    def _send(self, client: _Client, message: bytes) -> None:
        if not self._is_here(client):
            return
        try:
            whole = client.connection.send(message) == len(message)
        except OSError:
            whole = False
        if not whole:
            self._hang_up(client)  # it does not read what it asked for

    # What it may ask

    def _serve(self, client: _Client, request: wire.Request) -> None:
        match request:
            case wire.DevList():
                here = self._core.on_bus
                more = wire.interfaces(self._core.configuration_descriptor())
                self._send(client, wire.devlist([self._exported() + more] if here else []))
            case wire.Import(busid):
                self._import(client, busid)
            case wire.Submit():
                self._submit(client, request)
            case wire.Unlink(seqnum, unlinked):
                transfer = client.pending.pop(unlinked, None)
                if transfer is not None:
                    self._core.cancel(transfer, errno.ECONNRESET)
                self._send(client, wire.unlinked(seqnum, errno.ECONNRESET if transfer else 0))

    def _exported(self) -> bytes:
        return wire.exported(
            PATH,
            BUSID,
            BUS,
            self._address,
            self._core.device_descriptor(),
            self._core.configuration_descriptor(),
        )

    def _import(self, client: _Client, busid: str) -> None:
        if busid != BUSID or not self._core.on_bus or self._importers():
            self._send(client, wire.imported(None))
            return
        client.decoder.imported = True
        self._inside.served.record("usbip", "imported", self._now_s)
        self._send(client, wire.imported(self._exported()))

    def _submit(self, client: _Client, request: wire.Submit) -> None:
        setup = _control(request) if request.endpoint == 0 else None
        way_in = bool((setup.request_type if setup else request.endpoint) & IN)

        def done(transfer: Transfer) -> None:
            if client.pending.pop(request.seqnum, None) is None:
                return  # unlinked, or its client is gone
            status, came = transfer.status or 0, bytes(transfer.moved) if way_in else b""
            if not status and way_in and request.flags & _SHORT_NOT_OK and len(came) < request.length:
                status = errno.EREMOTEIO
            moved = len(came) if way_in else transfer.sent
            self._send(client, wire.submitted(request.seqnum, status, moved, came))

        transfer = Transfer(
            endpoint=request.endpoint, setup=setup, data=request.data, length=request.length, done=done
        )
        if len(client.pending) >= PENDING or request.seqnum in client.pending:
            self._hang_up(client)
            return
        client.pending[request.seqnum] = transfer
        self._core.submit(transfer)


def _control(request: wire.Submit) -> Control:
    kind, asked, value, index, length = struct.unpack("<BBHHH", request.setup)
    return Control(
        request_type=kind,
        request=asked,
        value=value,
        index=index,
        length=min(length, request.length) if kind & IN else 0,
        data=request.data,
    )
