"""Link addresses, as the configuration writes them.

    serial:PATH?baud=115200&parity=N&bits=8&flow=none
    tcp:HOST:PORT[?hold=1]             an IPv6 host in brackets
    usb:VID:PID[:SERIAL][?port=1-1.4]  hexadecimal ids; `port` is the place on the bus, for what has no
                                       serial number of its own; &backend=NAME:ARG is another USB than
                                       the kernel's, such as the simulator's unix:PATH
    hid:VID:PID[:SERIAL][?...]         likewise, by HID feature reports
    pcsc:NAME                          a card reader as pcscd names it; the end of the name may be left out

And where a till connects to a device that it shares with us:

    tty:PATH?mode=0660&group=dialout
    tcp:HOST:PORT

Pure text; nothing is opened. Every mistake is an AddressError of one line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from drivers.errors import AddressError

PARITIES = ("N", "E", "O", "M", "S")
BITS = (7, 8)
FLOWS = ("none", "rtscts", "xonxoff")
BAUDS = range(300, 4_000_001)

_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")
_USB_ID = re.compile("[0-9A-Fa-f]{4}")
_USB_PORT = re.compile(r"\d{1,3}-\d{1,3}(\.\d{1,3}){0,6}")
_BACKEND = re.compile("[A-Za-z0-9_.-]+:.+")
_READER_NAME_MOST = 127  # MAX_READERNAME of pcsclite.h, less its zero


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialAddress:
    path: str
    baud: int = 115200
    parity: str = "N"
    bits: int = 8
    flow: str = "none"

    scheme = "serial"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpAddress:
    host: str
    port: int
    hold: bool = False

    scheme = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class TillTty:
    """A tty of ours at `path`; its mode, and its group where one is named."""

    path: str
    mode: int = 0o660
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TillTcp:
    """A port of ours, on the interface that `host` names."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbAddress:
    """`serial` and `port` None: whichever has these ids. `backend`: None is the kernel's USB."""

    vid: int
    pid: int
    serial: str | None = None
    port: str | None = None
    backend: str | None = None

    scheme = "usb"

    def fits(self, vid: int, pid: int, serial: str | None, port: str | None) -> bool:
        """Whether a device on the bus is the one that is meant."""
        return (
            (vid, pid) == (self.vid, self.pid) and self.serial in (None, serial) and self.port in (None, port)
        )

    def __str__(self) -> str:
        serial = f":{self.serial}" if self.serial else ""
        port = f" at {self.port}" if self.port else ""
        return f"{self.scheme}:{self.vid:04x}:{self.pid:04x}{serial}{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HidAddress(UsbAddress):
    """The same device, spoken to by HID feature reports."""

    scheme = "hid"


@dataclass(frozen=True, slots=True, kw_only=True)
class PcscAddress:
    """`reader` is the beginning of its name at pcscd."""

    reader: str

    scheme = "pcsc"


Address: TypeAlias = SerialAddress | TcpAddress | UsbAddress | HidAddress | PcscAddress
TillAddress: TypeAlias = TillTty | TillTcp


def parse(text: str) -> Address:
    """Read one address; raises AddressError."""
    scheme, colon, rest = text.partition(":")
    if not colon:
        raise AddressError(
            f"{text!r} has no scheme; write serial:PATH, tcp:HOST:PORT, usb:VID:PID, hid:VID:PID or pcsc:NAME"
        )
    reader = _SCHEMES.get(scheme)
    if reader is None:
        raise AddressError(f"{scheme}: is no link scheme; use {', '.join(f'{name}:' for name in _SCHEMES)}")
    return reader(rest)


def parse_till(text: str) -> TillAddress:
    """Read the address of a till's door; raises AddressError."""
    scheme, colon, rest = text.partition(":")
    if scheme == "tcp" and colon:
        if "?" in rest:
            raise AddressError("tcp: takes no parameters where the till connects")
        place = _tcp(rest)
        if not (_LOOPBACK.fullmatch(place.host) or place.host == "::1"):
            raise AddressError(
                f"tcp: tills of this machine connect here: write 127.0.0.1 or [::1]; got {place.host!r}"
            )
        return TillTcp(host=place.host, port=place.port)
    if scheme != "tty" or not colon:
        raise AddressError(f"{text!r} is no place for a till; write tty:PATH or tcp:HOST:PORT")
    path, _, query = rest.partition("?")
    if not path.startswith("/") or path.endswith("/"):
        raise AddressError(
            f"tty: needs an absolute path, such as tty:/run/tillwatch-till/receipt; got {path!r}"
        )
    given = _parameters("tty", query, ("mode", "group"))
    mode = given.get("mode", "0660")
    if not (mode.isascii() and mode.isdigit() and len(mode) <= 4 and not set(mode) & {"8", "9"}):
        raise AddressError(f"mode must be octal, such as 0660; got {mode!r}")
    if int(mode, 8) & ~0o666:
        raise AddressError(f"mode may give read and write, no more; got {mode!r}")
    return TillTty(path=path, mode=int(mode, 8), group=given.get("group", ""))


