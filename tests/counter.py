"""A counter for end-to-end tests: simulated printer, daemon and subscriber, each as its user runs it.

Simulator and daemon are processes of their own; the subscriber validates every message it sees.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.uplink.watcher import Message, Watcher
from simulator.control import tell
from tests.validate import validate

START_S = 15.0
END_S = 8.0
TERMINAL = "T-0001"
BASE = f"tillwatch/v1/{TERMINAL}/"

CONFIG = """\
config_version = 1
[terminal]
id = "{terminal}"
site = "shop-17"
{terminal_keys}
[mqtt]
url = "{url}"
keepalive_s = {keepalive_s}
{mqtt}
[agent]
state_dir = "{folder}/state"
{agent}
[host]
vitals = "file:{folder}/host.json"
poll_s = 5
[[device]]
id = "receipt"
driver = "escpos"
link = "{link}"
access = "exclusive"
profile = "{profile}"
poll_s = {poll_s}
reply_s = 0.5
"""
HOST = {
    "cpu_pct": 5.0,
    "memory_available_pct": 60.0,
    "disk_used_pct": 30.0,
    "temperature_c": 45.0,
    "clock_synced": True,
    "network_up": True,
    "uptime_s": 90_000.0,
    "boot_id": "simulated",
    "load_1m": 0.2,
}


@dataclass(slots=True)
class Seen:
    """What the subscriber got, in order; each message was valid."""

    messages: list[Message] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, message: Message) -> None:
        with self._changed:
            if message.payload not in (None, "", b""):  # an empty one clears what was retained
                try:
                    validate(message.topic.removeprefix(BASE), message.payload)
                except Exception as wrong:  # noqa: BLE001 - told by the test that owns this
                    self.invalid.append(f"{message.topic}: {wrong}")
            self.messages.append(message)
            self._changed.notify_all()

    def wait(self, test: Callable[[list[Message]], bool], within_s: float, what: str) -> None:
        """Until `test` of all messages so far holds; fails with what came instead."""
        with self._changed:
            held = self._changed.wait_for(lambda: test(self.messages), within_s)
            assert held, f"not within {within_s} s: {what}; got:\n" + "\n".join(
                map(short, self.messages[-30:])
            )

    def on(self, topic: str) -> list[dict[str, Any]]:
        """Payloads of one topic below the terminal's, in order."""
        with self._changed:
            return [
                m.payload for m in self.messages if m.topic == BASE + topic and isinstance(m.payload, dict)
            ]

    def events(self) -> list[dict[str, Any]]:
        """Events in order of arrival, repetitions of one id left out."""
        return list({event["id"]: event for event in self.on("event")}.values())

    def faults(self, fault: str | None = None) -> list[tuple[str, str]]:
        """(fault, change) in order."""
        return [
            (event["fault"], event["change"])
            for event in self.events()
            if event["type"] == "fault" and fault in (None, event["fault"])
        ]

    def wait_fault(self, fault: str, change: str, within_s: float = 10.0, times: int = 1) -> None:
        self.wait(lambda _m: self.faults().count((fault, change)) >= times, within_s, f"{fault} {change}")

    def wait_reports(self, count: int, within_s: float = 15.0) -> None:
        """Until the printer was reported so often."""
        self.wait(lambda _m: len(self.on("device/receipt")) >= count, within_s, f"{count} reports")

    def wait_condition(self, kind: str, value: bool | None, within_s: float = 10.0) -> None:
        def holds(_messages: list[Message]) -> bool:
            reports = self.on("device/receipt")
            return bool(reports) and reports[-1]["conditions"].get(kind, {}).get("value") is value

        self.wait(holds, within_s, f"{kind} to be {value}")

    def wait_level(self, level: str, within_s: float = 10.0) -> None:
        def holds(_messages: list[Message]) -> bool:
            seen = self.on("health")
            return bool(seen) and seen[-1]["level"] == level

        self.wait(holds, within_s, f"health level {level}")


