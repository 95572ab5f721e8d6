"""A USB printer through the kernel's own driver, usblp: /dev/usb/lp0, where any program may print.

So a printer can be ours for the till's sake (the pass-through) without libusb. usblp lets one program in at a
time, sends one transfer after the other, and has a descriptor to poll. Semantics as in the kernel's
drivers/usb/class/usblp.c.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from drivers.api import Deadline
from drivers.errors import Absent, HeldByOther, LinkError, LinkLost, LinkUnusable, NoPermission
from drivers.link.address import UsbAddress
from drivers.link.passive import ROOT
from drivers.link.usb.bus import Place, young
from drivers.link.usb.held import Who, printer_node
from drivers.link.wake import Waiter

READ_BYTES = 4096
ID_BYTES = 1024

LPGETSTATUS = 0x060B  # linux/lp.h
_NOT_NOW = frozenset({errno.EAGAIN, errno.ENOSPC, errno.EINTR})  # ENOSPC: it says that it is out of paper
_NO_DEVICE = (errno.ENODEV, errno.ENOENT, errno.ENXIO)

Ioctl: TypeAlias = Callable[[int, int, bytearray], int]


def device_id_ioctl(size: int) -> int:
    """LPIOC_GET_DEVICE_ID of usblp.c, for a buffer of that size."""
    return 2 << 30 | size << 16 | ord("P") << 8 | 1


def _ioctl(descriptor: int, request: int, buffer: bytearray) -> int:
    return int(fcntl.ioctl(descriptor, request, buffer, True))


class UsblpLink:
    """The node of one device, wherever it is plugged in. `root` holds sys and dev."""

    scheme = "usb"
    held = True
    proves_power = True

    def __init__(self, address: UsbAddress, *, root: Path = ROOT, ioctl: Ioctl = _ioctl) -> None:
        self._address = address
        self._root = root
        self._where = Place(address, root)
        self._ioctl = ioctl
        self._who = Who(root)
        self._waiter = Waiter()
        self._descriptor = -1
        self._in_flight = 0
        self.empty = 0  #: transfers without a byte, one after the other: some printers send nothing else

    def open(self, deadline: Deadline) -> None:
        if self._descriptor >= 0:
            return
        place = self._place()
        node, path = place[0], self._root / place[0].lstrip("/")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise self._not_opened(node, path, error, deadline.clock.monotonic_s()) from error
        try:
            if self._place() != place:
                raise Absent(
                    f"{self._address}: {node} has become another's", hint="it is tried again by itself"
                )
        except LinkError:
            os.close(descriptor)
            raise
        self._descriptor, self._in_flight, self.empty = descriptor, 0, 0

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def is_open(self) -> bool:
        return self._descriptor >= 0

    def read(self, deadline: Deadline) -> bytes:
        """An empty transfer is nothing, not the end."""
        if self._descriptor < 0:
            self._waiter.wait(None, 0, deadline)
            return b""
        ready = self._waiter.wait(self._descriptor, select.POLLIN, deadline)
        if not ready:
            return b""
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except OSError as error:
            if error.errno not in _NOT_NOW:
                raise self._lost(error) from error
            data = b""
        else:
            self.empty = 0 if data else self.empty + 1
        if not data and ready & select.POLLHUP:
            raise self._lost(OSError(errno.ENODEV, os.strerror(errno.ENODEV)))
        return data

    def write(self, data: bytes, deadline: Deadline) -> int:
        if self._descriptor < 0:
            raise LinkLost(f"{self._address}: not open")
        sent = 0
        while sent < len(data):
            try:
                count = os.write(self._descriptor, data[sent:])
            except OSError as error:
                if error.errno not in _NOT_NOW:
                    raise self._lost(error) from error
                if deadline.expired() or error.errno == errno.ENOSPC:
                    break
                self._waiter.wait(self._descriptor, select.POLLOUT, deadline, wakeable=False)
            else:
                sent += count
                self._in_flight = count
        return sent

    def power_line(self) -> bool | None:
        return None

    def busy(self) -> bool:
        return False

    def fileno(self) -> int:
        """The descriptor, for a poll(2) of the caller's own; -1 while closed."""
        return self._descriptor

    def waiting_bytes(self) -> int:
        """The transfer that the printer has not taken yet; usblp does not say how much of it."""
        if self._descriptor < 0 or not self._in_flight:
            return 0
        poller = select.poll()
        poller.register(self._descriptor, select.POLLOUT)
        if poller.poll(0):
            self._in_flight = 0
        return self._in_flight

    def port_status(self) -> int | None:
        """GET_PORT_STATUS: bit 5 paper empty, 4 selected, 3 no error; None where it does not say."""
        status = bytearray(4)
        if self._descriptor < 0 or not self._asked(LPGETSTATUS, status):
            return None
        return int.from_bytes(status, sys.byteorder)

    def device_id(self) -> str | None:
        """The IEEE-1284 id; None where it does not say."""
        room = bytearray(ID_BYTES)
        if self._descriptor < 0 or not self._asked(device_id_ioctl(ID_BYTES), room):
            return None
        return bytes(room[2 : int.from_bytes(room[:2], "big")]).decode("ascii", "replace")

    def wake(self) -> None:
        self._waiter.wake()

    def _asked(self, request: int, buffer: bytearray) -> bool:
        try:
            self._ioctl(self._descriptor, request, buffer)
        except OSError as error:
            if error.errno in _NO_DEVICE:
                raise self._lost(error) from error
            return False
        return True

    def _place(self) -> tuple[str, str]:
        """Its node, and which plugging in that is of: a node's number is given to the next printer."""
        home = self._where.folder()
        if home is None:
            raise Absent(f"{self._address}: not plugged in")
        inside = sorted(home.glob(f"{home.name}:*"))
        node = next(filter(None, map(printer_node, inside)), None)
        if node is None:
            raise LinkUnusable(
                f"{self._address}: it is at {home.name}, and the kernel's usblp does not have it",
                hint="`modprobe usblp`; or replug it, if another program took it from there",
            )
        try:
            return node, (home / "devnum").read_text()
        except OSError:
            raise Absent(f"{self._address}: not plugged in any more") from None

    def _not_opened(self, node: str, path: Path, error: OSError, now_s: float) -> LinkError:
        said = f"{self._address}: {node}: {error.strerror}"
        if error.errno == errno.EBUSY:
            name, hint = self._who.named(node, now_s)
            return HeldByOther(f"{self._address}: {node} is open in {name}", hint=hint)
        if error.errno in (errno.EACCES, errno.EPERM):
            if young(path):
                return Absent(f"{self._address}: just plugged in", hint="it is tried again by itself")
            return NoPermission(said, hint="add the pass-through's user to the group lp, then start it anew")
        return Absent(said) if error.errno in _NO_DEVICE else LinkLost(said)

    def _lost(self, error: OSError) -> LinkLost:
        return LinkLost(f"{self._address}: the printer broke off: {error.strerror}")
