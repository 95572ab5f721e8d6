"""Where packets leave: the default route, and whether there is any way to an address. Nothing is sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from drivers.network import interfaces, tcp
from drivers.network.findings import Route

RTF_UP, RTF_REJECT = 0x1, 0x200  #: include/uapi/linux/route.h
ANY_PORT = 9


def default_route(root: Path = Path("/")) -> Route | None:
    """The one of the lowest metric, IPv4 before IPv6."""
    for found in (_ipv4(root), _ipv6(root)):
        best = min(found, key=lambda each: each[0], default=None)
        if best is not None:
            return best[1]
    return None


def leads_to(address: str) -> bool:
    """Whether the kernel knows a way to `address`: it is asked without a packet being sent."""
    try:
        asking, place = tcp.towards(address, ANY_PORT, socket.SOCK_DGRAM)
        with asking:
            asking.connect(place)
    except OSError:
        return False
    return True


def attached(address: str, root: Path = Path("/")) -> bool:
    """Whether an address is this machine's own or on its local network: what is sent there costs nothing."""
    if address.startswith("127.") or address == "::1":
        return True
    number, _, scope = address.partition("%")
    if scope:
        return interfaces.local(scope, root)
    if ":" in number:
        return _attached_ipv6(int.from_bytes(socket.inet_pton(socket.AF_INET6, number)), root)
    wanted = int.from_bytes(socket.inet_aton(number), "little")
    return any(
        int(line[1], 16) == wanted & int(line[7], 16) and interfaces.local(line[0], root)
        for line in _lines(root / "proc/net/route")
        if int(line[7], 16) and not int(line[2], 16)
    )


def _attached_ipv6(wanted: int, root: Path) -> bool:
    for line in _lines(root / "proc/net/ipv6_route", header=False):
        network, bits, gateway, name = int(line[0], 16), int(line[1], 16), int(line[4], 16), line[9]
        near = bits and not gateway and network >> (128 - bits) == wanted >> (128 - bits)
        if near and _leads(int(line[8], 16)) and interfaces.local(name, root):
            return True
    return False


def _ipv4(root: Path) -> Iterator[tuple[int, Route]]:
    for line in _lines(root / "proc/net/route"):
        name, destination, gateway, flags, _, _, metric, mask = line[:8]
        if int(destination, 16) or int(mask, 16) or not _leads(int(flags, 16)):
            continue
        number = int(gateway, 16)  # in the machine's own byte order, as the kernel prints it
        number = number if interfaces.local(name, root) else 0
        address = socket.inet_ntoa(number.to_bytes(4, "little")) if number else ""
        yield int(metric), Route(interface=name, gateway=address)


def _ipv6(root: Path) -> Iterator[tuple[int, Route]]:
    for line in _lines(root / "proc/net/ipv6_route", header=False):
        destination, length, _, _, gateway, metric, _, _, flags, name = line[:10]
        if int(destination, 16) or int(length, 16) or name == "lo" or not _leads(int(flags, 16)):
            continue
        there = int(gateway, 16) and interfaces.local(name, root)
        address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(gateway)) if there else ""
        scoped = f"{address}%{name}" if address.startswith("fe80") else address
        yield int(metric, 16), Route(interface=name, gateway=scoped)


def _leads(flags: int) -> bool:
    return bool(flags & RTF_UP) and not flags & RTF_REJECT


def _lines(path: Path, *, header: bool = True) -> Iterator[list[str]]:
    try:
        text = path.read_text("ascii")
    except OSError:
        return
    yield from (line.split() for line in text.splitlines()[1 if header else 0 :])
