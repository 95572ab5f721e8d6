"""The daemon's own thread: it stops when told, and no single message ends its watch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.config import Agent, Config, Host, Mqtt, Terminal
from agent.control import SOCKET_NAME, ask
from agent.daemon import OUTBOX_NAME, Daemon
from agent.outbox.storage import StorageBusy
from drivers.api import Observation, Power

pytestmark = pytest.mark.system


@pytest.fixture
def config(short_path: Path) -> Config:
    return Config(
        source=short_path / "t.toml",
        terminal=Terminal(id="T-1"),
        mqtt=Mqtt(host="127.0.0.1", port=1, tls=False),
        agent=Agent(state_dir=short_path / "state", runtime_dir=short_path, till_dir=short_path / "till"),
        host=Host(vitals=f"file:{short_path / 'vitals.json'}"),
    )


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def view(config: Config) -> list[dict[str, Any]]:
    """What it answers, once it runs."""
    return list(ask(config.agent.runtime_dir / SOCKET_NAME, {"do": "status"}))


def run_while(daemon: Daemon, what: threading.Thread) -> None:
    what.start()
    daemon.run()
    what.join(5)


def test_news_it_cannot_take_does_not_end_the_watch(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    daemon = Daemon(config)
    nonsense = Observation(at_s=0.0, heard=True, power=Power.ONLINE, conditions={})
    views: list[dict[str, Any]] = []

    def meanwhile() -> None:
        daemon._observed("nobody", nonsense)
        views.extend(view(config))
        daemon.stop()

    run_while(daemon, threading.Thread(target=meanwhile))
    assert views[0]["terminal"] == "T-1"
    assert "KeyError: 'nobody'" in caplog.text


def test_one_signal_after_another_stops_it_cleanly(config: Config) -> None:
    daemon = Daemon(config)

    def meanwhile() -> None:
        view(config)  # by then it takes signals
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)

    run_while(daemon, threading.Thread(target=meanwhile))
    assert not (config.agent.runtime_dir / SOCKET_NAME).exists()


def test_told_to_stop_before_it_runs_it_ends_at_once(config: Config) -> None:
    daemon = Daemon(config)
    daemon.stop()
    daemon.run()
    with (config.agent.state_dir / OUTBOX_NAME).open("rb") as database:
        assert database.read(15) == b"SQLite format 3"


def test_a_second_daemon_on_the_same_state_is_refused(config: Config) -> None:
    daemon = Daemon(config)
    with pytest.raises(StorageBusy, match="another daemon"):
        Daemon(config)
    daemon.stop()
    daemon.run()


def test_a_disk_that_works_again_is_started_anew_on(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.daemon.LOOK_AGAIN_S", 0.1)
    config.agent.state_dir.write_text("no folder can be made here")
    daemon = Daemon(config)

    def meanwhile() -> None:
        view(config)
        config.agent.state_dir.unlink()

    repaired = threading.Thread(target=meanwhile)
    repaired.start()
    assert daemon.run(), "to be started anew"
    repaired.join(5)
    anew = Daemon(config)
    assert [*anew._outbox.faults()] == ["agent/storage_failed"]
    assert '"storage_failed"' in anew._outbox.head(0, 1)[0].payload
    assert not (config.agent.runtime_dir / OUTBOX_NAME).exists()
    anew.stop()
    assert not anew.run()


def test_one_that_is_far_behind_says_so(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.daemon.STOP_S", 0.05)
    monkeypatch.setattr("agent.daemon.INBOX_PUT_S", 0.05)
    daemon = Daemon(config)
    answers: list[dict[str, Any]] = []
    held = threading.Event()

    def long() -> None:
        held.wait(5)

    def meanwhile() -> None:
        daemon._post(long)
        answers.extend(view(config))
        held.set()
        daemon.stop()

    run_while(daemon, threading.Thread(target=meanwhile))
    assert answers[-1]["code"] == "busy"
