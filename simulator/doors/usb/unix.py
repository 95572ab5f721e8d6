"""A USB device behind a Unix socket: `simulator.doors.usb.backend` is its host, in any number of processes.

What a kernel does for its programs is done here for the clients: claims are exclusive among them, descriptors
are known without asking the device, and a client that dies lets go of all it had. Each connection is one
open device; one that only looks opens nothing. Rules as in Linux' usbfs (drivers/usb/core/devio.c): a
transfer or an interface request claims its interface by itself.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

from simulator.devices.usb import Control, Shape
from simulator.doors.door import DoorError, Inside
from simulator.doors.usb import unix_wire as wire
from simulator.doors.usb.core import IN, Transfer, UsbCore
from simulator.loop import Loop
from simulator.sockets import Callers, listen_at

CLIENTS = 32
BUS, PORT = 1, 1
_SEND_BUFFER = 4 * wire.MOST_BYTES


class _Client:
    """One connection: who it is, what it asks, what it holds."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.pid = struct.unpack(
            "iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
        )[0]
        self.held = bytearray()
        self.address: int | None = None  #: of the device it has open
        self.claims = False
        self.pending: Transfer | None = None
        self.until_s: float | None = None  #: when `pending` has taken too long

    def __str__(self) -> str:
        return f"pid {self.pid}"


class UsbUnixDoor:
    """`simulator.doors.door.Door` for `usb:unix:`."""

    def __init__(self, path: Path, loop: Loop, shape: Shape) -> None:
        self._path = path
        self._shape = shape
        self._loop = loop
        self._now_s = 0.0
        self._clients: Callers[_Client]
        self._core: UsbCore
        self._inside: Inside

    def open(self, inside: Inside, now_s: float) -> None:
        self._now_s = now_s
        self._inside = inside
        self._core = UsbCore(inside, self._shape)
        try:
            listener = listen_at(self._path, CLIENTS)
        except OSError as error:
            raise DoorError(
                f"usb:unix:{self._path}: {error.strerror or error}; choose another path in a folder that can"
                " be written"
            ) from error
        self._clients = Callers(listener, self._loop, CLIENTS, self._greet, self._hear, self._gone)

    def address(self) -> str:
        return f"usb:unix:{self._path}"

    def follow(self, *, plugged: bool, powered: bool, now_s: float) -> None:
        self._now_s = now_s
        if self._core.follow(on_bus=plugged and powered):
            for client in self._clients:
                client.claims = False
            where = f"at {BUS}:{self._core.address}" if self._core.on_bus else "off the bus"
            self._inside.served.record("usb", where, now_s)

    def close(self) -> None:
        self._clients.close()
        self._path.unlink(missing_ok=True)

    def put(self, data: bytes, now_s: float) -> None:
        self._now_s = now_s
        self._core.put(data)

    def polled(self) -> bool:
        """Somebody waits at the pipe; of a HID (usbhid polls for every open descriptor), has it open."""
        return self._core.polled() or (bool(self._shape.interface.report) and bool(self._openers()))

    def notice(self, data: bytes, now_s: float) -> None:
        """What leaves by the interrupt pipe; the log tells who has the device open then."""
        self._now_s = now_s
        self._inside.served.record("usb notice", f"to {', '.join(map(str, self._openers()))}", now_s)
        self._core.notice(data)

    def _openers(self) -> list[_Client]:
        return [client for client in self._clients if client.address == self._core.address]

    def tick(self, now_s: float) -> None:
        self._now_s = now_s
        self._core.tick(now_s)
        if not self._core.configuration:
            for client in self._clients:
                client.claims = False
        for client in self._clients:
            if client.pending and client.until_s is not None and client.until_s <= now_s:
                self._core.cancel(client.pending, errno.ETIMEDOUT)

    def next_s(self, now_s: float) -> float | None:  # noqa: ARG002
        moments = [client.until_s for client in self._clients if client.pending]
        return min((s for s in (*moments, self._core.next_s()) if s is not None), default=None)

    # Clients

    @staticmethod
    def _greet(connection: socket.socket) -> _Client:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        return _Client(connection)

    def _gone(self, client: _Client) -> None:
        if pending := client.pending:
            client.pending = None
            self._core.cancel(pending, errno.ECONNRESET)
        if client.address is not None:
            self._note("close", client)

    def _hear(self, client: _Client, data: bytes) -> None:
        self._now_s = time.monotonic()
        client.held += data
        if client.pending:
            self._clients.hang_up(client)  # it does not wait for its reply
        elif len(client.held) >= wire.REQUEST.size:
            self._work(client)

    def _work(self, client: _Client) -> None:
        """Its next request, once it is whole."""
        op, kind, request, value, index, length, timeout_ms = wire.REQUEST.unpack_from(client.held)
        out = wire.goes_out(op, kind)
        end = wire.REQUEST.size + (length if out else 0)
        if op not in _OPERATIONS or length > wire.MOST_BYTES or len(client.held) > end:
            self._clients.hang_up(client)
            return
        if len(client.held) < end:
            return
        data = bytes(client.held[wire.REQUEST.size : end])
        client.held.clear()
        asked = Control(
            request_type=kind,
            request=request,
            value=value,
            index=index,
            length=0 if out else length,
            data=data,
        )
        if op not in (wire.LOOK, wire.OPEN) and not self._has_open(client):
            self._reply(client, errno.ENODEV)
            return
        client.until_s = self._now_s + timeout_ms / 1000 if timeout_ms else None
        _OPERATIONS[op](self, client, asked)

    def _has_open(self, client: _Client) -> bool:
        return self._core.on_bus and client.address == self._core.address

    def _reply(self, client: _Client, status: int, data: bytes = b"", moved: int | None = None) -> None:
        head = wire.REPLY.pack(status, len(data) if moved is None else moved)
        self._clients.send(client, head + data)

    def _note(self, what: str, client: _Client, more: str = "") -> None:
        self._inside.served.record(f"usb {what}", f"{client}{more and f' {more}'}", self._now_s)

    # What it may ask

    def _look(self, client: _Client, _asked: Control) -> None:
        if not self._core.on_bus:
            self._reply(client, 0)
            return
        standing = wire.STANDING.pack(BUS, self._core.address, PORT)
        whole = self._core.device_descriptor() + self._core.configuration_descriptor()
        self._reply(client, 0, standing + whole)

    def _open(self, client: _Client, asked: Control) -> None:
        if not self._core.on_bus or asked.value != self._core.address or client.address is not None:
            self._reply(client, errno.ENODEV)
            return
        client.address = self._core.address
        self._note("open", client)
        self._reply(client, 0)

    def _claim(self, client: _Client, asked: Control) -> None:
        why = self._cannot_claim(client) if asked.index == 0 else errno.ENOENT
        self._note("claim", client, os.strerror(why) if why else "")
        client.claims = client.claims or not why
        self._reply(client, why)

    def _release(self, client: _Client, asked: Control) -> None:
        had = client.claims and asked.index == 0
        if had:
            client.claims = False
            self._note("release", client)
        self._reply(client, 0 if had else errno.ENOENT)

    def _cannot_claim(self, client: _Client) -> int:
        if not self._core.configuration:
            return errno.ENOENT
        others = (other for other in self._clients if other is not client)
        return errno.EBUSY if any(other.claims for other in others) else 0

    def _get_configuration(self, client: _Client, _asked: Control) -> None:
        self._reply(client, 0, bytes([self._core.configuration]))

    def _set_configuration(self, client: _Client, asked: Control) -> None:
        self._note("set configuration", client, str(asked.value))
        if any(other.claims for other in self._clients):
            self._reply(client, errno.EBUSY)
            return
        self._submit(client, 0, Control(request_type=0x00, request=0x09, value=asked.value))

    def _set_alternate(self, client: _Client, asked: Control) -> None:
        if not client.claims:
            self._reply(client, errno.ENOENT)
            return
        request = Control(request_type=0x01, request=0x0B, value=asked.value, index=asked.index)
        self._submit(client, 0, request)

    def _clear_halt(self, client: _Client, asked: Control) -> None:
        if why := self._cannot_claim(client):
            self._reply(client, why)
            return
        self._submit(client, 0, Control(request_type=0x02, request=0x01, index=asked.request_type))

    def _reset(self, client: _Client, _asked: Control) -> None:
        self._note("reset", client)
        self._core.reset()
        self._reply(client, 0)

    def _control(self, client: _Client, asked: Control) -> None:
        head = f"{asked.request_type:02x} {asked.request:02x} {asked.value:04x} {asked.index:04x}"
        self._note("control", client, f"{head} {len(asked.data) or asked.length:04x}")
        if _to_interface(asked):
            if why := self._cannot_claim(client):
                self._reply(client, why)
                return
            client.claims = True
        self._submit(client, 0, asked)

    def _transfer(self, client: _Client, asked: Control) -> None:
        known = self._core.endpoint(asked.request_type) is not None
        if why := self._cannot_claim(client) if known else errno.ENOENT:
            self._reply(client, why)
            return
        client.claims = True
        self._submit(client, asked.request_type, asked)

    def _submit(self, client: _Client, endpoint: int, asked: Control) -> None:
        def done(transfer: Transfer) -> None:
            if client.pending is not transfer:
                return  # its client is gone
            client.pending = None
            came = bytes(transfer.moved) if comes_in else b""
            self._reply(client, transfer.status or 0, came, len(came) if comes_in else transfer.sent)

        comes_in = bool((asked.request_type if endpoint == 0 else endpoint) & IN)
        client.pending = Transfer(
            endpoint=endpoint,
            setup=asked if endpoint == 0 else None,
            data=asked.data,
            length=asked.length,
            done=done,
        )
        self._core.submit(client.pending)


