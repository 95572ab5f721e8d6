"""Finds a device on the bus by who it is; where it was before counts for nothing.

On the kernel's bus sysfs is looked at first, which opens nothing and costs little, so that a device that is
not there can be looked for three times a second.
"""

from __future__ import annotations

import os
import time
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from drivers.api import Deadline
from drivers.errors import Absent, LinkUnusable
from drivers.link.address import UsbAddress
from drivers.link.passive import ROOT
from drivers.link.usb import backend as backends
from drivers.link.usb.backend import TROUBLE, Backend

DEVICES = "sys/bus/usb/devices"
RESCAN_S = 1.0
YOUNG_S = 2.0
_STRING_MS = 300
_GET_DESCRIPTOR, _STRING = 6, 0x0300  # USB 2.0, 9.4.3 and table 9-5


@dataclass(frozen=True, slots=True)
class Found:
    """A device as its backend knows it. `mark` is new each time it is plugged in."""

    backend: Backend
    dev: Any
    descriptor: Any
    mark: tuple[int, int]
    home: Path | None = None  #: its folder in sysfs
    node: str | None = None  #: /dev/bus/usb/001/004

    def interface_folder(self, number: int, configuration: int) -> Path | None:
        """The folder of one of its interfaces in sysfs."""
        return self.home / f"{self.home.name}:{configuration}.{number}" if self.home else None


class Bus(Protocol):
    """Where devices are."""

    def find(self, at: UsbAddress, deadline: Deadline) -> Found:
        """Raises Absent, or LinkUnusable where there is no such bus at all."""
        ...


class KernelsBus:
    """The machine's own. `root` holds sys and dev."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._rescan_s = 0.0
        self._place: Place | None = None

    def find(self, at: UsbAddress, deadline: Deadline) -> Found:
        if self._place is None or self._place.at != at:
            self._place = Place(at, self._root)
        home = self._place.folder()
        if home is None:
            raise Absent(f"{at}: not plugged in")
        try:
            bus, device = int(_text(home / "busnum")), int(_text(home / "devnum"))
        except ValueError:
            raise Absent(f"{at}: not plugged in any more") from None
        now_s = deadline.clock.monotonic_s()
        try:
            found = self._listed(backends.kernels(), at, bus, device, home)
            if found is None and now_s >= self._rescan_s:
                self._rescan_s = now_s + RESCAN_S
                found = self._listed(backends.rescanned(), at, bus, device, home)
        except TROUBLE as error:
            raise LinkUnusable(f"{at}: libusb: {backends.said(error)}") from error
        if found is None:
            raise Absent(
                f"{at}: at {home.name}, and not yet known to libusb", hint="it is tried again by itself"
            )
        return found

    def _listed(self, backend: Backend, at: UsbAddress, bus: int, device: int, home: Path) -> Found | None:
        for dev in backend.enumerate_devices():
            descriptor = backend.get_device_descriptor(dev)
            # Its list may be old, and an address may have been another device's.
            who = descriptor.bus, descriptor.address, descriptor.idVendor, descriptor.idProduct
            if who == (bus, device, at.vid, at.pid):
                # libusb crashes where a device outlives the context that it was found in.
                dev.found_in = backend
                node = f"/dev/bus/usb/{bus:03d}/{device:03d}"
                return Found(backend, dev, descriptor, (bus, device), home, node)
        return None


class OtherBus:
    """A bus that a backend brings; it is called into existence when first looked at."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._backend: Backend | None = None

    def find(self, at: UsbAddress, deadline: Deadline) -> Found:
        if self._backend is None:
            self._backend = backends.other(self._name)
        backend = self._backend
        try:
            for dev in backend.enumerate_devices():
                descriptor = backend.get_device_descriptor(dev)
                if at.fits(descriptor.idVendor, descriptor.idProduct, at.serial, _port(descriptor)) and (
                    at.serial is None or _serial(backend, dev, descriptor, deadline) == at.serial
                ):
                    return Found(backend, dev, descriptor, (descriptor.bus, descriptor.address))
        except TROUBLE as error:
            raise Absent(f"{at}: {backends.said(error)}") from error
        raise Absent(f"{at}: not plugged in")


def bus_of(at: UsbAddress) -> Bus:
    """The bus that an address is of."""
    return OtherBus(at.backend) if at.backend else KernelsBus()


def folder_of(at: UsbAddress, root: Path = ROOT) -> Path | None:
    """The folder in sysfs of the device that is meant; None: it is not plugged in."""
    try:
        entries = sorted((root / DEVICES).iterdir())
    except OSError:
        return None
    return next((entry for entry in entries if ":" not in entry.name and _fits(at, entry)), None)


class Place:
    """Where in sysfs a device is. While it is not there, files are read only when something came or went."""

    def __init__(self, at: UsbAddress, root: Path = ROOT) -> None:
        self.at = at
        self._root = root
        self._in_vain: frozenset[tuple[str, int]] | None = None

    def folder(self) -> Path | None:
        """As `folder_of`."""
        try:
            with os.scandir(self._root / DEVICES) as entries:
                # What is plugged in anew has a new inode, also at the same port.
                here = frozenset((entry.name, entry.inode()) for entry in entries)
        except OSError:
            return None
        if here == self._in_vain:
            return None
        found = folder_of(self.at, self._root)
        self._in_vain = here if found is None else None
        return found


def young(node: Path) -> bool:
    """A node so new that udev may not have given it its group yet."""
    try:
        made_s = node.stat().st_ctime
    except OSError:
        return True
    return 0 <= time.time() - made_s < YOUNG_S


def _fits(at: UsbAddress, folder: Path) -> bool:
    if _text(folder / "idVendor") != f"{at.vid:04x}" or _text(folder / "idProduct") != f"{at.pid:04x}":
        return False
    serial = _text(folder / "serial") if at.serial is not None else None
    return at.fits(at.vid, at.pid, serial, folder.name)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip("\0\n ")
    except OSError:  # it does not have that, or is gone meanwhile
        return ""


def _port(descriptor: Any) -> str | None:
    """1-1.4, as the kernel writes it."""
    numbers = getattr(descriptor, "port_numbers", None)
    return f"{descriptor.bus}-{'.'.join(map(str, numbers))}" if numbers else None


def _serial(backend: Backend, dev: Any, descriptor: Any, deadline: Deadline) -> str | None:
    if not descriptor.iSerialNumber:
        return None
    handle = backend.open_device(dev)
    try:
        languages = _string(backend, handle, 0, 0, deadline)
        language = int.from_bytes(languages[:2], "little")
        return _string(backend, handle, descriptor.iSerialNumber, language, deadline).decode(
            "utf-16-le", "replace"
        )
    finally:
        backend.close_device(handle)


def _string(backend: Backend, handle: Any, index: int, language: int, deadline: Deadline) -> bytes:
    room = array("B", bytes(255))
    within_ms = max(1, min(_STRING_MS, int(1000 * deadline.remaining_s())))
    count = backend.ctrl_transfer(handle, 0x80, _GET_DESCRIPTOR, _STRING | index, language, room, within_ms)
    return room.tobytes()[2 : min(count, room[0])] if count > 2 else b""
