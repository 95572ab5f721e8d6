"""The control socket: who may ask, what is answered, what happens to bad requests."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import control
from agent.control import ControlServer, ask
from drivers.errors import HeldByOther, LinkUnusable

pytestmark = pytest.mark.system


def count(request: dict[str, Any], who: str) -> Iterator[dict[str, Any]]:
    for number in range(request["to"]):
        yield {"number": number, "who": who}


def refuse(request: dict[str, Any], who: str) -> Iterator[dict[str, Any]]:
    if request:
        raise LinkUnusable("not today")
    yield {}


@pytest.fixture
def served(short_path: Path) -> Iterator[Path]:
    path = short_path / "run" / "control.sock"
    server = ControlServer(path, {"count": count, "refuse": refuse})
    server.start()
    yield path
    server.stop()
    assert not path.exists()


def test_lines_then_done(served: Path) -> None:
    answer = list(ask(served, {"do": "count", "to": 2}))
    assert [line.get("number") for line in answer] == [0, 1, None]
    assert answer[0]["who"]
    assert answer[-1] == {"done": True}


def test_only_user_and_group_may_open_it(served: Path) -> None:
    assert stat.S_IMODE(served.stat().st_mode) == 0o660


def test_a_refusal_has_a_code(served: Path) -> None:
    assert list(ask(served, {"do": "refuse"})) == [
        {"done": False, "code": "link_unusable", "detail": "not today"}
    ]


@pytest.mark.parametrize("sent", [b"\n", b"nonsense\n", b"[]\n", b'{"do":"unheard"}\n', b'{"do":[]}\n'])
def test_a_bad_request_gets_one_answer(served: Path, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(served))
        client.sendall(sent)
        with client.makefile("rb") as lines:
            answer = [json.loads(line) for line in lines]
    assert answer == [{"done": False, "code": "bad_request", "detail": "expected one of count, refuse"}]


def test_somebody_else_is_refused(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_permitted", lambda _peer: None)
    assert next(iter(ask(served, {"do": "count", "to": 1})))["code"] == "not_permitted"


def test_who_asks_is_taken_from_the_kernel() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert control._permitted(ours) is not None


@pytest.mark.parametrize(("uid", "allowed"), [(0, True), (4_000_001, False)])
def test_root_may_always_ask_and_a_stranger_never(uid: int, allowed: bool) -> None:
    class Peer:
        def getsockopt(self, *_arguments: int) -> bytes:
            return struct.pack("3i", 1, uid, uid if uid else os.getegid())

    assert (control._permitted(Peer()) is not None) is allowed  # type: ignore[arg-type]


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(short_path: Path) -> None:
    path = short_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    server = ControlServer(path, {"count": count})
    server.start()
    try:
        with pytest.raises(HeldByOther, match="another daemon answers"):
            ControlServer(path, {})
        assert len(list(ask(path, {"do": "count", "to": 1}))) == 2
    finally:
        server.stop()


def test_nobody_there_is_said(short_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(ask(short_path / "none.sock", {"do": "count"}))


def test_too_many_at_once_are_refused(served: Path) -> None:
    held = []
    try:
        for _ in range(control.CONNECTIONS_MOST):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(served))
            held.append(client)
        codes = set()
        for _ in range(20):  # the accepting thread takes them one by one
            line = next(iter(ask(served, {"do": "count", "to": 1})))
            codes.add(line.get("code"))
            if "busy" in codes:
                break
        assert "busy" in codes
    finally:
        for client in held:
            client.close()
