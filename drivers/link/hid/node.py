"""One HID device's feature reports through the kernel's hidraw, which leaves its own driver where it is.

Nothing is ever read(2): what a reader sends unasked may be a card. A feature request may take the kernel
five seconds (USB_CTRL_GET_TIMEOUT of linux/usb.h), so each runs in a thread of its own, which the caller
leaves at its deadline. The descriptor is closed as soon as nobody uses it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from drivers.api import Deadline
from drivers.errors import Absent, HeldByOther, LinkError, LinkLost, LinkUnusable, NoPermission, Stuck
from drivers.link.address import HidAddress
from drivers.link.hid.nodes import Node, entries, nodes
from drivers.link.hid.report import Feature
from drivers.link.passive import ROOT
from drivers.link.usb.bus import Place, young
from drivers.link.usb.held import Who

GIVE_UP_S = 10.0  #: twice what the kernel allows itself
UDEV_HINT = "install the udev rule that comes with Tillwatch (systemd/), then replug the device"

_NO_DEVICE = (errno.ENODEV, errno.ENOENT, errno.ENXIO)

Ioctl: TypeAlias = Callable[[int, int, bytearray], int]


def feature_ioctl(number: int, size: int) -> int:
    """HIDIOCSFEATURE (6) or HIDIOCGFEATURE (7) of linux/hidraw.h, for a buffer of that size."""
    return 3 << 30 | size << 16 | ord("H") << 8 | number


def _ioctl(descriptor: int, request: int, buffer: bytearray) -> int:
    return int(fcntl.ioctl(descriptor, request, buffer, True))


class HidNode:
    """The device's node, from `open` to `close`. Methods raise LinkError."""

    def __init__(self, at: HidAddress, *, root: Path = ROOT, ioctl: Ioctl = _ioctl) -> None:
        self._at = at
        self._root = root
        self._ioctl = ioctl
        self._who = Who(root)
        self._place = Place(at, root)
        self._use: _Use | None = None
        self._left: tuple[_Call, float] | None = None  # a call that was left at its deadline, and since when

    def open(self, deadline: Deadline) -> Feature:
        """Its feature report."""
        self._wait_for_the_last(deadline)
        node = self._choose(deadline)
        path = self._root / node.path.lstrip("/")
        use = _Use()
        code = self._run(lambda: use.open(str(path)), use, deadline)
        if code != 0:
            use.end()
        if code is None:
            raise LinkLost(f"{self._at}: {node.path} does not open in time")
        if code:
            raise self._not_opened(node.path, code)
        if not self._is_still(node):
            use.end()
            raise Absent(f"{self._at}: {node.path} has become another's", hint="it is tried again by itself")
        self._use = use
        return node.reports.features[0]

    def close(self) -> None:
        use, self._use = self._use, None
        if use is not None:
            use.end()

    def set_feature(self, number: int, data: bytes, deadline: Deadline) -> bool:
        """Whether the device took it; not where it refuses, or says nothing till the deadline."""
        return self._feature(6, bytearray([number]) + data, deadline) is not None

    def get_feature(self, number: int, size: int, deadline: Deadline) -> bytes | None:
        """The report without its id; None where the device refuses, or says nothing till the deadline."""
        return self._feature(7, bytearray([number]) + bytes(size), deadline)

    def _feature(self, which: int, buffer: bytearray, deadline: Deadline) -> bytes | None:
        use = self._use
        if use is None:
            raise LinkLost(f"{self._at}: not open")
        self._wait_for_the_last(deadline)
        counts: list[int] = []

        def ask() -> int:
            try:
                counts.append(self._ioctl(use.descriptor, feature_ioctl(which, len(buffer)), buffer))
            except OSError as error:
                return error.errno or errno.EIO
            return 0

        code = self._run(ask, use, deadline)
        if code in (None, errno.EPIPE, errno.ETIMEDOUT):
            return None
        if code:
            raise LinkLost(f"{self._at}: {os.strerror(code)}")
        return bytes(buffer[1 : counts[0]])

    # -- calls that may take long --------------------------------------------------------------------

    def _run(self, call: Callable[[], int], use: _Use, deadline: Deadline) -> int | None:
        """An errno, 0 for none; None: the deadline came first, and the call goes on by itself."""
        if deadline.expired():
            return None
        running = _Call(call, use)
        if not running.ended(deadline):
            self._left = running, deadline.clock.monotonic_s()
            return None
        return running.code

    def _wait_for_the_last(self, deadline: Deadline) -> None:
        if self._left is None:
            return
        running, since_s = self._left
        if running.ended(deadline):
            self._left = None
        elif deadline.clock.monotonic_s() - since_s > GIVE_UP_S:
            raise Stuck(f"{self._at}: a request hangs in the kernel")
        else:
            raise LinkLost(
                f"{self._at}: the last request is not back yet", hint="it is tried again by itself"
            )

    # -- which node ----------------------------------------------------------------------------------

    def _choose(self, deadline: Deadline) -> Node:
        found = nodes(self._at, self._root)
        if not found:
            raise self._no_node(deadline)
        for node in found:
            if node.reports.features and not node.reports.types_keys:
                return node
        if any(node.reports.types_keys for node in found):
            raise LinkUnusable(
                f"{self._at}: it types what it reads as a keyboard does, and a keyboard is never opened",
                hint="set the reader to its HID mode (not keyboard wedge), or set access to passive",
            )
        raise LinkUnusable(f"{self._at}: it has no feature reports", hint="check the driver configured")

    def _is_still(self, node: Node) -> bool:
        """Whether that is what was opened: a node's number is given to the next device, be it a keyboard."""
        entry = self._root / "sys/class/hidraw" / node.path.rpartition("/")[2]
        try:
            return (entry / "device").resolve(strict=True).name == node.device
        except OSError:
            return False

    def _no_node(self, deadline: Deadline) -> LinkError:
        home = self._place.folder()
        if home is None:
            return Absent(f"{self._at}: not plugged in")
        taken = [entry for entry in entries(home) if _driver(entry) == "usbfs"]
        if taken:
            name, hint = self._who.of_device(home, deadline.clock.monotonic_s())
            return HeldByOther(f"{self._at}: held by {name}, past the kernel's driver", hint=hint)
        return LinkUnusable(
            f"{self._at}: it is at {home.name}, and the kernel gives no hidraw node for it",
            hint="load the kernel's modules: `modprobe usbhid hidraw`",
        )

    def _not_opened(self, path: str, code: int) -> LinkError:
        said = f"{self._at}: {path}: {os.strerror(code)}"
        if code in (errno.EACCES, errno.EPERM):
            if young(self._root / path.lstrip("/")):
                return Absent(f"{self._at}: just plugged in", hint="it is tried again by itself")
            return NoPermission(said, hint=UDEV_HINT)
        return Absent(said) if code in _NO_DEVICE else LinkLost(said)


