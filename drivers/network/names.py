"""Names: is the name server alive, is the broker's name found, and is the answer honest?"""

from __future__ import annotations

import secrets
import select
import socket
import struct
import time
from pathlib import Path
from typing import Any

from drivers.link.resolve import Places
from drivers.network import tcp
from drivers.network.patience import Patience

DNS_PORT = 53
TRIES = 4
SPACING_S = 0.5
LAST_S = 2.5  #: after the last try
MOST_SERVERS = 3  #: resolv.conf(5)
STUBS = frozenset({"127.0.0.53", "127.0.0.54"})  #: systemd-resolved(8)

_NOT_FOUND = (socket.EAI_NONAME, socket.EAI_NODATA)
Answer = tuple[tuple[str, ...], str, str]  #: addresses, error, detail


def servers(root: Path = Path("/")) -> tuple[str, ...]:
    """What /etc/resolv.conf names; behind systemd-resolved, which always answers, those that it asks."""
    found = _named(root / "etc/resolv.conf")
    behind = _named(root / "run/systemd/resolve/resolv.conf") if found and set(found) <= STUBS else ()
    return (behind or found)[:MOST_SERVERS]


def _named(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return ()
    rows = [line.split() for line in text.splitlines()]
    return tuple(row[1] for row in rows if len(row) > 1 and row[0] == "nameserver")


def alive(server: str, patience: Patience) -> float | None:
    """After how many ms it answers at all, None if it does not.

    It is asked for `localhost`, which a server need not ask others for (RFC 6761 section 6.3).
    """
    number = secrets.token_bytes(2)
    # RFC 1035 section 4.1: one question, A, IN.
    question = (
        number + struct.pack(">5H", 0x0100, 1, 0, 0, 0) + b"\x09localhost\x00" + struct.pack(">2H", 1, 1)
    )
    try:
        sock, place = tcp.towards(server, DNS_PORT, socket.SOCK_DGRAM)
    except OSError:  # an IPv6 address where the kernel has none
        return None
    began_s = time.monotonic()
    with sock:
        try:
            sock.connect(place)
            for left in reversed(range(TRIES)):
                if patience.over():
                    return None
                sock.send(question)
                if patience.wait({sock.fileno(): select.POLLIN}, SPACING_S if left else LAST_S):
                    break
            else:
                return None
            return round(1000 * (time.monotonic() - began_s), 1) if sock.recv(512)[:2] == number else None
        except OSError:  # refused: nothing listens there
            return None


def answer_of(said: Places | OSError) -> Answer:
    """What a lookup's outcome means."""
    if isinstance(said, OSError):
        unknown = isinstance(said, socket.gaierror) and said.errno in _NOT_FOUND
        return (), "unknown_name" if unknown else "no_answer", said.strerror or str(said)
    return tuple(dict.fromkeys(_written(each[4]) for each in said)), "", ""


def _written(place: tuple[Any, ...]) -> str:
    """An address as text; one that holds on a link alone with that link."""
    if len(place) == 4 and place[3] and "%" not in place[0]:
        return f"{place[0]}%{place[3]}"
    return str(place[0])


def nonsense(below: str = "invalid") -> str:
    """A name that nobody has (RFC 6761 section 6.4 for `invalid`).

    The dot at its end keeps the resolver from trying it below its search domains, where any name may exist.
    """
    return f"tillwatch-{secrets.token_hex(4)}.{below.removesuffix('.')}."


def is_name(host: str) -> bool:
    """Whether it has to be looked up at all."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return False
    return True
