"""Which USB is spoken to: the kernel's through libusb, or another one by entry point.

pyusb's backends are used without pyusb's own layer above, which opens, claims and asks more than it is
told to.
What they raise is an OSError with an errno, or NotImplementedError.
"""

from __future__ import annotations

import errno
import os
import threading
from array import array
from collections.abc import Iterable
from importlib import util
from pathlib import Path
from typing import Any, Protocol

from drivers.errors import LinkError, LinkLost, LinkUnusable, NoPermission

GROUP = "tillwatch.usb_backends"
PACKAGE = "libusb_package"  #: the wheel that holds libusb; importing it would drag in more than all the rest
LIBRARY = "libusb-1.0.so"
SYSTEM_LIBRARY = "libusb-1.0.so.0"

TROUBLE = (OSError, NotImplementedError)
"""What any call of a backend may raise."""
GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ENXIO, errno.ESHUTDOWN})

UDEV_HINT = (
    "install the udev rule that comes with Tillwatch (systemd/), or add the service's user to the node's "
    "group; then replug the device"
)

UNIT_HINT = (
    "the service's unit does not let it: take the one that comes with Tillwatch (systemd/, DeviceAllow), and "
    "restart the service, in case the kernel's module came after it"
)
"""For EPERM: rights of the node itself would be EACCES (systemd.resource-control(5), DevicePolicy)."""


class Backend(Protocol):
    """The part of `usb.backend.IBackend` that is used here. `timeout` is in ms, and 0 is for ever."""

    def enumerate_devices(self) -> Iterable[Any]: ...
    def get_device_descriptor(self, dev: Any) -> Any: ...
    def get_configuration_descriptor(self, dev: Any, config: int) -> Any: ...
    def get_interface_descriptor(self, dev: Any, intf: int, alt: int, config: int) -> Any: ...
    def get_endpoint_descriptor(self, dev: Any, ep: int, intf: int, alt: int, config: int) -> Any: ...
    def open_device(self, dev: Any) -> Any: ...
    def close_device(self, dev_handle: Any) -> None: ...
    def get_configuration(self, dev_handle: Any) -> int: ...
    def set_configuration(self, dev_handle: Any, config_value: int) -> None: ...
    def set_interface_altsetting(self, dev_handle: Any, intf: int, altsetting: int) -> None: ...
    def claim_interface(self, dev_handle: Any, intf: int) -> None: ...
    def release_interface(self, dev_handle: Any, intf: int) -> None: ...
    def bulk_write(self, dev_handle: Any, ep: int, intf: int, data: array[int], timeout: int) -> int: ...
    def bulk_read(self, dev_handle: Any, ep: int, intf: int, buff: array[int], timeout: int) -> int: ...
    def intr_read(self, dev_handle: Any, ep: int, intf: int, buff: array[int], timeout: int) -> int: ...
    def ctrl_transfer(
        self,
        dev_handle: Any,
        bmRequestType: int,  # noqa: N803 - pyusb's
        bRequest: int,  # noqa: N803 - pyusb's
        wValue: int,  # noqa: N803 - pyusb's
        wIndex: int,  # noqa: N803 - pyusb's
        data: array[int],
        timeout: int,
    ) -> int: ...
    def clear_halt(self, dev_handle: Any, ep: int) -> None: ...
    def reset_device(self, dev_handle: Any) -> None: ...
    def is_kernel_driver_active(self, dev_handle: Any, intf: int) -> bool: ...
    def detach_kernel_driver(self, dev_handle: Any, intf: int) -> None: ...
    def attach_kernel_driver(self, dev_handle: Any, intf: int) -> None: ...


_lock = threading.Lock()
_missing = ""


def kernels() -> Backend:
    """libusb's, one for the process; raises LinkUnusable."""
    global _missing  # noqa: PLW0603 - what cannot be loaded is not tried at each poll
    with _lock:
        if not _missing:
            from usb.backend import libusb1  # noqa: PLC0415 - ctypes and the library only where USB is used

            for place in _places():
                backend: Backend | None = libusb1.get_backend(find_library=lambda _, at=place: at)
                if backend is not None:
                    return backend
                if libusb1._lib is not None:  # noqa: SLF001 - it tells what was wrong to nobody but its log
                    raise LinkUnusable(
                        "libusb cannot start: out of descriptors, or no /dev/bus/usb",
                        hint="it is tried again by itself",
                    )
            _missing = f"{LIBRARY} is neither in {PACKAGE} nor in the system, or cannot be loaded"
        raise LinkUnusable(_missing, hint=f"reinstall {PACKAGE.replace('_', '-')}, or install libusb-1.0-0")


def rescanned() -> Backend:
    """A new one, that has looked at the bus anew: where the kernel's news of plugging in do not reach us."""
    kernels()
    from usb.backend import libusb1  # noqa: PLC0415 - likewise

    # The old one goes with the last link that uses it; loading the library anew would leak.
    with _lock:
        made: Backend = libusb1._LibUSB(libusb1._lib)  # noqa: SLF001 - pyusb has no other way to it
        libusb1._lib_object = made  # noqa: SLF001 - same
        return made


def other(name: str) -> Backend:
    """`NAME:ARGUMENT` by the entry points; raises LinkUnusable."""
    from importlib import metadata  # noqa: PLC0415 - it drags e-mail in, and the pass-through comes by here

    kind, _, argument = name.partition(":")
    found = next(iter(metadata.entry_points(group=GROUP, name=kind)), None)
    if found is None:
        raise LinkUnusable(f"there is no USB backend {kind!r}", hint=f"no package brings one by {GROUP}")
    try:
        backend: Backend = found.load()(argument)
    except Exception as error:  # the package is somebody else's, and may break in any way
        raise LinkUnusable(f"USB backend {name}: {type(error).__name__}: {error}") from error
    return backend


def number(error: Exception) -> int:
    """The errno behind what a backend raised; 0 where it has none."""
    if isinstance(error, NotImplementedError):
        return errno.EOPNOTSUPP
    return (error.errno or 0) if isinstance(error, OSError) else 0


def said(error: Exception) -> str:
    """What went wrong, in the system's words."""
    code = number(error)
    return os.strerror(code) if code else str(error) or type(error).__name__


def permission_hint(code: int) -> str:
    """What to do about EACCES or EPERM."""
    return UNIT_HINT if code == errno.EPERM else UDEV_HINT


def trouble(what: str, error: Exception) -> LinkError:
    """The LinkError of what a backend raised on an open device."""
    code = number(error)
    if code in (errno.EACCES, errno.EPERM):
        return NoPermission(f"{what}: {said(error)}", hint=permission_hint(code))
    return LinkLost(f"{what}: {said(error)}")


def _places() -> list[str]:
    bundled = util.find_spec(PACKAGE)
    folders = (bundled.submodule_search_locations if bundled else None) or ()
    inside = [str(at) for folder in folders if (at := Path(folder, LIBRARY)).exists()]
    return [*inside, SYSTEM_LIBRARY]