class _Use:
    """A descriptor, closed by whoever is the last to need it."""

    def __init__(self) -> None:
        self.descriptor = -1
        self._lock = threading.Lock()
        self._busy = 0
        self._ended = False

    def open(self, path: str) -> int:
        try:
            self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def begin(self) -> None:
        with self._lock:
            self._busy += 1

    def done(self) -> None:
        with self._lock:
            self._busy -= 1
            self._close_if_last()

    def end(self) -> None:
        with self._lock:
            self._ended = True
            self._close_if_last()

    def _close_if_last(self) -> None:
        if self._ended and not self._busy and self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class _Call:
    """A call in a thread of its own; the thread ends when the call does."""

    def __init__(self, call: Callable[[], int], use: _Use) -> None:
        self.code = 0
        self._call = call
        self._use = use
        use.begin()
        self._thread = threading.Thread(target=self._work, name="hid", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads are to be had
            use.end()
            use.done()
            raise LinkUnusable(
                "hid: the system gives no thread", hint="it is tried again by itself"
            ) from None

    def ended(self, deadline: Deadline) -> bool:
        self._thread.join(deadline.remaining_s())
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            self.code = self._call()
        finally:
            self._use.done()


def _driver(folder: Path) -> str | None:
    try:
        return (folder / "driver").readlink().name
    except OSError:
        return None
