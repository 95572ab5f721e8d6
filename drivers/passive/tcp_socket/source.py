"""The till's connection to the device, as the kernel of this machine sees it; nothing is sent to the device.

It sees tills of this machine, in this network namespace: not one in a container, nor one beside a box that
the agent runs on.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from drivers.api import Clock, Deadline
from drivers.errors import LinkUnusable
from drivers.link.address import TcpAddress
from drivers.link.resolve import Resolver
from drivers.passive.source import LOOK_S, Findings, Whose
from drivers.passive.tcp_socket import wire
from drivers.passive.tcp_socket.meaning import Host, Judge, Verdict

NETLINK_SOCK_DIAG = 4
DATAGRAMS_MOST = 100
DATAGRAM_BYTES = 65536
SOCKETS_MOST = 64
RESOLVED_S = 300.0  #: a name's addresses are kept for so long
PROC = Path("/proc/net")

Table: TypeAlias = Callable[[int, Deadline], list[wire.Socket]]


class Beside(Protocol):
    """What else is known of the host."""

    def since(self, at_s: float) -> Host: ...


class TcpSocketSource:
    """Looks at the sockets whose other end is the device's."""

    name = "tcp-socket"
    whose: Whose = "kernel"
    kinds: tuple[str, ...] = ("unreachable", "frozen")
    each_s = 0.0
    down: str | None = None

    def __init__(self, place: TcpAddress, clock: Clock, beside: Beside | None = None) -> None:
        self._place = place
        self._clock = clock
        self._beside = beside
        self._kernel = Kernel(place, clock)
        self._judge = Judge()

    def look(self, deadline: Deadline) -> Findings:
        ours = self._kernel.sockets(deadline.within(LOOK_S))
        host = self._beside.since if self._beside is not None else lambda _at_s: Host()
        verdict = self._judge.look(ours, self._clock.monotonic_s(), host)
        living = [one for one in ours if one.state not in wire.OVER]
        return Findings(
            conditions={"frozen": verdict.frozen, "unreachable": verdict.unreachable},
            in_use=verdict.in_use,
            evidence={"connections": len(living), "sent_in_vain": verdict.tries},
            says=self._says(len(living), verdict),
        )

    def close(self) -> None:
        """Nothing is held open."""

    def _says(self, living: int, verdict: Verdict) -> str:
        where = f"{self._place.host}:{self._place.port}"
        if not living:
            return f"no program of this machine is connected to {where}"
        if verdict.tries:
            return f"what is sent to {where} is not acknowledged, tried again {verdict.tries} times"
        return f"connected to {where}; all that was sent is acknowledged"


class Kernel:
    """What it tells of the sockets whose other end is the device's."""

    def __init__(self, place: TcpAddress, clock: Clock) -> None:
        self._port = place.port
        self._where = Addresses(place.host, clock)
        self._table: Table = by_netlink

    def sockets(self, deadline: Deadline) -> list[wire.Socket]:
        """Raises Unreachable where the device's name was never resolved, else LinkUnusable."""
        addresses = self._where.find(deadline)
        return [one for one in self._all(deadline) if one.peer in addresses][:SOCKETS_MOST]

    def _all(self, deadline: Deadline) -> list[wire.Socket]:
        try:
            return self._table(self._port, deadline)
        except OSError:
            if self._table is by_proc:
                raise LinkUnusable("the kernel's table of sockets cannot be read") from None
        self._table = by_proc  # not permitted here, or not built into this kernel
        return self._all(deadline)


class Addresses:
    """A host's addresses as the kernel's tables have them; a name is looked up now and then."""

    def __init__(self, host: str, clock: Clock) -> None:
        self._clock = clock
        self._resolver = Resolver(host, 0, socket.SOCK_STREAM)
        self._found: frozenset[str] = frozenset()
        self._due_s = float("-inf")

    def find(self, deadline: Deadline) -> frozenset[str]:
        """Raises Unreachable where the name was never resolved."""
        now_s = self._clock.monotonic_s()
        if not self._found or now_s >= self._due_s:
            places = self._resolver.places(deadline)
            self._found = frozenset(str(place[4][0]).partition("%")[0] for place in places)
            self._due_s = now_s + RESOLVED_S
        return self._found


def by_netlink(port: int, deadline: Deadline) -> list[wire.Socket]:
    """Raises OSError."""
    found: list[wire.Socket] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as asked:
        for family in (wire.IPV4, wire.IPV6):
            asked.settimeout(max(0.05, deadline.remaining_s()))
            asked.send(wire.request(family, port))
            for _ in range(DATAGRAMS_MOST):
                some, last = wire.answer(asked.recv(DATAGRAM_BYTES))
                found += some
                if last:
                    break
    return found


def by_proc(port: int, deadline: Deadline) -> list[wire.Socket]:  # noqa: ARG001 - it is memory that is read
    """Raises OSError. It tells of no bytes that moved."""
    found: list[wire.Socket] = []
    for name in ("tcp", "tcp6"):
        if (PROC / name).exists():
            found += wire.table((PROC / name).read_text("ascii"), port)
    return found
