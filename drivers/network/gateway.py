"""Does the router answer? Asked on the local network only, where bytes cost nothing.

What a router answers to differs: an echo (where the kernel lets us ask without privilege), a datagram to a
port where nobody listens, a connection, refused or not. Any of these is proof; which one worked is learned.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

from drivers.api import Memory
from drivers.link.resolve import numeric
from drivers.network import tcp
from drivers.network.findings import Gateway
from drivers.network.patience import Patience

NOBODY_LISTENS = 33434  #: traceroute's first port
PORTS = (53, 80)
TRIES = 4
SPACING_S = 0.4
PATIENCE_S = 2.5
STRANGER_S = 1.0  #: for what it was not known to answer to
LEARNED = "gateway."
_ECHO = {socket.AF_INET: (8, socket.IPPROTO_ICMP), socket.AF_INET6: (128, socket.IPPROTO_ICMPV6)}


def ask(address: str, memory: Memory, patience: Patience) -> Gateway:
    """`answers` is False only of a router that answered before; one that never did may just be shy."""
    known = str(memory.get(LEARNED + address, ""))
    # The others as well: a router busy with telling what it cannot reach answers datagrams rarely (RFC 1812
    # section 4.3.2.8), and its settings may change.
    for way in sorted(WAYS, key=lambda each: each != known):
        ms = WAYS[way](address, patience.within(PATIENCE_S if way == known else STRANGER_S))
        if ms is not None:
            if known != way:
                memory[LEARNED + address] = way
            return Gateway(address=address, answers=True, by=way, ms=ms)
    return Gateway(address=address, answers=False if known in WAYS else None, by=known)


def forget(address: str, memory: Memory) -> None:
    """It lets others through and answers to nothing any more: it has become shy, or is another one."""
    memory[LEARNED + address] = ""


def echo(address: str, patience: Patience) -> float | None:
    """ICMP by a datagram socket; ms, or None: no answer, or not permitted."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind, protocol = _ECHO[family]
    request = struct.pack(">BBHHH", kind, 0, 0, 0, 1)  # the kernel fills in checksum and id
    try:
        place = numeric(address, 0, socket.SOCK_DGRAM)[0][4]
        sock = socket.socket(family, socket.SOCK_DGRAM, protocol)
    except OSError:  # net.ipv4.ping_group_range
        return None
    with sock:
        sock.setblocking(False)
        return _repeat(sock, place, request if family is socket.AF_INET6 else _summed(request), patience)


def datagram(address: str, patience: Patience) -> float | None:
    """UDP to a closed port: the router's ICMP answer shows as a refusal."""
    try:
        sock, place = tcp.towards(address, NOBODY_LISTENS, socket.SOCK_DGRAM)
    except OSError:
        return None
    with sock:
        return _repeat(sock, place, b"", patience)


def connection(address: str, patience: Patience) -> float | None:
    """TCP to the ports a router has, or refuses."""
    for port in PORTS:
        tries = tcp.connect((address,), port, 1, patience.within(STRANGER_S / len(PORTS)))
        if tries[0].error in ("", "refused"):
            return tries[0].ms or 0.1
    return None


WAYS: Mapping[str, Callable[[str, Patience], float | None]] = {
    "icmp": echo,
    "udp": datagram,
    "tcp": connection,
}


def _repeat(sock: socket.socket, place: Any, request: bytes, patience: Patience) -> float | None:
    """Send up to `TRIES` times till something comes back, also an answer to an earlier one."""
    began_s = time.monotonic()
    try:
        sock.connect(place)
        for left in reversed(range(TRIES)):
            sock.send(request)
            if patience.wait({sock.fileno(): select.POLLIN}, SPACING_S if left else PATIENCE_S):
                sock.recv(64)
                break
            if patience.over():
                return None
        else:
            return None
    except OSError as error:
        if error.errno != errno.ECONNREFUSED:
            return None
    return round(1000 * (time.monotonic() - began_s), 1)


def _summed(packet: bytes) -> bytes:
    total = sum(struct.unpack(f">{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return packet[:2] + struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF) + packet[4:]
