"""pyusb's backend for a device that the simulator serves at `usb:unix:PATH`; real USB is not touched.

`usb.core.find(backend=make("PATH"))`. One path is a bus with one device or none. Errors are those of the
libusb1 backend, with its errnos. It needs a local socket and pyusb, nothing else: whoever uses it stays
small.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
import time
from array import array
from collections.abc import Iterator
from typing import Any

import usb.backend
import usb.core

from simulator.doors.usb import unix_wire as wire

_GRACE_S = 2.0
"""How much longer than a transfer's own timeout the simulator may take to say so."""
_LOOK_S = 2.0
_MAY_LAST = (wire.CONTROL, wire.TRANSFER, wire.SET_CONFIGURATION)
"""What ends only with the device's answer where no timeout is given; the last has none."""
_HEAD, _FULL_SPEED = 4, 2
_DEVICE = """<BBHBBBBHHHBBBB
    bLength bDescriptorType bcdUSB bDeviceClass bDeviceSubClass bDeviceProtocol bMaxPacketSize0
    idVendor idProduct bcdDevice iManufacturer iProduct iSerialNumber bNumConfigurations"""
_CONFIGURATION = """<BBHBBBBB
    bLength bDescriptorType wTotalLength bNumInterfaces bConfigurationValue iConfiguration bmAttributes
    bMaxPower"""
_INTERFACE = """<BBBBBBBBB
    bLength bDescriptorType bInterfaceNumber bAlternateSetting bNumEndpoints bInterfaceClass
    bInterfaceSubClass bInterfaceProtocol iInterface"""
_ENDPOINT = """<BBBBHB
    bLength bDescriptorType bEndpointAddress bmAttributes wMaxPacketSize bInterval"""


def make(path: str) -> Backend:
    """The backend of one served device."""
    return Backend(path)


class Descriptor:
    """One descriptor, its fields named as in the USB specification; pyusb reads them off."""

    def __init__(self, layout: str, data: bytes) -> None:
        form, *names = layout.split()
        for name, value in zip(names, struct.unpack_from(form, data), strict=True):
            setattr(self, name, value)
        self.bRefresh = self.bSynchAddress = 0  # pyusb asks these of every endpoint; only audio has them
        self.extra_descriptors = array("B")
        self.inner: list[Descriptor] = []


class Found:
    """A device on the bus, as it was found: its descriptors and where it is."""

    def __init__(self, data: bytes) -> None:
        self.bus, self.address, self.port = wire.STANDING.unpack_from(data)
        at = wire.STANDING.size
        self.device = Descriptor(_DEVICE, data[at:])
        for name, value in {
            "bus": self.bus,
            "address": self.address,
            "port_number": self.port,
            "port_numbers": (self.port,),
            "speed": _FULL_SPEED,
        }.items():
            setattr(self.device, name, value)
        self.configuration = _parse_configuration(data[at + 18 :])


def _parse_configuration(data: bytes) -> Descriptor:
    configuration = Descriptor(_CONFIGURATION, data)
    at, last = data[0], configuration
    while at + 2 <= len(data) and data[at] >= 2:
        piece = data[at : at + data[at]]
        at += len(piece)
        match piece[1]:
            case 4:
                last = Descriptor(_INTERFACE, piece)
                configuration.inner.append(last)
            case 5:
                last = Descriptor(_ENDPOINT, piece)
                configuration.inner[-1].inner.append(last)
            case _:
                last.extra_descriptors.frombytes(piece)
    return configuration


