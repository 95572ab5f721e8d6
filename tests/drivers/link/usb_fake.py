"""A USB of the tests' own behind pyusb's backend contract: devices in memory, on the real clock."""

from __future__ import annotations

import errno
import os
import threading
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from usb.backend import IBackend
from usb.core import USBError, USBTimeoutError

from drivers.api import Deadline
from drivers.link.address import UsbAddress
from drivers.link.usb.bus import Found, OtherBus

OUT, IN, NOTICES = 0x01, 0x82, 0x83


def interface(number: int, code: int, *ends: int, alternate: int = 0) -> SimpleNamespace:
    """An interface with these endpoints; 0x83 is the interrupt one."""
    return SimpleNamespace(
        bInterfaceNumber=number,
        bAlternateSetting=alternate,
        bInterfaceClass=code,
        bNumEndpoints=len(ends),
        ends=[
            SimpleNamespace(bEndpointAddress=e, bmAttributes=3 if e == NOTICES else 2, wMaxPacketSize=64)
            for e in ends
        ],
    )


PRINTER = interface(0, 0x07, OUT, IN)


@dataclass
class Device:
    """One device. `answers` makes a bulk answer of what was written; `refuses` an errno of a call's name."""

    vid: int = 0x04B8
    pid: int = 0x0E15
    serial: str = "S1"
    port: tuple[int, ...] = (4,)
    interfaces: list[list[SimpleNamespace]] = field(default_factory=lambda: [[PRINTER]])
    configuration: int = 1
    kernel_driver: bool = False
    answers: Callable[[bytes], bytes] = lambda data: data
    refuses: dict[str, list[int]] = field(default_factory=dict)
    takes: int = 1 << 20  #: bytes, before it is full
    address: int = 0
    waiting: dict[int, bytearray] = field(default_factory=dict)
    claimed: set[int] = field(default_factory=set)
    controls: list[tuple[int, ...]] = field(default_factory=list)
    halted: set[int] = field(default_factory=set)
    said: Any = None  #: to a control request; an int is an errno

    @property
    def descriptor(self) -> SimpleNamespace:
        return SimpleNamespace(
            idVendor=self.vid,
            idProduct=self.pid,
            bus=1,
            address=self.address,
            port_numbers=self.port,
            iSerialNumber=3,
            bNumConfigurations=1,
        )


