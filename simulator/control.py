"""The control socket of a running device: one JSON object a line, `{"set": [...]}` in, its state out."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulator.devices.device import BadSetting
from simulator.loop import Loop

LINE_BYTES = 1 << 16
CALLERS = 16
_SEND_S = 1.0


class ControlError(Exception):
    """A control socket that cannot be made or reached: one line with what, where and what to do."""


def tell(path: Path, settings: Sequence[str], timeout_s: float = 5.0) -> dict[str, Any]:
    """Change a running device; its state, once the change is in force. `BadSetting`, `ControlError`."""
    line = json.dumps({"set": list(settings)}).encode() + b"\n"
    answer = b""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout_s)
        try:
            with _short(path) as address:
                client.connect(address)
            client.sendall(line)
            while not answer.endswith(b"\n") and (more := client.recv(LINE_BYTES)):
                answer += more
        except OSError as error:
            raise ControlError(f"{path}: {error.strerror or error}; is the device being served?") from error
    if not answer:
        raise ControlError(f"{path}: hung up without an answer; see the log of `tillwatch-sim serve`")
    state: dict[str, Any] = json.loads(answer)
    if "error" in state:
        raise BadSetting(state["error"])
    return state


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The address of `path`, which may lie deeper than the 108 bytes of a socket address (unix(7))."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class ControlSocket:
    """Listens at `path` from now on; a stale socket there is replaced, a live one refused."""

    def __init__(self, path: Path, loop: Loop, apply: Callable[[Sequence[str]], dict[str, object]]) -> None:
        self._path = path
        self._loop = loop
        self._apply = apply
        self._callers: dict[int, tuple[socket.socket, bytearray]] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            self._listen()
        except OSError as error:
            self._listener.close()
            raise ControlError(f"{path}: {error.strerror or error}; choose another --control") from error
        loop.watch(self._listener.fileno(), self._accept)

    def _listen(self) -> None:
        """Bound beside its place and moved there, so that whoever sees it can connect."""
        if self._path.exists():
            with socket.socket(socket.AF_UNIX) as probe, _short(self._path) as address:
                if probe.connect_ex(address) == 0:
                    raise OSError(0, "another simulator serves there")
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        with _short(beside) as address:
            self._listener.bind(address)
        self._listener.listen(CALLERS)
        self._listener.setblocking(False)
        beside.replace(self._path)

    def close(self) -> None:
        for fd in list(self._callers):
            self._hang_up(fd)
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            caller, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it went away while it waited
        if len(self._callers) >= CALLERS:
            caller.close()
            return
        caller.settimeout(_SEND_S)
        fd = caller.fileno()
        self._callers[fd] = (caller, bytearray())
        self._loop.watch(fd, lambda: self._read(fd))

    def _hang_up(self, fd: int) -> None:
        caller, _ = self._callers.pop(fd)
        self._loop.unwatch(fd)
        caller.close()

    def _read(self, fd: int) -> None:
        caller, held = self._callers[fd]
        try:
            data = caller.recv(LINE_BYTES)
            held += data
            while (end := held.find(b"\n")) >= 0:
                line = bytes(held[:end])
                del held[: end + 1]
                caller.sendall(json.dumps(self._answer(line)).encode() + b"\n")
        except OSError:
            data = b""  # the caller is gone or does not read; nobody is left to tell
        if not data or len(held) > LINE_BYTES:
            self._hang_up(fd)

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            settings = json.loads(line)["set"]
            return self._apply([str(setting) for setting in settings])
        except BadSetting as error:
            return {"error": str(error)}
        except (ValueError, KeyError, TypeError):
            return {"error": 'write {"set": ["knob=value", ...]} on one line'}
