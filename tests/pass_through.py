"""A shared printer for tests: simulated printer and pass-through, each a process, and what a till needs."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import serial

from simulator.control import tell
from tests.counter import END_S, HOST, end, start, until

CONFIG = """\
config_version = 1
[terminal]
id = "T-0001"
[mqtt]
url = "{url}"
[agent]
state_dir = "{folder}/state"
till_dir = "{folder}/till"
[host]
vitals = "file:{folder}/host.json"
[[device]]
id = "receipt"
driver = "escpos"
link = "{link}"
access = "shared"
till = "{till}"
profile = "{profile}"
poll_s = {poll_s}
"""


class SharedPrinter:
    """One printer behind `door`, shared with the till at `till`; both `tty` or `tcp`."""

    def __init__(
        self,
        folder: Path,
        *,
        door: str = "tty",
        till: str = "tty",
        hold: bool = False,
        baud: int = 115200,
        url: str = "mqtt://127.0.0.1:1",
        profile: str = "epson-tm",
        poll_s: float = 1.0,
        knobs: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.config = folder / "tillwatch.toml"
        self.control = folder / "receipt.ctl"
        self.transcript = folder / "transcript"
        self._printed = folder / "printed"
        self._came, self._read_to = bytearray(), 0
        self.tty = folder / "till" / "receipt"
        self.port = free_port() if till == "tcp" else 0
        self.environment = {"RUNTIME_DIRECTORY": str(folder / "run")}
        printer_port = free_port() if door == "tcp" else 0
        self._knobs = knobs
        self._door = f"tty:{folder}/printer?baud={baud}" if door == "tty" else f"tcp:127.0.0.1:{printer_port}"
        link = (
            f"serial:{folder}/printer?baud={baud}"
            if door == "tty"
            else f"tcp:127.0.0.1:{printer_port}{'?hold=1' if hold else ''}"
        )
        self.direct = f"{folder}/printer" if door == "tty" else printer_port
        (folder / "host.json").write_text(json.dumps(HOST), encoding="utf-8")
        self.config.write_text(
            CONFIG.format(
                folder=folder,
                url=url,
                link=link,
                till=f"tty:{self.tty}" if till == "tty" else f"tcp:127.0.0.1:{self.port}",
                profile=profile,
                poll_s=poll_s,
            ),
            encoding="utf-8",
        )
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    # -- processes ---------------------------------------------------------------------------------

    def start_printer(self) -> None:
        arguments = ["serve", "escpos", "--at", self._door, "--control", str(self.control)]
        arguments += ["--transcript", str(self.transcript), "--printed", str(self._printed)]
        for knob in self._knobs:
            arguments += ["--set", knob]
        process = self._processes["printer"] = start("simulator.cli", *arguments)
        until(self.control.exists, "the printer to be served", process)

    def start(self) -> None:
        """The pass-through, up to its doors being open."""
        seat = self.folder / "till" / "receipt.sock"
        seat.unlink(missing_ok=True)
        process = self._processes["pass-through"] = start(
            "agent.cli", "pass-through", "--config", str(self.config), environment=self.environment
        )
        until(seat.exists, "the pass-through to open its doors", process)

    def start_daemon(self) -> None:
        self._processes["daemon"] = start(
            "agent.cli", "run", "--config", str(self.config), environment=self.environment
        )

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """`printer`, `pass-through` or `daemon`."""
        return self._processes[name]

    def worker(self) -> psutil.Process:
        """The pass-through's worker, once there is one."""
        children: list[psutil.Process] = []

        def one() -> bool:
            children[:] = psutil.Process(self.process("pass-through").pid).children()
            return len(children) == 1

        until(one, "a worker")
        return children[0]

    def kill_worker(self) -> None:
        old = self.worker()
        old.kill()
        until(lambda: self.worker().pid != old.pid, "another worker")

    def kill(self, name: str) -> None:
        self.process(name).kill()
        self.process(name).wait(END_S)

    def stop(self, name: str) -> int:
        self.process(name).send_signal(signal.SIGTERM)
        return self.process(name).wait(END_S)

    def tell(self, *settings: str) -> dict[str, Any]:
        """To the printer: knobs and faults."""
        return tell(self.control, list(settings))

    def close(self) -> None:
        for process in reversed(self._processes.values()):
            end(process)

    # -- the till's view ---------------------------------------------------------------------------

    def open_tty(self, baud: int = 115200, path: str | None = None) -> serial.Serial:
        return serial.Serial(path or str(self.tty), baud, timeout=2, write_timeout=10)

    def connect(self, port: int | None = None) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", port or self.port), timeout=5)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def received(self) -> bytes:
        """All that came in at the printer, to the byte."""
        if self.transcript.exists():
            with self.transcript.open("rb") as file:
                file.seek(self._read_to)
                new = file.read().rpartition(b"\n")
            self._read_to += len(new[0]) + len(new[1])
            parts = (line.split(b" ", 2) for line in new[0].splitlines())
            self._came += b"".join(bytes.fromhex(data.decode()) for _at, way, data in parts if way == b">")
        return bytes(self._came)

    def printed(self) -> bytes:
        """Each byte that made a mark or moved paper, since the printer was started."""
        return self._printed.read_bytes() if self._printed.exists() else b""

    def wait_received(self, data: bytes, within_s: float = 15.0) -> None:
        """Until exactly this came in; anything else is an error at once."""
        ends_s = time.monotonic() + within_s
        while (came := self.received()) != data:
            assert data.startswith(came), f"it received otherwise at byte {_differ(came, data)}"
            assert time.monotonic() < ends_s, f"only {len(came)} of {len(data)} bytes in {within_s} s"
            time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _differ(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
