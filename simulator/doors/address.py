"""Door addresses: `tty:PATH[?baud=115200&parity=N&bits=8]`, `tcp:HOST:PORT`, `usb:unix:PATH`,
`usbip:HOST:PORT`, `file:PATH`."""

from __future__ import annotations

import termios
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from simulator.devices.device import Device
from simulator.devices.models import DOORS
from simulator.devices.usb import Shape, has_usb
from simulator.doors.door import Door, DoorError
from simulator.doors.file import FileDoor
from simulator.doors.tcp import TcpDoor
from simulator.doors.tty import TtyDoor
from simulator.doors.usb.ip import UsbIpDoor
from simulator.doors.usb.unix import UsbUnixDoor
from simulator.loop import Loop

_TTY_DEFAULTS: Mapping[str, str] = {"baud": "115200", "parity": "N", "bits": "8"}


def make(address: str, loop: Loop, device: Device) -> Door:
    """The door of this address for `device`, not open yet; `DoorError` for one that cannot be had."""
    scheme, colon, rest = address.partition(":")
    if not colon or not rest or scheme not in _MAKERS:
        raise DoorError(f"{address}: write {_FORMS}")
    if scheme not in DOORS[device.model]:
        ways = " or ".join(_FORM[way] for way in DOORS[device.model])
        raise DoorError(f"{address}: {device.model} is not attached that way; serve it at {ways}")
    return _MAKERS[scheme](address, rest, loop, device)


def _tty(address: str, rest: str, loop: Loop, _device: Device) -> Door:
    path, _, query = rest.partition("?")
    settings = dict(_TTY_DEFAULTS)
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in settings:
            raise DoorError(f"{address}: {name} is not known; there are {', '.join(settings)}")
        settings[name] = value
    baud = settings["baud"]
    if not baud.isdigit() or int(baud) == 0 or not hasattr(termios, f"B{baud}"):
        raise DoorError(f"{address}: baud={baud} is no speed of a serial port")
    if (settings["parity"], settings["bits"]) != ("N", "8"):
        raise DoorError(f"{address}: a pty carries parity=N and bits=8 only")
    return TtyDoor(Path(path).absolute(), int(baud), loop)


def _tcp(address: str, rest: str, loop: Loop, _device: Device) -> Door:
    return TcpDoor(*_host_and_port(address, rest), loop)


def _host_and_port(address: str, rest: str) -> tuple[str, int]:
    host, _, port = rest.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        scheme = address.partition(":")[0]
        raise DoorError(f"{address}: write {scheme}:HOST:PORT, with port 0 for any free one")
    return host, int(port)


def _usb(address: str, rest: str, loop: Loop, device: Device) -> Door:
    kind, _, path = rest.partition(":")
    if kind != "unix" or not path:
        raise DoorError(f"{address}: write usb:unix:PATH")
    return UsbUnixDoor(Path(path).absolute(), loop, _shape(address, device))


def _usbip(address: str, rest: str, loop: Loop, device: Device) -> Door:
    return UsbIpDoor(*_host_and_port(address, rest), loop, _shape(address, device))


def _shape(address: str, device: Device) -> Shape:
    if not has_usb(device):
        raise DoorError(f"{address}: {device.model} has no USB side")
    return device.shape


def _file(_address: str, rest: str, _loop: Loop, _device: Device) -> Door:
    return FileDoor(Path(rest).absolute())


_FORM: Mapping[str, str] = {
    "tty": "tty:PATH",
    "tcp": "tcp:HOST:PORT",
    "usb": "usb:unix:PATH",
    "usbip": "usbip:HOST:PORT",
    "file": "file:PATH",
}
_FORMS = ", ".join(_FORM.values())
_MAKERS: Mapping[str, Callable[[str, str, Loop, Device], Door]] = {
    "tty": _tty,
    "tcp": _tcp,
    "usb": _usb,
    "usbip": _usbip,
    "file": _file,
}
