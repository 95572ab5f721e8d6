"""What systemd is told, over real datagram sockets."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent import sdnotify


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(1)
        listener.bind(address)
        yield listener


def test_without_a_manager_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert sdnotify.notify("READY=1") is False
    monkeypatch.setenv("NOTIFY_SOCKET", "vsock:2:1")
    assert sdnotify.notify("READY=1") is False


def test_fields_arrive_as_one_datagram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with manager(path) as listener:
        assert sdnotify.notify("READY=1", "STATUS=broker: connected\nREADY=0")
        assert listener.recv(1024) == b"READY=1\nSTATUS=broker: connected READY=0"


def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"tillwatch-test-{secrets.token_hex(8)}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with manager(f"\0{name}") as listener:
        assert sdnotify.notify("WATCHDOG=1")
        assert listener.recv(1024) == b"WATCHDOG=1"


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert sdnotify.notify("STOPPING=1") is False
