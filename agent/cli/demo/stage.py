"""The demo's processes: broker, counter, daemon, scenario; each started, awaited and ended here."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from agent.cli.demo import broker
from drivers.errors import TillwatchError

START_S = 15.0
END_S = 5.0
LOOK_S = 0.05


class NoStage(TillwatchError):
    code = "demo"
    hint = "the logs in the folder named above say more"


class Stage:
    """A counter with everything around it, in `folder`; leaving the block ends all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = broker.free_port()
        self._counter = folder / "counter"
        self._config = self._counter / "tillwatch.toml"
        self._runtime = folder / "run"
        self.url = f"mqtt://{broker.LOOPBACK}:{self.port}"
        self.broker_name = ""
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._logs: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _set_up(self) -> None:
        serving = broker.command(self.folder, self.port)
        if serving is None:
            raise NoStage("no broker: install Debian's mosquitto, or: pip install 'tillwatch[demo]'", hint="")
        self.broker_name = "mosquitto" if "mosquitto" in serving[0] else "amqtt"
        self._start("broker", serving)
        self._await("broker", self._broker_answers)
        self._runtime.mkdir()
        till = ("--till", "--say", str(self._runtime / "till" / "notify"))
        self._start(
            "counter", _module("simulator.cli", "counter", str(self._counter), "--broker", self.url, *till)
        )
        self._await("counter", self._config.exists)
        self._start("pass-through", self._tillwatch("pass-through"))
        self._await("pass-through", (self._counter / "till").is_symlink)

    def start_daemon(self) -> None:
        """After the subscriber is in place, so that it sees every message."""
        self._start("daemon", self._tillwatch("run"))

    def _tillwatch(self, command: str) -> list[str]:
        return _module("agent.cli", command, "--config", str(self._config))

    def play(self, scenario: Path) -> subprocess.Popen[bytes]:
        """The scenario at this counter, once; ends by itself."""
        arguments = _module("simulator.cli", "play", str(scenario), "--dir", str(self.folder / "counter"))
        return self._start("scenario", arguments)

    def failed(self) -> str | None:
        """The name of a part that ended with an error, if one did."""
        return next((name for name, process in self._running if process.poll() not in (None, 0)), None)

    def log_tail(self, name: str) -> str:
        """The last line a part wrote on stderr."""
        lines = (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else ""

    def _start(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name}.log").open("ab")
        self._logs.append(log)
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "RUNTIME_DIRECTORY": str(self._runtime)},
        )
        self._running.append((name, process))
        return process

    def _await(self, name: str, ready: Callable[[], bool]) -> None:
        ends_s = time.monotonic() + START_S
        while not ready():
            if self.failed():
                raise NoStage(f"the {name} did not start: {self.log_tail(name)}")
            if time.monotonic() > ends_s:
                raise NoStage(f"the {name} did not start within {START_S:.0f} s: {self.log_tail(name)}")
            time.sleep(LOOK_S)

    def _broker_answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((broker.LOOPBACK, self.port), timeout=1):
            return True
        return False

    def _end(self) -> None:
        """The youngest first, so that the daemon can still say goodbye to the broker."""
        for _name, process in reversed(self._running):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(END_S)
        for log in self._logs:
            log.close()
        self._running.clear()
        self._logs.clear()


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]