class Handle:
    """An open device: a connection of its own. One call at a time; closed, all that it held is let go."""

    def __init__(self, path: str, address: int) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = _connect(path)
        try:
            self.call(wire.OPEN, value=address)
        except BaseException:
            self.close()
            raise

    def call(
        self,
        op: int,
        kind: int = 0,
        request: int = 0,
        value: int = 0,
        index: int = 0,
        data: bytes = b"",
        length: int = 0,
        timeout_ms: int = 0,
    ) -> tuple[int, bytes]:
        """One request; how many bytes moved, and those that came. `USBError` as libusb1's backend."""
        with self._lock:
            if self._socket is None:
                raise _error(errno.ENODEV)
            head = wire.REQUEST.pack(op, kind, request, value, index, len(data) or length, timeout_ms)
            forever = op in _MAY_LAST and not timeout_ms
            until_s = None if forever else time.monotonic() + timeout_ms / 1000 + _GRACE_S
            try:
                self._socket.settimeout(_left_s(until_s))
                self._socket.sendall(head + data)
                status, moved = wire.REPLY.unpack(_receive(self._socket, wire.REPLY.size, until_s))
                came = _receive(self._socket, moved, until_s) if not wire.goes_out(op, kind) else b""
            except TimeoutError:
                self._hang_up()  # a late answer must not be taken for that of the next call
                raise _error(errno.ETIMEDOUT) from None
            except OSError:
                self._hang_up()
                raise _error(errno.ENODEV) from None
        # What moved before the time was up, moved.
        if status and not (status == errno.ETIMEDOUT and moved):
            raise _error(status)
        return moved, came

    def close(self) -> None:
        with self._lock:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_LOOK_S)
        folder_path, _, name = path.rpartition("/")
        # A socket's address holds 108 bytes (unix(7)); a path may be longer.
        folder = os.open(f"{folder_path}/" if "/" in path else ".", os.O_PATH | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{name}")
        finally:
            os.close(folder)
    except OSError as error:
        connection.close()
        code = errno.EACCES if isinstance(error, PermissionError) else errno.ENODEV
        raise _error(code) from None
    return connection


def _left_s(until_s: float | None) -> float | None:
    """For a socket; 0 would mean not to block at all."""
    return None if until_s is None else max(0.001, until_s - time.monotonic())


def _receive(connection: socket.socket, size: int, until_s: float | None) -> bytes:
    got = b""
    while len(got) < size:
        connection.settimeout(_left_s(until_s))
        more = connection.recv(size - len(got))
        if not more:
            raise ConnectionResetError
        got += more
    return got


def _error(code: int) -> usb.core.USBError:
    kind = usb.core.USBTimeoutError if code == errno.ETIMEDOUT else usb.core.USBError
    return kind(os.strerror(code), None, code)


class Backend(usb.backend.IBackend):  # type: ignore[misc]  # pyusb has no types
    """`usb.backend.IBackend` for one path."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def enumerate_devices(self) -> Iterator[Found]:
        """The device, if it is on the bus; looking does not open it."""
        try:
            connection = _connect(self._path)
        except usb.core.USBError as error:
            if error.errno == errno.EACCES:
                raise
            return
        try:
            until_s = time.monotonic() + _LOOK_S
            connection.sendall(wire.REQUEST.pack(wire.LOOK, 0, 0, 0, 0, 0, 0))
            _, size = wire.REPLY.unpack(_receive(connection, wire.REPLY.size, until_s))
            data = _receive(connection, size, until_s)
        except OSError:
            return  # nobody serves there any more, or not in time
        finally:
            connection.close()
        if data:
            yield Found(data)

    def get_parent(self, dev: Found) -> None:
        """It hangs on no hub."""

    def get_device_descriptor(self, dev: Found) -> Descriptor:
        return dev.device

    def get_configuration_descriptor(self, dev: Found, config: int) -> Descriptor:
        if config:
            raise IndexError(f"no configuration {config}")
        return dev.configuration

    def get_interface_descriptor(self, dev: Found, intf: int, alt: int, config: int) -> Descriptor:
        if alt:
            raise IndexError(f"no alternate setting {alt}")
        return self.get_configuration_descriptor(dev, config).inner[intf]

    def get_endpoint_descriptor(self, dev: Found, ep: int, intf: int, alt: int, config: int) -> Descriptor:
        return self.get_interface_descriptor(dev, intf, alt, config).inner[ep]

    def open_device(self, dev: Found) -> Handle:
        return Handle(self._path, dev.address)

    def close_device(self, dev_handle: Handle) -> None:
        dev_handle.close()

    def set_configuration(self, dev_handle: Handle, config_value: int) -> None:
        dev_handle.call(wire.SET_CONFIGURATION, value=config_value)

    def get_configuration(self, dev_handle: Handle) -> int:
        return dev_handle.call(wire.GET_CONFIGURATION)[1][0]

    def set_interface_altsetting(self, dev_handle: Handle, intf: int, altsetting: int) -> None:
        dev_handle.call(wire.SET_ALTERNATE, index=intf, value=altsetting)

    def claim_interface(self, dev_handle: Handle, intf: int) -> None:
        dev_handle.call(wire.CLAIM, index=intf)

    def release_interface(self, dev_handle: Handle, intf: int) -> None:
        dev_handle.call(wire.RELEASE, index=intf)

    def bulk_write(self, dev_handle: Handle, ep: int, intf: int, data: Any, timeout: int) -> int:  # noqa: ARG002
        """How many bytes went; fewer than all where the time was up."""
        out, sent = bytes(data), 0
        until_s = time.monotonic() + timeout / 1000
        while True:
            left_ms = max(1, round((until_s - time.monotonic()) * 1000)) if timeout else 0
            piece = out[sent : sent + wire.MOST_BYTES]
            try:
                moved, _ = dev_handle.call(wire.TRANSFER, ep, data=piece, timeout_ms=left_ms)
            except usb.core.USBTimeoutError:
                if not sent:
                    raise
                return sent
            sent += moved
            if sent >= len(out) or moved < len(piece):
                return sent

    def bulk_read(self, dev_handle: Handle, ep: int, intf: int, buff: Any, timeout: int) -> int:  # noqa: ARG002
        size = min(len(buff) * buff.itemsize, wire.MOST_BYTES)
        moved, came = dev_handle.call(wire.TRANSFER, ep, length=size, timeout_ms=timeout)
        memoryview(buff).cast("B")[:moved] = came
        return moved

    intr_write = bulk_write
    intr_read = bulk_read

    def ctrl_transfer(
        self,
        dev_handle: Handle,
        bmRequestType: int,  # noqa: N803 - pyusb's names
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: N803
        data: Any,
        timeout: int,
    ) -> int:
        out = not bmRequestType & 0x80
        moved, came = dev_handle.call(
            wire.CONTROL,
            bmRequestType,
            bRequest,
            wValue,
            wIndex,
            data=bytes(data) if out else b"",
            length=0 if out else len(data) * data.itemsize,
            timeout_ms=timeout,
        )
        if not out:
            memoryview(data).cast("B")[:moved] = came
        return moved

    def clear_halt(self, dev_handle: Handle, ep: int) -> None:
        dev_handle.call(wire.CLEAR_HALT, ep)

    def reset_device(self, dev_handle: Handle) -> None:
        dev_handle.call(wire.RESET)

    def is_kernel_driver_active(self, dev_handle: Handle, intf: int) -> bool:  # noqa: ARG002
        return False

    def detach_kernel_driver(self, dev_handle: Handle, intf: int) -> None:  # noqa: ARG002
        """No kernel driver is here; libusb says so too."""
        raise _error(errno.ENOENT)

    attach_kernel_driver = detach_kernel_driver
