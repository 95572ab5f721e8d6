"""What the simulator's listening sockets share: one at a path, and a bounded number of callers."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from simulator.loop import Loop

_RECEIVE_BYTES = 1 << 16


@contextmanager
def short(path: Path) -> Iterator[str]:
    """The address of `path`, which may lie deeper than the 108 bytes of a socket address (unix(7))."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen_at(path: Path, most: int) -> socket.socket:
    """A socket at `path`, bound beside it and moved there: whoever sees it can connect.

    A stale socket is replaced; a live one, or a file that is none, is left alone. OSError where it cannot be.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        if path.exists():
            if not path.is_socket():
                raise OSError(0, "a file stands there that is no socket")
            with socket.socket(socket.AF_UNIX) as probe, short(path) as address:
                if probe.connect_ex(address) == 0:
                    raise OSError(0, "another simulator serves there")
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        with short(beside) as address:
            listener.bind(address)
        listener.listen(most)
        listener.setblocking(False)
        beside.replace(path)
    except OSError:
        listener.close()
        raise
    return listener


class Caller(Protocol):
    connection: socket.socket


C = TypeVar("C", bound=Caller)


class Callers(Generic[C]):
    """Who is connected to `listener`: at most `most`, any further one is hung up on.

    `make` greets a connection, `hear` gets what comes, `gone` is told of each that has ended, once. It owns
    the listener.
    """

    def __init__(
        self,
        listener: socket.socket,
        loop: Loop,
        most: int,
        make: Callable[[socket.socket], C],
        hear: Callable[[C, bytes], None],
        gone: Callable[[C], None] = lambda _caller: None,
    ) -> None:
        self._listener, self._loop, self._most = listener, loop, most
        self._make, self._hear, self._gone = make, hear, gone
        self._here: dict[int, C] = {}
        loop.watch(listener.fileno(), self._accept)

    def __iter__(self) -> Iterator[C]:
        """As they are now; any may be hung up on meanwhile."""
        return iter(list(self._here.values()))

    def __contains__(self, caller: C) -> bool:
        return self._here.get(caller.connection.fileno()) is caller

    def send(self, caller: C, message: bytes) -> None:
        """All of it at once, or it is hung up on: it does not read what it asked for."""
        if caller not in self:
            return
        try:
            whole = caller.connection.send(message) == len(message)
        except OSError:
            whole = False
        if not whole:
            self.hang_up(caller)

    def hang_up(self, caller: C) -> None:
        if caller not in self:
            return
        fd = caller.connection.fileno()
        del self._here[fd]
        self._gone(caller)
        self._loop.unwatch(fd)
        caller.connection.close()

    def close(self) -> None:
        for caller in self:
            self.hang_up(caller)
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it went away while it waited
        if len(self._here) >= self._most:
            connection.close()
            return
        connection.setblocking(False)
        caller = self._make(connection)
        fd = connection.fileno()
        self._here[fd] = caller
        self._loop.watch(fd, lambda: self._read(caller))

    def _read(self, caller: C) -> None:
        try:
            data = caller.connection.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._hear(caller, data)
        else:
            self.hang_up(caller)
