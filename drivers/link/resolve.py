"""Names into addresses, within a deadline."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from typing import Any

from drivers.api import Deadline
from drivers.errors import Unreachable

Places = list[tuple[Any, ...]]
"""As socket.getaddrinfo gives them."""


class Resolver:
    """One host and port. getaddrinfo has no deadline, so it runs in a thread that ends when it gives up."""

    def __init__(self, host: str, port: int, kind: socket.SocketKind) -> None:
        self._host = host
        self._port = port
        self._kind = kind
        self._thread: threading.Thread | None = None

    def places(self, deadline: Deadline) -> Places:
        """Where it can be reached; raises Unreachable. A number needs no resolver and no thread."""
        with contextlib.suppress(socket.gaierror, UnicodeError):
            return socket.getaddrinfo(self._host, self._port, type=self._kind, flags=socket.AI_NUMERICHOST)
        if self._thread is not None and self._thread.is_alive():  # there is only one
            raise self._unreachable("the name is still being resolved")
        found: queue.SimpleQueue[Places | OSError] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._look_up, args=(found,), daemon=True, name="resolve")
        self._thread.start()
        try:
            answer = found.get(timeout=deadline.remaining_s())
        except queue.Empty:
            raise self._unreachable("the name was not resolved in time") from None
        if isinstance(answer, OSError):
            raise self._unreachable(f"the name cannot be resolved: {answer.strerror or answer}") from answer
        return answer

    def _look_up(self, found: queue.SimpleQueue[Places | OSError]) -> None:
        try:
            found.put(list(socket.getaddrinfo(self._host, self._port, type=self._kind)))
        except OSError as error:
            found.put(error)
        except UnicodeError:  # a label that is empty, too long, or has letters that names have not
            found.put(OSError("it is no host name"))

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(f"{self._host}:{self._port}: {why}")
