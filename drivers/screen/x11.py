"""A display's idle counter: how long ago the last input was. Nothing is read of what was typed.

Spoken by hand, not through a library: three small requests, each with a deadline, also where the
X server is stopped and takes no connection.
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from drivers.api import Deadline
from drivers.errors import Absent, LinkError, LinkLost, LinkUnusable, NoPermission, ProtocolError, Unreachable
from drivers.link.wake import Waiter
from drivers.screen import consts, wire

XAUTHORITY_BYTES = 65536
READ_BYTES = 65536
_LET_IN = "let the service in: `xhost +SI:localuser:tillwatch` in the display's session, or XAUTHORITY"
_ENDED = "the display's session has ended; looked for again by itself"
_HANGS = "the display's session hangs; looked for again by itself"


class IdleCounter:
    """One display of this machine, such as `:0`. One thread owns it; `wake` may come from any."""

    def __init__(self, display: int, env: Mapping[str, str] = os.environ) -> None:
        self._display = display
        self._env = env
        self._waiter = Waiter()
        self._session: _Session | None = None

    def idle_s(self, deadline: Deadline) -> float:
        """Seconds since the last input. Connects if need be; any LinkError closes the connection."""
        try:
            if self._session is None:
                self._session = _Session(self._display, self._waiter)
                self._session.begin(_cookie(self._display, self._env), deadline)
            return self._session.idle_s(deadline)
        except (OSError, ProtocolError) as broken:
            self.close()
            raise LinkLost(f"display :{self._display}: {broken}", hint=_ENDED) from broken
        except LinkError:
            self.close()
            raise

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def wake(self) -> None:
        """End a wait that is in progress; it raises Unreachable."""
        self._waiter.wake()


class _Session:
    """One connection to the X server."""

    def __init__(self, display: int, waiter: Waiter) -> None:
        self._name = f"display :{display}"
        self._waiter = waiter
        self._socket = _connected(display)
        self._talk = wire.Conversation()
        self._sequence = 0
        self._opcode = 0
        self._root = 0

    def begin(self, cookie: bytes, deadline: Deadline) -> None:
        """Be let in, and find the idle counter."""
        self._send(wire.setup(cookie), deadline)
        try:
            while self._talk.root is None:
                deque(self._hear(deadline), maxlen=0)
        except wire.SetupRefused as refused:
            raise NoPermission(f"{self._name}: {refused}", hint=_LET_IN) from None
        self._root = self._talk.root
        opcode = wire.extension_opcode(self._ask(wire.query_extension(consts.SCREEN_SAVER), deadline))
        if opcode is None:
            raise LinkUnusable(
                f"{self._name}: the X server has no idle counter",
                hint="start it with its MIT-SCREEN-SAVER extension, or leave [sale] display out",
            )
        self._opcode = opcode

    def idle_s(self, deadline: Deadline) -> float:
        return wire.idle_s(self._ask(wire.query_info(self._opcode, self._root), deadline))

    def close(self) -> None:
        self._socket.close()

    def _ask(self, request: bytes, deadline: Deadline) -> wire.Message:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._send(request, deadline)
        while True:
            for message in self._hear(deadline):
                if message.sequence != self._sequence:
                    continue
                if message.error is not None:
                    raise ProtocolError(f"the X server refuses with error {message.error}")
                return message

    def _send(self, data: bytes, deadline: Deadline) -> None:
        while data:
            self._wait(select.POLLOUT, deadline)
            data = data[self._socket.send(data) :]

    def _hear(self, deadline: Deadline) -> Iterator[wire.Message]:
        self._wait(select.POLLIN, deadline)
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise LinkLost(f"{self._name}: the X server has closed the connection", hint=_ENDED)
        return self._talk.feed(data)

    def _wait(self, events: int, deadline: Deadline) -> None:
        if not self._waiter.wait(self._socket.fileno(), events, deadline):
            raise Unreachable(f"{self._name}: the X server does not answer", hint=_HANGS)


def _connected(display: int) -> socket.socket:
    """Abstract address first: a service with a /tmp of its own does not see the other."""
    path = f"/tmp/.X11-unix/X{display}"  # noqa: S108 - where X servers listen
    for address in (f"\0{path}", path):
        taken = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            taken.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            taken.close()
        except BlockingIOError:
            taken.close()
            raise Unreachable(f"display :{display}: the X server takes no connection", hint=_HANGS) from None
        except PermissionError as refused:
            taken.close()
            raise NoPermission(f"display :{display}: {refused.strerror}", hint=_LET_IN) from None
        except BaseException:
            taken.close()
            raise
        else:
            return taken
    raise Absent(
        f"display :{display}: no X server is there",
        hint="start it, or correct [sale] display; docs/for-till-developers.md says more",
    )


def _cookie(display: int, env: Mapping[str, str]) -> bytes:
    """Read anew each time, since each login makes a new one; empty where no file can be read."""
    file = env.get("XAUTHORITY") or str(Path(env.get("HOME", "/"), ".Xauthority"))
    try:
        with Path(file).open("rb") as xauthority:
            entries = xauthority.read(XAUTHORITY_BYTES)
    except OSError:
        return b""
    return wire.cookie_for(entries, socket.gethostname().encode(), display)
