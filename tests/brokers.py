"""A real mosquitto for a test: `with mosquitto_broker(tmp_path) as broker: ... broker.url`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

START_S = 10.0


def find_mosquitto() -> str | None:
    """On PATH, or where Debian puts it, which is not on everybody's PATH."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Broker:
    """One mosquitto on one port of 127.0.0.1, which it keeps over restarts."""

    program: str
    config: Path
    port: int
    tls: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it accepts connections."""
        log = self.config.with_suffix(".log").open("ab")
        with log:
            self.process = subprocess.Popen([self.program, "-c", str(self.config)], stdout=log, stderr=log)
        ends_s = time.monotonic() + START_S
        while time.monotonic() < ends_s:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.02)
            else:
                return
        self.kill()
        raise RuntimeError(f"mosquitto does not start: {self.config.with_suffix('.log').read_text()}")

    def stop(self) -> None:
        """A clean end, as by a service manager."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what it had only in memory is gone."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def reload(self) -> None:
        """SIGHUP: passwords and access rules are read anew, connections stay."""
        self._signal(signal.SIGHUP)

    def stop_signal(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def continue_signal(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@contextmanager
def mosquitto_broker(
    tmp_path: Path, *, options: Mapping[str, object] | None = None, lines: str = "", tls: bool = False
) -> Iterator[Broker]:
    """`options` are lines of mosquitto.conf(5); anonymous clients are let in unless told otherwise."""
    program = find_mosquitto()
    if program is None:
        pytest.fail("no mosquitto here; install it: apt-get install mosquitto (make test does)")
    port = free_port()
    config = tmp_path / f"mosquitto-{port}.conf"
    settings: dict[str, object] = {
        "listener": f"{port} 127.0.0.1",
        "allow_anonymous": "true",
        "persistence": "false",
        "log_type": "all",
        "set_tcp_nodelay": "true",
        **(options or {}),
    }
    config.write_text("".join(f"{key} {value}\n" for key, value in settings.items()) + lines)
    config.chmod(0o644)
    broker = Broker(program, config, port, tls)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
