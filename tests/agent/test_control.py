"""The control socket: who may ask, what is answered, what happens to bad requests."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent import control
from agent.control import Answer, ControlServer, Hear, ask
from drivers.errors import HeldByOther, LinkUnusable

pytestmark = pytest.mark.system


def count(request: dict[str, Any], who: str, hear: Hear) -> Answer:
    for number in range(request["to"]):
        yield {"number": number, "who": who}


def guess(request: dict[str, Any], who: str, hear: Hear) -> Answer:
    yield {"question": "which number?"}
    yield {"heard": hear(request.get("within_s", 5.0))}


def refuse(request: dict[str, Any], who: str, hear: Hear) -> Answer:
    if request:
        raise LinkUnusable("not today")
    yield {}


def stumble(request: dict[str, Any], who: str, hear: Hear) -> Answer:
    yield {"number": 1 // (len(request) - 1)}


@pytest.fixture
def served(short_path: Path) -> Iterator[Path]:
    path = short_path / "run" / "control.sock"
    server = ControlServer(path, {"count": count, "guess": guess, "refuse": refuse, "stumble": stumble})
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


def test_a_refusal_has_a_code_and_says_what_to_do(served: Path) -> None:
    assert list(ask(served, {"do": "refuse"})) == [
        {"done": False, "code": "link_unusable", "detail": "not today", "hint": LinkUnusable.hint}
    ]


@pytest.mark.parametrize(
    "sent",
    [b"\n", b"nonsense\n", b"[]\n", b'{"do":"unheard"}\n', b'{"do":[]}\n', b"[" * 60_000 + b"\n"],
)
def test_a_bad_request_gets_one_answer(served: Path, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(served))
        client.sendall(sent)
        with client.makefile("rb") as lines:
            answer = [json.loads(line) for line in lines]
    assert answer == [
        {"done": False, "code": "bad_request", "detail": "expected one of count, guess, refuse, stumble"}
    ]


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


def test_it_may_lie_deeper_than_a_socket_address_holds(short_path: Path) -> None:
    path = short_path.joinpath(*["deep" * 10] * 5, "control.sock")
    server = ControlServer(path, {"count": count})
    server.start()
    try:
        assert len(list(ask(path, {"do": "count", "to": 1}))) == 2
        with pytest.raises(HeldByOther):
            ControlServer(path, {})
    finally:
        server.stop()
    assert not path.exists()


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


def test_a_mistake_of_ours_ends_one_request_only(served: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConnectionResetError):
        list(ask(served, {"do": "stumble"}))
    ends_s = time.monotonic() + 5  # it is logged after the connection is closed
    while "ZeroDivisionError" not in caplog.text:
        assert time.monotonic() < ends_s
        time.sleep(0.01)
    assert len(list(ask(served, {"do": "count", "to": 1}))) == 2


def test_a_request_in_drops_does_not_hold_its_place(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "REQUEST_S", 0.2)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(0.05)
        client.connect(str(served))
        began_s = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() < began_s + 5:
                client.sendall(b" ")
                time.sleep(0.02)
    assert time.monotonic() - began_s < 2


def test_a_failed_accept_is_not_the_last(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(control, "ACCEPT_AGAIN_S", 0.01)
    path = short_path / "control.sock"
    server = ControlServer(path, {"count": count})
    real, failures = server._socket, [OSError(24, "Too many open files")]

    class Short:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def accept(self) -> tuple[socket.socket, Any]:
            if failures:
                raise failures.pop()
            return real.accept()

    monkeypatch.setattr(server, "_socket", Short())
    server.start()
    try:
        assert len(list(ask(path, {"do": "count", "to": 1}))) == 2
    finally:
        server.stop()
    assert "Too many open files" in caplog.text


def test_whoever_hangs_up_closes_the_answer(short_path: Path) -> None:
    closed = threading.Event()

    def endless(_request: dict[str, Any], _who: str, _hear: Hear) -> Answer:
        try:
            while True:
                yield {"more": "x" * 4096}
        finally:
            closed.set()

    server = ControlServer(short_path / "control.sock", {"endless": endless})
    server.start()
    try:
        asked = ask(short_path / "control.sock", {"do": "endless"})
        next(asked)
        asked.close()
        assert closed.wait(5)
    finally:
        server.stop()


@pytest.mark.parametrize("said", [{"number": 7}, {"number": None}])
def test_a_question_is_answered_by_a_line_back(served: Path, said: dict[str, Any]) -> None:
    questions = []

    def reply(line: dict[str, Any]) -> dict[str, Any]:
        questions.append(line["question"])
        return said

    assert list(ask(served, {"do": "guess"}, reply=reply)) == [{"heard": said}, {"done": True}]
    assert questions == ["which number?"]


def test_an_answer_that_comes_too_late_is_let_go(served: Path) -> None:
    def late(line: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.3)
        return {"number": 7}

    lines = list(ask(served, {"do": "guess", "within_s": 0.05}, reply=late))
    assert lines == [{"heard": {}}, {"done": True}]


@pytest.mark.parametrize("sent", [b"", b"nonsense\n", b"[7]\n"])
def test_no_answer_to_a_question_is_an_empty_one(served: Path, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(served))
        client.sendall(b'{"do":"guess","within_s":0.2}\n')
        with client.makefile("rb") as lines:
            assert b"which number?" in lines.readline()
            client.sendall(sent)
            assert json.loads(lines.readline()) == {"heard": {}}
