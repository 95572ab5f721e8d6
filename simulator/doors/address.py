"""Door addresses: `tty:PATH[?baud=115200&parity=N&bits=8]`, `tcp:HOST:PORT`, `file:PATH`."""

from __future__ import annotations

import termios
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from simulator.doors.door import Door, DoorError
from simulator.doors.file import FileDoor
from simulator.doors.tcp import TcpDoor
from simulator.doors.tty import TtyDoor
from simulator.loop import Loop

_TTY_DEFAULTS: Mapping[str, str] = {"baud": "115200", "parity": "N", "bits": "8"}


def make(address: str, loop: Loop) -> Door:
    """The door of this address, not open yet; `DoorError` for one that cannot be read."""
    scheme, colon, rest = address.partition(":")
    if not colon or not rest or scheme not in _MAKERS:
        raise DoorError(f"{address}: write tty:PATH, tcp:HOST:PORT or file:PATH")
    return _MAKERS[scheme](address, rest, loop)


def _tty(address: str, rest: str, loop: Loop) -> Door:
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


def _tcp(address: str, rest: str, loop: Loop) -> Door:
    host, _, port = rest.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise DoorError(f"{address}: write tcp:HOST:PORT, with port 0 for any free one")
    return TcpDoor(host, int(port), loop)


def _file(_address: str, rest: str, _loop: Loop) -> Door:
    return FileDoor(Path(rest).absolute())


_MAKERS: Mapping[str, Callable[[str, str, Loop], Door]] = {"tty": _tty, "tcp": _tcp, "file": _file}
