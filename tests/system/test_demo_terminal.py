"""The live demo on a terminal that goes away: nothing is left behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.system

SEEN_S = 30.0
END_S = 20.0


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """The simulator's sockets stand in it, and a socket's path is short."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("how", ["closed", "signalled"])
def test_nothing_outlives_its_terminal(short_folder: Path, how: str) -> None:
    """Closed under `su`, which keeps the hang-up to itself; or signalled, as by a closed window."""
    master, slave = pty.openpty()
    environment = os.environ | {"TMPDIR": str(short_folder), "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    command = [sys.executable, "-m", "agent.cli", "demo"]
    demo = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    try:
        shown, ends_s = b"", time.monotonic() + SEEN_S
        while b"online" not in shown:
            assert time.monotonic() < ends_s, shown[-2000:]
            shown += os.read(master, 1 << 16)
        parts = psutil.Process(demo.pid).children(recursive=True)
        assert len(parts) >= 3  # broker, counter, daemon
        assert list(short_folder.iterdir())
        if how == "signalled":
            demo.send_signal(signal.SIGHUP)
        master = _closed(master)
        demo.wait(END_S)
        assert not psutil.wait_procs(parts, timeout=END_S)[1]
        assert not list(short_folder.iterdir())
    finally:
        _closed(master)
        for left in psutil.Process(demo.pid).children(recursive=True) if demo.poll() is None else ():
            left.kill()
        demo.kill()
        demo.wait()


def _closed(descriptor: int) -> int:
    if descriptor >= 0:
        os.close(descriptor)
    return -1
