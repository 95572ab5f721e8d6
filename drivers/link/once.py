"""One question, one answer, nothing kept open: what is asked beside a device that others own.

Both calls end at their deadline, whatever the other side does, and take no more than they were told to.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable, Sequence
from typing import Any

from drivers.api import Deadline
from drivers.errors import Absent, LinkError, LinkLost, NoPermission, Refused, Unreachable
from drivers.link.resolve import Resolver

DATAGRAM_BYTES = 65535
READ_BYTES = 16384

_REFUSALS: dict[int, type[LinkError]] = {
    errno.ECONNREFUSED: Refused,
    errno.ECONNRESET: Refused,  # a port that speaks TLS only does so; it is there
    errno.ENOENT: Absent,
    errno.EACCES: NoPermission,
    errno.EPERM: NoPermission,
}


class Host:
    """A port of a host on the network, for UDP or TCP."""

    def __init__(self, host: str, port: int, kind: socket.SocketKind) -> None:
        self.name = f"{host}:{port}"
        self._resolver = Resolver(host, port, kind)

    def connected(self, deadline: Deadline) -> socket.socket:
        error: LinkError = Unreachable(f"{self.name}: no address")
        for family, kind, protocol, _, place in self._resolver.places(deadline):
            try:
                return _connect((family, kind, protocol), place, self.name, deadline)
            except LinkError as wrong:
                error = wrong
        raise error


class Local:
    """A service of this machine behind a Unix socket."""

    def __init__(self, path: str) -> None:
        self.name = path

    def connected(self, deadline: Deadline) -> socket.socket:
        return _connect((socket.AF_UNIX, socket.SOCK_STREAM, 0), self.name, self.name, deadline)


def ask_datagram(
    host: Host,
    packets: Sequence[tuple[float, bytes]],
    is_answer: Callable[[bytes], bool],
    deadline: Deadline,
) -> bytes:
    """The first datagram that `is_answer`. Each packet is sent so many seconds after the start, if none came.

    Raises Refused where the host says that nothing listens there, Unreachable where nothing comes.
    """
    with host.connected(deadline) as made:
        started = deadline.clock.monotonic_s()
        waiting = list(packets)
        while not deadline.expired():
            try:
                while waiting and deadline.clock.monotonic_s() >= started + waiting[0][0]:
                    made.send(waiting.pop(0)[1])
                until = deadline
                if waiting:
                    until = Deadline(deadline.clock, min(deadline.at_s, started + waiting[0][0]))
                if _ready(made, select.POLLIN, until):
                    data = made.recv(DATAGRAM_BYTES)
                    if is_answer(data):
                        return data
            except OSError as error:
                raise _error(error, host.name, LinkLost) from error
    raise Unreachable(f"{host.name}: no answer")


def ask_stream(
    place: Host | Local,
    request: bytes,
    take: Callable[[bytes], bool],
    deadline: Deadline,
) -> None:
    """Send the request and hand what comes to `take`, till it says that is all, or the other side closes."""
    with place.connected(deadline) as made:
        try:
            rest = memoryview(request)
            while rest:
                if not _ready(made, select.POLLOUT, deadline):
                    raise Unreachable(f"{place.name}: takes no request")
                rest = rest[made.send(rest) :]
            while _ready(made, select.POLLIN, deadline):
                data = made.recv(READ_BYTES)
                if not data or take(data):
                    return
        except OSError as error:
            raise _error(error, place.name, LinkLost) from error
    raise Unreachable(f"{place.name}: no whole answer in time")


def _connect(how: tuple[int, int, int], place: Any, name: str, deadline: Deadline) -> socket.socket:
    try:
        made = socket.socket(*how)  # refused for an IPv6 address where the kernel has none
    except OSError as error:
        raise _error(error, name, Unreachable) from error
    try:
        made.setblocking(False)
        code = made.connect_ex(place)
        if code == errno.EINPROGRESS:
            ready = _ready(made, select.POLLOUT, deadline)
            code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if ready else errno.ETIMEDOUT
        if code:
            raise OSError(code, os.strerror(code))
    except OSError as error:
        made.close()
        raise _error(error, name, Unreachable) from error
    return made


def _ready(made: socket.socket, what: int, deadline: Deadline) -> bool:
    poll = select.poll()
    poll.register(made, what)
    return bool(poll.poll(1000 * deadline.remaining_s()))


def _error(error: OSError, name: str, otherwise: type[LinkError]) -> LinkError:
    kind = _REFUSALS.get(error.errno or 0, otherwise)
    return kind(f"{name}: {error.strerror or error}")
