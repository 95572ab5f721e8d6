"""What a door is to the thread that keeps it, and the places on disk where local ones are."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from drivers.link.unix import short_address

FOLDER = "till"
NOTIFY_NAME = "notify"
STATE_NAME = "state"
WORDS_NAME = "words"

View = Mapping[str, Any] | None
"""`Terminal.view()`; None if the judging thread did not answer in time."""

Wants = Callable[[View], bytes]
"""An answer that needs a view first."""


class Door(Protocol):
    """Opened, kept and closed by one thread; nothing in it blocks."""

    name: str

    def open(self) -> None:
        """Raises OSError where the place is taken or may not be used."""

    def close(self) -> None: ...

    def watched(self) -> Mapping[int, int]:
        """Descriptor -> poll(2) events it waits for."""

    def ready(self, descriptor: int, events: int) -> None: ...

    def next_due_s(self) -> float | None:
        """When `advance` has something to do, on the monotonic clock."""

    def advance(self) -> None: ...


def bind_local(path: Path, kind: socket.SocketKind) -> socket.socket:
    """A socket at `path` that every local user may speak to. What a dead daemon left there goes.

    That no other daemon lives in the same folder, the control socket has seen to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o755)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
    try:
        with short_address(path) as address:
            bound.bind(address)
        os.chmod(path, 0o666)  # noqa: PTH101, S103 - a till of any user may speak here; what it says is harmless
    except BaseException:
        bound.close()
        raise
    return bound


def unbind_local(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
