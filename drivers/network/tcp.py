"""TCP connections made only to see whether, and how fast, they come about."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from drivers.link.resolve import numeric
from drivers.network.patience import Patience

SPACING_S = 0.06
_WORDS = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "no_way",
    errno.ENETUNREACH: "no_way",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
}


@dataclass(slots=True)
class Try:
    """One connection. `error` is empty once it came about; `timeout` till then."""

    address: str
    error: str = "timeout"
    ms: float | None = None
    began_s: float = field(default_factory=time.monotonic)


def towards(address: str, port: int, kind: socket.SocketKind) -> tuple[socket.socket, Any]:
    """A socket that never blocks, and where it has to go. Raises OSError, also where there is no IPv6."""
    try:
        family, _, _, _, place = numeric(address, port, kind)[0]
    except UnicodeError as error:
        raise OSError(errno.EINVAL, f"{address!r} is no address") from error
    sock = socket.socket(family, kind)
    sock.setblocking(False)
    return sock, place


def connect(
    addresses: tuple[str, ...], port: int, count: int, patience: Patience, *, all_: bool = False
) -> list[Try]:
    """`count` connections at once to each address; the first success ends it unless `all_` are wanted."""
    going: dict[int, tuple[socket.socket, Try]] = {}
    tries: list[Try] = []
    try:
        for address in addresses * count:
            tries.append(_begin(address, port, going))
            _reap(going, patience, SPACING_S if count > 1 else 0.0)
        while going and not patience.over() and (all_ or all(each.error for each in tries)):
            _reap(going, patience, 60.0)
    finally:
        for sock, _ in going.values():
            sock.close()
    return tries


def _begin(address: str, port: int, going: dict[int, tuple[socket.socket, Try]]) -> Try:
    made = Try(address)
    try:
        sock, place = towards(address, port, socket.SOCK_STREAM)
    except OSError as error:
        made.error = _word(error.errno)
        return made
    code = sock.connect_ex(place)
    if code not in (0, errno.EINPROGRESS):
        made.error = _word(code)
        sock.close()
        return made
    going[sock.fileno()] = (sock, made)
    return made


def _reap(going: dict[int, tuple[socket.socket, Try]], patience: Patience, at_most_s: float) -> None:
    for descriptor in patience.wait(dict.fromkeys(going, select.POLLOUT), at_most_s):
        sock, made = going.pop(descriptor)
        made.ms = round(1000 * (time.monotonic() - made.began_s), 1)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        made.error = _word(code) if code else ""
        sock.close()


def _word(code: int | None) -> str:
    return _WORDS.get(code or 0) or os.strerror(code or 0).lower()
