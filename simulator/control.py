"""The control socket of a running device: one JSON object a line, `{"set": [...]}` in, its state out."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.devices.device import BadSetting
from simulator.loop import Loop
from simulator.sockets import Callers, listen_at, short

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
            with short(path) as address:
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


@dataclass(eq=False, slots=True)
class _Caller:
    connection: socket.socket
    held: bytearray = field(default_factory=bytearray)  #: a line that is not complete yet


class ControlSocket:
    """Listens at `path` from now on; a stale socket there is replaced, a live one refused."""

    def __init__(self, path: Path, loop: Loop, apply: Callable[[Sequence[str]], dict[str, object]]) -> None:
        self._path = path
        self._apply = apply
        try:
            listener = listen_at(path, CALLERS)
        except OSError as error:
            raise ControlError(f"{path}: {error.strerror or error}; choose another --control") from error
        self._callers = Callers(listener, loop, CALLERS, self._greet, self._hear)

    def close(self) -> None:
        self._callers.close()
        self._path.unlink(missing_ok=True)

    @staticmethod
    def _greet(connection: socket.socket) -> _Caller:
        connection.settimeout(_SEND_S)
        return _Caller(connection)

    def _hear(self, caller: _Caller, data: bytes) -> None:
        held = caller.held
        held += data
        try:
            while (end := held.find(b"\n")) >= 0:
                line = bytes(held[:end])
                del held[: end + 1]
                caller.connection.sendall(json.dumps(self._answer(line)).encode() + b"\n")
        except OSError:
            self._callers.hang_up(caller)  # it is gone, or does not read
        if len(held) > LINE_BYTES:
            self._callers.hang_up(caller)

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            settings = json.loads(line)["set"]
            return self._apply([str(setting) for setting in settings])
        except BadSetting as error:
            return {"error": str(error)}
        except (ValueError, KeyError, TypeError):
            return {"error": 'write {"set": ["knob=value", ...]} on one line'}
