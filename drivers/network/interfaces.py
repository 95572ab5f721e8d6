"""The machine's own end: interfaces, their links and addresses. Free of charge; nothing is sent."""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from drivers.network.findings import Interface

IFF_UP, POINT_TO_POINT, NO_ARP = 0x1, 0x10, 0x80  #: include/uapi/linux/if.h
PPP = "512"  #: include/uapi/linux/if_arp.h: PPPoE, or a modem that is dialled
SIOCGIFADDR = 0x8915  #: netdevice(7)
LINK_SCOPE = 0x20  #: /proc/net/if_inet6: an address that holds on this link alone
SELF_GIVEN = "169.254."  #: RFC 3927: what a machine gives itself where nobody hands out addresses


def interfaces(
    root: Path = Path("/"), ipv4: Callable[[str], str | None] | None = None
) -> tuple[Interface, ...]:
    """Those with hardware behind them, a dialled line, and what is stacked on these; so that a tunnel or a
    container's bridge proves nothing. Where none has any (in a container), all but the loopback. Raises
    OSError where there is no sysfs."""
    net = root / "sys/class/net"
    there = sorted(entry for entry in net.iterdir() if entry.name != "lo" and (entry / "operstate").exists())
    real = {entry.name for entry in there if (entry / "device").exists() or _text(entry / "type") == PPP}
    judged = [entry for entry in there if entry.name in real or _stands_on(entry.name, net, real)] or there
    six = dict(_ipv6(root))
    read_ipv4 = ipv4 or ipv4_of
    found = []
    for entry in judged:
        four = read_ipv4(entry.name)
        addresses = (*((four,) if four else ()), *six.get(entry.name, ()))
        found.append(
            Interface(
                name=entry.name,
                state=_state(entry),
                addresses=addresses,
                stacked=bool(real) and entry.name not in real,
            )
        )
    return tuple(found)


def local(name: str, root: Path = Path("/")) -> bool:
    """Whether the shop's own network is behind it; behind a modem or a tunnel each byte costs."""
    entry = root / "sys/class/net" / name
    return not _flags(entry) & (POINT_TO_POINT | NO_ARP) and "DEVTYPE=wwan" not in _text(entry / "uevent")


def ipv4_of(interface: str) -> str | None:
    """The interface's first IPv4 address."""
    request = struct.pack("16s24x", interface.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, SIOCGIFADDR, request)
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def usable(address: str) -> bool:
    """Whether somebody handed it out."""
    return not address.startswith(SELF_GIVEN)


def _ipv6(root: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    by_name: dict[str, list[str]] = {}
    for line in _text(root / "proc/net/if_inet6").splitlines():
        number, _index, _length, scope, _flags, name = line.split()
        if int(scope, 16) & 0xF0 != LINK_SCOPE:
            by_name.setdefault(name, []).append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(number)))
    yield from ((name, tuple(found)) for name, found in by_name.items())


def _stands_on(name: str, net: Path, real: set[str], depth: int = 4) -> bool:
    """A bridge over eth0 does; one of containers alone does not."""
    try:
        below = [entry.name.removeprefix("lower_") for entry in (net / name).glob("lower_*")]
    except OSError:
        return False
    return any(each in real or (depth and _stands_on(each, net, real, depth - 1)) for each in below)


def _flags(entry: Path) -> int:
    return int(_text(entry / "flags") or "0", 16)


def _state(entry: Path) -> str:
    if not _flags(entry) & IFF_UP:
        return "switched_off"
    # Mobile modems and other drivers keep no state: they say unknown.
    return "up" if _text(entry / "operstate") in ("up", "unknown") else "no_carrier"


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:  # an interface may go while it is read
        return ""
