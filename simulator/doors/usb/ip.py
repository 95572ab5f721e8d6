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
from simulator.sockets import Callers

CLIENTS = 8
PENDING = 256
BUS, BUSID = 1, "1-1"
PATH = str(PurePosixPath("/sys/devices/platform/tillwatch-sim/usb1") / BUSID)
_SEND_BUFFER = 1 << 20
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
        self._now_s = 0.0
        self._clients: Callers[_Client]
        self._core: UsbCore
        self._inside: Inside

    def open(self, inside: Inside, now_s: float) -> None:
        self._now_s = now_s
        self._inside = inside
        self._core = UsbCore(inside, self._shape)
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        try:
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            raise DoorError(f"{self.address()}: {error.strerror}; port 0 chooses a free one") from error
        listener.listen(CLIENTS)
        self._host, self._port = listener.getsockname()
        self._clients = Callers(listener, self._loop, CLIENTS, self._greet, self._hear, self._gone)

    def address(self) -> str:
        return f"usbip:{self._host}:{self._port}"

    def follow(self, *, plugged: bool, powered: bool, now_s: float) -> None:
        self._now_s = now_s
        if self._core.follow(on_bus=plugged and powered) and not self._core.on_bus:
            for client in self._importers():
                self._clients.hang_up(client)

    def close(self) -> None:
        self._clients.close()

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
        return [client for client in self._clients if client.decoder.imported]

    @staticmethod
    def _greet(connection: socket.socket) -> _Client:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        return _Client(connection)

    def _gone(self, client: _Client) -> None:
        if client.decoder.imported:
            self._inside.served.record("usbip", "released", self._now_s)
        pending, client.pending = client.pending, {}
        for transfer in pending.values():
            self._core.cancel(transfer, errno.ECONNRESET)

    def _hear(self, client: _Client, data: bytes) -> None:
        client.decoder.feed(data)
        try:
            while client in self._clients and (request := client.decoder.next()):
                self._serve(client, request)
        except wire.BadMessageError:
            self._clients.hang_up(client)

    # What it may ask

    def _serve(self, client: _Client, request: wire.Request) -> None:
        match request:
            case wire.DevList():
                here = self._core.on_bus
                more = wire.interfaces(self._core.configuration_descriptor())
                self._clients.send(client, wire.devlist([self._exported() + more] if here else []))
            case wire.Import(busid):
                self._import(client, busid)
            case wire.Submit():
                self._submit(client, request)
            case wire.Unlink(seqnum, unlinked):
                transfer = client.pending.pop(unlinked, None)
                if transfer is not None:
                    self._core.cancel(transfer, errno.ECONNRESET)
                self._clients.send(client, wire.unlinked(seqnum, errno.ECONNRESET if transfer else 0))

    def _exported(self) -> bytes:
        return wire.exported(
            PATH,
            BUSID,
            BUS,
            self._core.address,
            self._core.device_descriptor(),
            self._core.configuration_descriptor(),
        )

    def _import(self, client: _Client, busid: str) -> None:
        if busid != BUSID or not self._core.on_bus or self._importers():
            self._clients.send(client, wire.imported(None))
            return
        client.decoder.imported = True
        self._inside.served.record("usbip", "imported", self._now_s)
        self._clients.send(client, wire.imported(self._exported()))

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
            self._clients.send(client, wire.submitted(request.seqnum, status, moved, came))

        transfer = Transfer(
            endpoint=request.endpoint, setup=setup, data=request.data, length=request.length, done=done
        )
        if len(client.pending) >= PENDING or request.seqnum in client.pending:
            self._clients.hang_up(client)
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
