"""Takes one interface of a USB device, and gives it back as it was.

Nothing is reset or configured here: a device that has no configuration yet gets one in a child process, since
that call may never return.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.api import Deadline, Json
from drivers.errors import Absent, HeldByOther, LinkError, LinkLost, LinkUnusable, NoPermission, Stuck
from drivers.link.address import UsbAddress
from drivers.link.child import Child
from drivers.link.passive import ROOT
from drivers.link.usb import held
from drivers.link.usb.backend import GONE, TROUBLE, Backend, number, permission_hint, said
from drivers.link.usb.bus import Bus, Found, young
from drivers.link.usb.pipes import Pipes, choose, configurations

CHILD = Child("drivers.link.usb.child")
"""Makes the calls that may hang, for every USB device."""

PRINTER = 0x07
USBLP = "sys/bus/usb/drivers/usblp"
STUCK_S = 30.0  #: a device that hung is left alone for so long, unless it is plugged in anew


def tidy() -> None:
    """Reap a helper that has ended, which it does a while after its last call; at once."""
    CHILD.tidy()


@dataclass(frozen=True, slots=True)
class Taken:
    """An interface that is ours."""

    found: Found
    handle: Any
    pipes: Pipes
    detached: bool

    @property
    def backend(self) -> Backend:
        return self.found.backend

    def give_back(self) -> None:
        """Whatever state the device is in; raises nothing."""
        _put_back(self.backend, self.handle, self.pipes.interface, claimed=True, detached=self.detached)
        _close(self.backend, self.handle)


class Taker:
    """Takes the interface of one address, again and again."""

    def __init__(self, at: UsbAddress, usb_class: int | None, bus: Bus, *, root: Path = ROOT) -> None:
        self._at = at
        self._class = usb_class
        self._bus = bus
        self._root = root
        self._who = held.Who(root)
        self._stuck: tuple[tuple[int, int], float, str] | None = None

    def take(self, deadline: Deadline) -> Taken:
        """Raises LinkError."""
        tidy()
        found = self._bus.find(self._at, deadline)
        handle = self._opened(found)
        try:
            active = found.backend.get_configuration(handle)
            if not active:
                closing, handle = handle, None  # libusb does not survive closing it twice
                found.backend.close_device(closing)
                self._configure(found, deadline)
                handle = self._opened(found)
                active = found.backend.get_configuration(handle)
            pipes = choose(found.backend, found.dev, found.descriptor, active, self._class)
            if pipes is None:
                wanted = "with bulk pipes" if self._class is None else f"of class {self._class:#04x}"
                raise LinkUnusable(
                    f"{self._at}: it has no interface {wanted}",
                    hint="check the ids and the driver configured",
                )
            return self._claim(found, handle, pipes, deadline)
        except TROUBLE as error:
            _close(found.backend, handle)
            raise self._error(found, error) from error
        except BaseException:  # a LinkError, or a backend that breaks over what the device says of itself
            _close(found.backend, handle)
            raise

    def reset(self, deadline: Deadline) -> None:
        """Reset the device; nobody may have taken it. Raises LinkError, Stuck where that never ends."""
        found = self._bus.find(self._at, deadline)
        self._ask(found, {"do": "reset"}, deadline)

    # -- parts -------------------------------------------------------------------------------------

    def _opened(self, found: Found) -> Any:
        try:
            return found.backend.open_device(found.dev)
        except TROUBLE as error:
            if number(error) == errno.EIO and found.node is not None:
                self._ensure_opens(found, self._root / found.node.lstrip("/"))
            raise self._error(found, error) from error

    def _ensure_opens(self, found: Found, node: Path) -> None:
        """What libusb calls an I/O error is whatever it does not know: EPERM of a service's unit, EMFILE."""
        try:
            os.close(os.open(node, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            raise self._error(found, error) from error

    def _claim(self, found: Found, handle: Any, pipes: Pipes, deadline: Deadline) -> Taken:
        now_s = deadline.clock.monotonic_s()
        detach = self._must_detach(found, handle, pipes, now_s)
        if detach:
            try:
                found.backend.detach_kernel_driver(handle, pipes.interface)
            except TROUBLE as error:
                if number(error) != errno.ENOENT:  # it went by itself meanwhile: claiming tells
                    raise
        claimed = False
        try:
            found.backend.claim_interface(handle, pipes.interface)
            claimed = True
            if pipes.alternate:
                found.backend.set_interface_altsetting(handle, pipes.interface, pipes.alternate)
        except BaseException as error:
            _put_back(found.backend, handle, pipes.interface, claimed=claimed, detached=detach)
            if isinstance(error, TROUBLE) and number(error) == errno.EBUSY:
                raise held.claimed(str(self._at), found.node, self._who, now_s) from error
            raise
        return Taken(found, handle, pipes, detach)

    def _must_detach(self, found: Found, handle: Any, pipes: Pipes, now_s: float) -> bool:
        """Only usblp is ever detached, and only while nobody has its node open; raises LinkError else."""
        if found.home is None:
            try:
                active = found.backend.is_kernel_driver_active(handle, pipes.interface)
            except NotImplementedError:
                return False
            if active and pipes.device_class != PRINTER:
                raise held.why_kept(str(self._at), "for that interface")
            return active
        folder = found.interface_folder(pipes.interface, pipes.configuration)
        driver = held.kernel_driver(folder)
        if driver is None:
            # Free; or usblp's, and a program that had it was killed before it could give it back.
            return pipes.device_class == PRINTER and (self._root / USBLP).exists()
        if driver == "usbfs":
            return False  # a program's: claiming tells
        if driver != "usblp":
            raise held.why_kept(str(self._at), driver)
        node = held.printer_node(folder)
        if node is not None:
            held.ensure_idle(str(self._at), node, self._who, now_s, self._root)
        return True

    def _configure(self, found: Found, deadline: Deadline) -> None:
        first = next((c for _, c in configurations(found.backend, found.dev, found.descriptor)), None)
        if first is None:
            raise LinkUnusable(f"{self._at}: it offers no configuration")
        self._ask(found, {"do": "configure", "value": int(first.bConfigurationValue)}, deadline)

    def _ask(self, found: Found, request: dict[str, Json], deadline: Deadline) -> None:
        now_s = deadline.clock.monotonic_s()
        if self._stuck and self._stuck[0] == found.mark and now_s < self._stuck[1]:
            raise Stuck(self._stuck[2])
        at = self._at
        device: dict[str, Json] = {
            "vid": at.vid,
            "pid": at.pid,
            "serial": at.serial,
            "port": at.port,
            "backend": at.backend,
        }
        try:
            answer = CHILD.ask({**request, **device}, deadline)
        except Stuck:
            text = f"{at}: it hangs ({request['do']} did not come back)"
            self._stuck = (found.mark, deadline.clock.monotonic_s() + STUCK_S, text)
            raise Stuck(text) from None
        wrong = answer.get("error")
        if wrong is not None:
            raise self._error(found, OSError(wrong, answer.get("text")))

    def _error(self, found: Found, error: Exception) -> LinkError:
        code, what = number(error), f"{self._at}: {said(error)}"
        if code in GONE:
            return Absent(what)
        if code in (errno.EACCES, errno.EPERM):
            if code == errno.EACCES and found.node and young(self._root / found.node.lstrip("/")):
                return Absent(f"{self._at}: just plugged in", hint="it is tried again by itself")
            where = f"{self._at}: {found.node}" if found.node else str(self._at)
            return NoPermission(f"{where}: {said(error)}", hint=permission_hint(code))
        if code == errno.EBUSY:
            return HeldByOther(what)
        return LinkLost(what)


def _put_back(backend: Backend, handle: Any, interface: int, *, claimed: bool, detached: bool) -> None:
    """The kernel's driver gets nothing back that is claimed."""
    if claimed:
        with contextlib.suppress(*TROUBLE):
            backend.release_interface(handle, interface)
    if detached:
        with contextlib.suppress(*TROUBLE):
            backend.attach_kernel_driver(handle, interface)


def _close(backend: Backend, handle: Any) -> None:
    if handle is not None:
        with contextlib.suppress(*TROUBLE):
            backend.close_device(handle)
