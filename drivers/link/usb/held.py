"""Who else has an interface: a kernel driver, or a program. That is a normal state with a name."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from drivers.errors import HeldByOther, NoPermission
from drivers.link.passive import ROOT, Holder, holders

AGAIN_S = 20.0  #: looking through all processes is dear

_SERIAL_HINT = "to the kernel it is a serial port: use a link serial:/dev/serial/by-id/..."
_DRIVERS: Mapping[str, str] = {
    "usbhid": "it is a HID device: use a link hid:VID:PID",
    "cdc_acm": _SERIAL_HINT,
    "ftdi_sio": _SERIAL_HINT,
    "ch341": _SERIAL_HINT,
    "cp210x": _SERIAL_HINT,
    "pl2303": _SERIAL_HINT,
}
"""Kernel driver of an interface -> how its device is spoken to instead; these are never detached."""

_PROGRAMS: Mapping[str, str] = {
    "pcscd": "the smart-card service has it: use a link pcsc:NAME",
    "usb": "CUPS prints to it: set access to passive, or stop its queue",
    "ipp-usb": "ipp-usb has it: stop that service for this device, or set access to passive",
    "brltty": "brltty takes it for a braille display: remove brltty",
    "fwupd": "fwupd is looking at it: wait a moment",
}
"""A program that has it -> what to do; the names as in /proc/PID/comm."""
_PRINTER_NODE_HINT = "add the service's user to the group lp, so that it can be seen whether the till prints"


class Who:
    """Names the programs that have a node open, and remembers for a while."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._asked = ("", 0.0)
        self._named: tuple[str, str | None] = ("", None)

    def named(self, node: str | None, now_s: float) -> tuple[str, str | None]:
        """In words, and what to do if that is known."""
        if node is None:
            return "another program", None
        if self._asked[0] != node or now_s >= self._asked[1]:
            self._asked = (node, now_s + AGAIN_S)
            self._named = self._look(node)
        return self._named

    def of_device(self, home: Path, now_s: float) -> tuple[str, str | None]:
        """The same of a device by its folder in sysfs."""
        try:
            bus, device = (int((home / name).read_text()) for name in ("busnum", "devnum"))
        except (OSError, ValueError):  # gone
            return self.named(None, now_s)
        return self.named(f"/dev/bus/usb/{bus:03d}/{device:03d}", now_s)

    def _look(self, node: str) -> tuple[str, str | None]:
        seen = holders([node], self._root)
        others = [holder for holder in seen.by_node[node] if holder.pid != os.getpid()]
        if not others:
            return "another program" + ("" if seen.complete else " (run as root to see which)"), None
        hint = next((_PROGRAMS[holder.command] for holder in others if holder.command in _PROGRAMS), None)
        return ", ".join(map(_shown, others)), hint


def _shown(holder: Holder) -> str:
    return f"{holder.command} (pid {holder.pid})"


def kernel_driver(folder: Path | None) -> str | None:
    """The kernel's driver of an interface, by its folder in sysfs."""
    try:
        return (folder / "driver").readlink().name if folder else None
    except OSError:
        return None


def printer_node(folder: Path | None) -> str | None:
    """/dev/usb/lp0, where usblp has the interface."""
    try:
        names = sorted((folder / "usbmisc").iterdir()) if folder else []
    except OSError:
        return None
    return f"/dev/usb/{names[0].name}" if names else None


def why_kept(what: str, driver: str) -> HeldByOther:
    """A driver that is left where it is."""
    return HeldByOther(f"{what}: the kernel's driver {driver} has it", hint=_DRIVERS.get(driver))


def ensure_idle(what: str, node: str, who: Who, now_s: float, root: Path = ROOT) -> None:
    """usblp may be detached; raises LinkError where somebody has its node open.

    Only one can, so that opening it tells.
    """
    try:
        os.close(os.open(root / node.lstrip("/"), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.EBUSY:
            name, hint = who.named(node, now_s)
            raise HeldByOther(f"{what}: {node} is open in {name}", hint=hint) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise NoPermission(f"{what}: {node}: {error.strerror}", hint=_PRINTER_NODE_HINT) from error
        # Else it is gone meanwhile.


def claimed(what: str, node: str | None, who: Who, now_s: float) -> HeldByOther:
    """Another program has claimed the interface."""
    name, hint = who.named(node, now_s)
    return HeldByOther(f"{what}: held by {name}", hint=hint)
