"""The daemon's local socket: the command line asks here, one JSON line, and reads lines back.

Who asks is taken from the kernel (SO_PEERCRED): root, the daemon's own user, and members of its
group. Every answer ends with a line that holds `"done"`, true or false.
"""

from __future__ import annotations

import contextlib
import grp
import json
import logging
import os
import pwd
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from drivers.errors import HeldByOther, TillwatchError
from drivers.link.unix import short_address

SOCKET_NAME = "control.sock"
REQUEST_BYTES = 65536
CONNECTIONS_MOST = 8
REQUEST_S = 5.0
ACCEPT_AGAIN_S = 1.0
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))

log = logging.getLogger("tillwatch.control")

Answer = Generator[dict[str, Any], None, None]
Hear = Callable[[float], dict[str, Any]]
"""Seconds to wait -> what whoever asks says next; empty if nothing came."""
Handler = Callable[[dict[str, Any], str, Hear], Answer]
"""(request, who asks, to hear more) -> lines; closed when whoever asks has gone away.

A line with `question` is answered by a line back.
"""


class ControlServer:
    """Accepts on the socket in one thread; each request is answered in a short-lived one."""

    def __init__(self, path: Path, handlers: dict[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MOST)
        self._stopping = threading.Event()
        self._socket = _bind(path)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # ends the accept
        self._thread.join(timeout_s)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                peer, _ = self._socket.accept()
            except OSError as error:
                if not self._stopping.is_set():  # out of descriptors, say: that passes
                    log.warning("%s: cannot take a request: %s", self._path, error)
                    self._stopping.wait(ACCEPT_AGAIN_S)
                continue
            peer.settimeout(REQUEST_S)
            if not self._slots.acquire(blocking=False):
                _refuse(peer, "busy", "too many requests at once; try again")
                continue
            threading.Thread(target=self._serve, args=(peer,), name="control-peer", daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with peer, peer.makefile("wb") as stream:
                self._answer(peer, stream)
        except (OSError, ValueError) as gone:
            log.debug("a local client went away: %s", gone)
        except Exception:
            log.exception("a local request could not be answered")
        finally:
            self._slots.release()

    def _answer(self, peer: socket.socket, stream: Any) -> None:
        who = _permitted(peer)
        if who is None:
            _send(
                stream,
                _failure("not_permitted", "you are neither root, the service's user, nor in its group"),
            )
            return
        try:
            request = json.loads(_read_line(peer, REQUEST_S))
            handler = self._handlers[request["do"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            _send(stream, _failure("bad_request", f"expected one of {', '.join(sorted(self._handlers))}"))
            return
        try:
            with contextlib.closing(handler(request, who, lambda within_s: _hear(peer, within_s))) as lines:
                for line in lines:
                    _send(stream, line)
        except TillwatchError as refused:
            _send(stream, _failure(refused.code, str(refused), refused.hint))
            return
        _send(stream, {"done": True})


def _hear(peer: socket.socket, within_s: float) -> dict[str, Any]:
    """The next thing that whoever asks says; empty if that is nothing, or no object."""
    try:
        said = json.loads(_read_line(peer, within_s))
    except (TimeoutError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _read_line(peer: socket.socket, within_s: float) -> bytes:
    """A line, all of it within `within_s`, so that nobody holds a place by sending it in drops."""
    ends_s = time.monotonic() + within_s
    line = b""
    try:
        while not line.endswith(b"\n") and len(line) < REQUEST_BYTES:
            peer.settimeout(max(0.001, ends_s - time.monotonic()))
            more = peer.recv(REQUEST_BYTES - len(line))
            if not more:
                break
            line += more
    finally:
        peer.settimeout(REQUEST_S)
    return line


def _failure(code: str, detail: str, hint: str = "") -> dict[str, Any]:
    return {"done": False, "code": code, "detail": detail} | ({"hint": hint} if hint else {})


def _send(stream: Any, line: dict[str, Any]) -> None:
    stream.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    stream.flush()


def _refuse(peer: socket.socket, code: str, detail: str) -> None:
    with peer, contextlib.suppress(OSError):
        peer.sendall(json.dumps(_failure(code, detail)).encode() + b"\n")


def _permitted(peer: socket.socket) -> str | None:
    """The asking user's name, if that user may ask."""
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, gid = _CREDENTIALS.unpack(raw)
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    if uid in (0, os.geteuid()) or gid == os.getegid():
        return name
    with contextlib.suppress(KeyError):
        if name in grp.getgrgid(os.getegid()).gr_mem:
            return name
    return None


def _bind(path: Path) -> socket.socket:
    """Listen at `path`; a socket nobody answers on is replaced, a live one is an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists():
            if _alive(path):
                raise HeldByOther(
                    f"{path}: another daemon answers there",
                    hint="stop it, or give this one a runtime directory of its own",
                )
            path.unlink()
        with short_address(path) as address:
            listener.bind(address)
        path.chmod(0o660)
        listener.listen(CONNECTIONS_MOST)
    except BaseException:
        listener.close()
        raise
    return listener


def _alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(REQUEST_S)
        try:
            with short_address(path) as address:
                probe.connect(address)
        except OSError:
            return False
        return True


def ask(
    path: Path,
    request: dict[str, Any],
    *,
    silence_s: float = 30.0,
    reply: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Answer:
    """Ask a running daemon: yields its lines, the last with `done`. `reply` answers its questions.

    Raises FileNotFoundError or ConnectionRefusedError where no daemon listens, PermissionError
    where the socket may not be opened, TimeoutError after `silence_s` without a line.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(silence_s)
        with short_address(path) as address:
            client.connect(address)
        client.sendall(json.dumps(request).encode() + b"\n")
        with client.makefile("rb") as lines:
            for line in lines:
                answer: dict[str, Any] = json.loads(line)
                if reply and "question" in answer:
                    said = json.dumps(reply(answer)).encode() + b"\n"
                    # Too late, perhaps; what became of the question can still be read.
                    with contextlib.suppress(BrokenPipeError):
                        client.sendall(said)
                    continue
                yield answer
                if "done" in answer:
                    return
    raise ConnectionResetError(f"{path}: the daemon closed the connection without an answer")