class Fake(IBackend):  # type: ignore[misc]  # pyusb has no types
    """The bus, with what was done to it in `log`. `open_handles` is what nobody has closed yet."""

    def __init__(self, *devices: Device) -> None:
        super().__init__()
        self.plugged: list[Device] = []
        self.log: list[str] = []
        self.open_handles = 0
        self.timeouts: list[int] = []
        self._changed = threading.Condition()
        for device in devices:
            self.plug(device)

    def plug(self, device: Device) -> None:
        self.arrivals = getattr(self, "arrivals", 0) + 1
        device.address = self.arrivals
        device.waiting, device.claimed = {}, set()
        with self._changed:
            self.plugged.append(device)

    def unplug(self, device: Device) -> None:
        with self._changed:
            self.plugged.remove(device)
            self._changed.notify_all()

    def say(self, device: Device, data: bytes, pipe: int = IN) -> None:
        with self._changed:
            device.waiting.setdefault(pipe, bytearray()).extend(data)
            self._changed.notify_all()

    # -- the contract ------------------------------------------------------------------------------

    def enumerate_devices(self) -> list[Device]:
        return list(self.plugged)

    def get_device_descriptor(self, dev: Device) -> SimpleNamespace:
        return dev.descriptor

    def get_configuration_descriptor(self, dev: Device, config: int) -> SimpleNamespace:
        return SimpleNamespace(bConfigurationValue=1, bNumInterfaces=len(dev.interfaces))

    def get_interface_descriptor(self, dev: Device, intf: int, alt: int, config: int) -> Any:
        return dev.interfaces[intf][alt]

    def get_endpoint_descriptor(self, dev: Device, ep: int, intf: int, alt: int, config: int) -> Any:
        return dev.interfaces[intf][alt].ends[ep]

    def open_device(self, dev: Device) -> tuple[Device, int]:
        self._call("open", dev)
        self.open_handles += 1
        return dev, dev.address

    def close_device(self, dev_handle: tuple[Device, int]) -> None:
        self.log.append("close")
        self.open_handles -= 1

    def get_configuration(self, dev_handle: tuple[Device, int]) -> int:
        self._alive(dev_handle)
        return dev_handle[0].configuration

    def claim_interface(self, dev_handle: tuple[Device, int], intf: int) -> None:
        self._call(f"claim {intf}", dev_handle[0])
        if intf in dev_handle[0].claimed:
            raise _error(errno.EBUSY)
        dev_handle[0].claimed.add(intf)

    def release_interface(self, dev_handle: tuple[Device, int], intf: int) -> None:
        self.log.append(f"release {intf}")
        dev_handle[0].claimed.discard(intf)

    def set_interface_altsetting(self, dev_handle: tuple[Device, int], intf: int, altsetting: int) -> None:
        self._call(f"alternate {intf} {altsetting}", dev_handle[0])

    def is_kernel_driver_active(self, dev_handle: tuple[Device, int], intf: int) -> bool:
        return dev_handle[0].kernel_driver

    def detach_kernel_driver(self, dev_handle: tuple[Device, int], intf: int) -> None:
        self._call(f"detach {intf}", dev_handle[0])
        dev_handle[0].kernel_driver = False

    def attach_kernel_driver(self, dev_handle: tuple[Device, int], intf: int) -> None:
        self._call(f"attach {intf}", dev_handle[0])
        dev_handle[0].kernel_driver = True

    def clear_halt(self, dev_handle: tuple[Device, int], ep: int) -> None:
        self._call(f"clear {ep:#04x}", dev_handle[0])
        dev_handle[0].halted.discard(ep)

    def bulk_write(
        self, dev_handle: tuple[Device, int], ep: int, intf: int, data: array[int], timeout: int
    ) -> int:
        device = self._transfer(dev_handle, ep, intf, timeout)
        taken = min(len(data), device.takes)
        device.takes -= taken
        if taken < len(data):
            time.sleep(timeout / 1000)
            if not taken:
                raise USBTimeoutError("timeout", -7, errno.ETIMEDOUT)
        self.say(device, device.answers(data.tobytes()[:taken]))
        return taken

    def bulk_read(
        self, dev_handle: tuple[Device, int], ep: int, intf: int, buff: array[int], timeout: int
    ) -> int:
        device = self._transfer(dev_handle, ep, intf, timeout)
        assert len(buff) % 64 == 0, "less than a packet's room would overflow"
        ends_s = time.monotonic() + timeout / 1000
        with self._changed:
            while not device.waiting.get(ep):
                self._alive(dev_handle)
                left_s = ends_s - time.monotonic()
                if left_s <= 0:
                    raise USBTimeoutError("timeout", -7, errno.ETIMEDOUT)
                self._changed.wait(left_s)
            data = bytes(device.waiting[ep][: len(buff)])
            del device.waiting[ep][: len(data)]
        buff[: len(data)] = array("B", data)
        return len(data)

    intr_read = bulk_read

    def ctrl_transfer(
        self,
        dev_handle: tuple[Device, int],
        bmRequestType: int,  # noqa: N803 - pyusb's
        bRequest: int,  # noqa: N803 - pyusb's
        wValue: int,  # noqa: N803 - pyusb's
        wIndex: int,  # noqa: N803 - pyusb's
        data: array[int],
        timeout: int,
    ) -> int:
        device = self._alive(dev_handle)
        self._bounded(timeout)
        if (bmRequestType, bRequest) == (0x80, 6):
            text = b"\x09\x04" if wValue == 0x0300 else device.serial.encode("utf-16-le")
            said = bytes([2 + len(text), 3]) + text
        else:
            device.controls.append((bmRequestType, bRequest, wValue, wIndex, *data))
            if isinstance(device.said, int):
                raise _error(device.said)
            said = device.said or b""
        if bmRequestType & 0x80:
            count = min(len(said), len(data))
            data[:count] = array("B", said[:count])
            return count
        return len(data)

    # -- its own -----------------------------------------------------------------------------------

    def _transfer(self, handle: tuple[Device, int], ep: int, intf: int, timeout: int) -> Device:
        device = self._alive(handle)
        self._bounded(timeout)
        assert intf in device.claimed
        if device.refuses.get("transfer"):
            raise _error(device.refuses["transfer"].pop(0))
        if ep in device.halted:
            raise _error(errno.EPIPE)
        return device

    def _bounded(self, timeout: int) -> None:
        assert timeout > 0, "0 is for ever"
        self.timeouts.append(timeout)

    def _alive(self, handle: tuple[Device, int]) -> Device:
        device, address = handle
        if device not in self.plugged or device.address != address:
            raise _error(errno.ENODEV)
        return device

    def _call(self, what: str, device: Device) -> None:
        self.log.append(what)
        codes = device.refuses.get(what.partition(" ")[0])
        if codes:
            raise _error(codes.pop(0))


class FakeBus:
    """The fake as the links find it; `rights` as sysfs would show an interface's kernel driver."""

    def __init__(self, backend: Fake) -> None:
        self.backend = backend
        self.looks = 0
        self._bus = OtherBus("fake:")
        self._bus._backend = backend

    def find(self, at: UsbAddress, deadline: Deadline) -> Found:
        self.looks += 1
        return self._bus.find(at, deadline)


def _error(code: int) -> USBError:
    return USBError(os.strerror(code), -1, code)
