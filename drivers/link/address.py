"""Link addresses, as the configuration writes them.

    serial:PATH?baud=115200&parity=N&bits=8&flow=none
    tcp:HOST:PORT[?hold=1]             an IPv6 host in brackets
    usb:VID:PID[:SERIAL]               hexadecimal ids; for passive access only

And where a till connects to a device that it shares with us:

    tty:PATH?mode=0660&group=dialout
    tcp:HOST:PORT

Pure text; nothing is opened. Every mistake is an AddressError of one line.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from drivers.errors import AddressError

PARITIES = ("N", "E", "O", "M", "S")
BITS = (7, 8)
FLOWS = ("none", "rtscts", "xonxoff")
BAUDS = range(300, 4_000_001)

_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")
_USB_ID = re.compile("[0-9A-Fa-f]{4}")

LATER = ("hid", "pcsc")
"""Schemes that the design has and this version does not."""


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
    """`serial` None: whichever has these ids."""

    vid: int
    pid: int
    serial: str | None = None

    scheme = "usb"


Address: TypeAlias = SerialAddress | TcpAddress | UsbAddress
TillAddress: TypeAlias = TillTty | TillTcp


def parse(text: str) -> Address:
    """Read one address; raises AddressError."""
    scheme, colon, rest = text.partition(":")
    if not colon:
        raise AddressError(f"{text!r} has no scheme; write serial:PATH or tcp:HOST:PORT")
    if scheme == "serial":
        return _serial(rest)
    if scheme == "tcp":
        return _tcp(rest)
    if scheme == "usb":
        return _usb(rest)
    if scheme in LATER:
        raise AddressError(f"{scheme}: links are not supported by this version; use serial: or tcp:")
    raise AddressError(f"{scheme}: is no link scheme; use serial: or tcp:")


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
    place, _, query = rest.partition("?")
    vid, _, other = place.partition(":")
    pid, colon, serial = other.partition(":")
    if not (_USB_ID.fullmatch(vid) and _USB_ID.fullmatch(pid)) or (colon and not serial):
        raise AddressError(
            f"usb: needs two ids of four hexadecimal digits, such as usb:04b8:0e15; got {place!r}"
        )
    if query:
        raise AddressError("usb: has no parameters in this version")
    return UsbAddress(vid=int(vid, 16), pid=int(pid, 16), serial=serial or None)


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