def _serial(rest: str) -> SerialAddress:
    path, _, query = rest.partition("?")
    if not path.startswith("/"):
        raise AddressError(f"serial: needs an absolute path, such as serial:/dev/ttyS0; got {path!r}")
    given = _parameters("serial", query, ("baud", "parity", "bits", "flow"))
    return SerialAddress(
        path=path,
        baud=_number("baud", given.get("baud", "115200"), BAUDS),
        parity=_choice("parity", given.get("parity", "N"), PARITIES),
        bits=_number("bits", given.get("bits", "8"), BITS),
        flow=_choice("flow", given.get("flow", "none"), FLOWS),
    )


def _tcp(rest: str) -> TcpAddress:
    place, _, query = rest.partition("?")
    host, colon, port = place.rpartition(":")
    if not colon or not host or not port:
        raise AddressError(f"tcp: needs a host and a port, such as tcp:192.0.2.7:9100; got {place!r}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise AddressError(f"write an IPv6 host in brackets, such as tcp:[fe80::1]:9100; got {place!r}")
    given = _parameters("tcp", query, ("hold",))
    return TcpAddress(
        host=host,
        port=_number("port", port, range(1, 65536)),
        hold=_choice("hold", given.get("hold", "0"), ("0", "1")) == "1",
    )


def _usb(rest: str) -> UsbAddress:
    return UsbAddress(**_on_bus("usb", rest))


def _hid(rest: str) -> HidAddress:
    return HidAddress(**_on_bus("hid", rest))


def _on_bus(scheme: str, rest: str) -> dict[str, Any]:
    place, _, query = rest.partition("?")
    vid, _, other = place.partition(":")
    pid, colon, serial = other.partition(":")
    if not (_USB_ID.fullmatch(vid) and _USB_ID.fullmatch(pid)) or (colon and not serial):
        raise AddressError(
            f"{scheme}: needs two ids of four hexadecimal digits, such as {scheme}:04b8:0e15; got {place!r}"
        )
    given = _parameters(scheme, query, ("port", "backend"))
    port, backend = given.get("port"), given.get("backend")
    if port is not None and not _USB_PORT.fullmatch(port):
        raise AddressError(f"port must be a place on the bus, such as 1-1.4; got {port!r}")
    if backend is not None and not _BACKEND.fullmatch(backend):
        raise AddressError(f"backend must be NAME:ARGUMENT, such as unix:/run/usb.sock; got {backend!r}")
    return {
        "vid": int(vid, 16),
        "pid": int(pid, 16),
        "serial": serial or None,
        "port": port,
        "backend": backend,
    }


def _pcsc(rest: str) -> PcscAddress:
    name = rest.strip()
    if not name or not name.isprintable() or len(name.encode()) > _READER_NAME_MOST:
        raise AddressError(
            f"pcsc: needs the reader's name as `tillwatch devices` shows it; got {rest[:40]!r}"
        )
    return PcscAddress(reader=name)


def _parameters(scheme: str, query: str, known: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not equals:
            raise AddressError(f"{scheme}: parameter {part!r} has no value; write {part}=...")
        if key not in known:
            raise AddressError(f"{scheme}: has no parameter {key!r}; it has {', '.join(known)}")
        if key in given:
            raise AddressError(f"{scheme}: parameter {key!r} is given twice")
        given[key] = value
    return given


def _number(key: str, text: str, allowed: Collection[int]) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) in allowed:
        return int(text)
    bounds = f"{min(allowed)} to {max(allowed)}" if isinstance(allowed, range) else _either(allowed)
    raise AddressError(f"{key} must be {bounds}; got {text!r}")


def _choice(key: str, text: str, allowed: tuple[str, ...]) -> str:
    if text in allowed:
        return text
    raise AddressError(f"{key} must be {_either(allowed)}; got {text!r}")


def _either(allowed: Collection[object]) -> str:
    return " or ".join(map(str, allowed))


_SCHEMES: Mapping[str, Callable[[str], Address]] = {
    "serial": _serial,
    "tcp": _tcp,
    "usb": _usb,
    "hid": _hid,
    "pcsc": _pcsc,
}