def _to_interface(asked: Control) -> bool:
    """Whether it is to the interface or an endpoint of it, and usbfs wants that claimed.

    It does not for vendor requests, nor for a printer's id.
    """
    if asked.request_type & 0x60 == 0x40 or (asked.request_type, asked.request) == (0xA1, 0):
        return False
    return asked.request_type & 0x1F in (1, 2)


_OPERATIONS: dict[int, Callable[[UsbUnixDoor, _Client, Control], None]] = {
    wire.LOOK: UsbUnixDoor._look,  # noqa: SLF001 - this table is the door's own
    wire.OPEN: UsbUnixDoor._open,  # noqa: SLF001
    wire.CLAIM: UsbUnixDoor._claim,  # noqa: SLF001
    wire.RELEASE: UsbUnixDoor._release,  # noqa: SLF001
    wire.GET_CONFIGURATION: UsbUnixDoor._get_configuration,  # noqa: SLF001
    wire.SET_CONFIGURATION: UsbUnixDoor._set_configuration,  # noqa: SLF001
    wire.SET_ALTERNATE: UsbUnixDoor._set_alternate,  # noqa: SLF001
    wire.CLEAR_HALT: UsbUnixDoor._clear_halt,  # noqa: SLF001
    wire.RESET: UsbUnixDoor._reset,  # noqa: SLF001
    wire.CONTROL: UsbUnixDoor._control,  # noqa: SLF001
    wire.TRANSFER: UsbUnixDoor._transfer,  # noqa: SLF001
}