def short(message: Message) -> str:
    text = message.payload if isinstance(message.payload, str) else json.dumps(message.payload)
    return f"  {message.topic.removeprefix(BASE)}{' (retained)' if message.retain else ''} {text[:300]}"


class Counter:
    """One printer, one daemon, in `folder`; `url` names the broker."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        door: str | None = None,
        link: str | None = None,
        profile: str = "epson-tm",
        poll_s: float = 1.0,
        keepalive_s: int = 60,
        mqtt: str = "",
        agent: str = "",
        terminal: str = "",
        knobs: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.control = folder / "receipt.ctl"
        self.log = folder / "changes.jsonl"
        self.config = folder / "tillwatch.toml"
        self.door = door or f"tty:{folder}/receipt"
        self._knobs = knobs
        self._environment = {"RUNTIME_DIRECTORY": str(folder / "run")} | (environment or {})
        self._daemon: subprocess.Popen[bytes] | None = None
        self._printer: subprocess.Popen[bytes] | None = None
        self._link = link or f"serial:{folder}/receipt"
        self._settings = {
            "url": url,
            "profile": profile,
            "poll_s": poll_s,
            "keepalive_s": keepalive_s,
            "mqtt": mqtt,
            "agent": agent,
            "terminal_keys": terminal,
        }
        (folder / "host.json").write_text(json.dumps(HOST), encoding="utf-8")

    def write_config(self, link: str | None = None, device: str = "receipt") -> None:
        text = CONFIG.format(terminal=TERMINAL, folder=self.folder, link=link or self._link, **self._settings)
        self.config.write_text(text.replace('id = "receipt"', f'id = "{device}"'), encoding="utf-8")

    def start_printer(self) -> dict[str, Any]:
        """Serve the printer; returns its state once all doors are open."""
        arguments = [
            "serve",
            "escpos",
            "--at",
            self.door,
            "--control",
            str(self.control),
            "--log",
            str(self.log),
        ]
        for knob in self._knobs:
            arguments += ["--set", knob]
        self._printer = start("simulator.cli", *arguments)
        until(self.control.exists, "the printer to be served", self._printer)
        return self.tell()

    def tell(self, *settings: str) -> dict[str, Any]:
        return tell(self.control, list(settings))

    def start_daemon(self, device: str = "receipt") -> None:
        """`device` is the id that the printer has in its configuration."""
        self.write_config(device=device)
        self._daemon = start("agent.cli", "run", "--config", str(self.config), environment=self._environment)

    @property
    def daemon(self) -> subprocess.Popen[bytes]:
        assert self._daemon is not None, "the daemon was not started"
        return self._daemon

    def kill_daemon(self) -> None:
        self.daemon.kill()
        self.daemon.wait(END_S)

    def stop_daemon(self) -> int:
        """SIGTERM, as systemd does; returns the exit code."""
        self.daemon.send_signal(signal.SIGTERM)
        return self.daemon.wait(END_S)

    def close(self) -> None:
        for process in (self._daemon, self._printer):
            if process is not None:
                end(process)


@contextlib.contextmanager
def subscriber(url: str) -> Iterator[Seen]:
    """Everything on the broker, from now on; fails at the end if any message was invalid."""
    seen = Seen()
    watcher = Watcher(url, ("tillwatch/v1/#",), seen.take)
    watcher.start()
    try:
        yield seen
    finally:
        watcher.stop()
    assert not seen.invalid, seen.invalid[:5]


def start(module: str, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONUNBUFFERED": "1"} | (environment or {}),
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for one that does not hear it."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_S)


def until(
    test: Callable[[], bool],
    what: str,
    process: subprocess.Popen[bytes] | None = None,
    within_s: float = START_S,
) -> None:
    """Wait for something outside of this process."""
    ends_s = time.monotonic() + within_s
    while not test():
        assert process is None or process.poll() is None, f"it ended while waiting for {what}"
        assert time.monotonic() < ends_s, f"not within {within_s} s: {what}"
        time.sleep(0.02)
