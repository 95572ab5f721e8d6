"""Names into addresses, within a deadline."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from drivers.api import Deadline
from drivers.errors import Unreachable

Places = list[tuple[Any, ...]]
"""As socket.getaddrinfo gives them."""
FRESH_S = 5.0  #: an answer that nobody fetched for longer is asked for again
SLICE_S = 0.1  #: how long a wish to end may go unnoticed


def numeric(address: str, port: int, kind: socket.SocketKind) -> Places:
    """Of an address; raises OSError for what is none, UnicodeError too. `fe80::1%eth0` keeps its scope."""
    return socket.getaddrinfo(address, port, type=kind, flags=socket.AI_NUMERICHOST)


class Lookup:
    """getaddrinfo, as everybody uses it. It knows no deadline, so it has a thread, never more than one."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._asked: tuple[str, int, socket.SocketKind] = ("", 0, socket.SOCK_STREAM)
        self._found: queue.SimpleQueue[tuple[Places | OSError, float]] = queue.SimpleQueue()

    def ask(
        self,
        host: str,
        port: int,
        kind: socket.SocketKind,
        deadline: Deadline,
        ended: Callable[[], bool] = lambda: False,
    ) -> Places | OSError | None:
        """What the resolver says, None while it says nothing: asked again for the same, it waits for that."""
        while True:
            if self._thread is None:
                self._asked = (host, port, kind)
                self._thread = threading.Thread(target=self._run, name="resolve", daemon=True)
                self._thread.start()
            said = self._wait(deadline, ended)
            if said is None:
                return None
            self._thread.join()
            self._thread = None
            answer, at_s = said
            if self._asked == (host, port, kind) and time.monotonic() - at_s <= FRESH_S:
                return answer

    def asking(self) -> bool:
        """Whether an answer is still to come, or to be fetched."""
        return self._thread is not None

    def _wait(self, deadline: Deadline, ended: Callable[[], bool]) -> tuple[Places | OSError, float] | None:
        while True:
            over = ended() or deadline.expired()
            try:
                return self._found.get(timeout=0.0 if over else min(SLICE_S, deadline.remaining_s()))
            except queue.Empty:
                if over:
                    return None

    def _run(self) -> None:
        host, port, kind = self._asked
        answer: Places | OSError
        try:
            answer = list(socket.getaddrinfo(host, port, type=kind))
        except OSError as error:
            answer = error
        except UnicodeError:  # a label that is empty, too long, or has letters that names have not
            answer = socket.gaierror(socket.EAI_NONAME, "it is no host name")
        self._found.put((answer, time.monotonic()))


class Resolver:
    """One host and port."""

    def __init__(self, host: str, port: int, kind: socket.SocketKind) -> None:
        self._host = host
        self._port = port
        self._kind = kind
        self._lookup = Lookup()

    def places(self, deadline: Deadline) -> Places:
        """Where it can be reached; raises Unreachable. A number needs no resolver and no thread."""
        try:
            return numeric(self._host, self._port, self._kind)
        except (OSError, UnicodeError):
            answer = self._lookup.ask(self._host, self._port, self._kind, deadline)
        if answer is None:
            raise self._unreachable("the name was not resolved in time")
        if isinstance(answer, OSError):
            raise self._unreachable(f"the name cannot be resolved: {answer.strerror or answer}") from answer
        return answer

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(f"{self._host}:{self._port}: {why}")
