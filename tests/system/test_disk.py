"""A state directory that takes no writes: the daemon watches and reports all the same."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import mosquitto_broker
from tests.counter import Counter, subscriber

pytestmark = pytest.mark.system


@pytest.fixture
def small_disk(short_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, mounted as the counter's state directory."""
    mounted = short_path / "state"
    mounted.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(mounted)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs root to mount: {done.stderr.decode().strip()}")
    yield mounted
    subprocess.run(["umount", "--lazy", str(mounted)], check=True)


def fill(folder: Path) -> Path:
    """All that is left, to the last byte."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return ballast


def test_a_full_disk_at_the_start_is_reported_and_nothing_else_suffers(
    short_path: Path, small_disk: Path
) -> None:
    fill(small_disk)
    with mosquitto_broker(short_path) as broker, subscriber(broker.url) as seen:
        counter = Counter(short_path, broker.url)
        try:
            counter.start_printer()
            counter.start_daemon()
            seen.wait_fault("agent/storage_failed", "raised", within_s=15)
            counter.tell("paper=end")
            seen.wait_fault("receipt/paper_end", "raised")
            assert counter.stop_daemon() == 0
        finally:
            counter.close()


def test_a_disk_that_fills_up_is_reported_and_recovers(short_path: Path, small_disk: Path) -> None:
    with mosquitto_broker(short_path) as broker, subscriber(broker.url) as seen:
        counter = Counter(short_path, broker.url)
        try:
            counter.start_printer()
            counter.start_daemon()
            seen.wait_level("ok", within_s=15)
            ballast = fill(small_disk)
            counter.tell("paper=end")
            seen.wait_level("now")  # states go out although their events cannot be stored
            assert seen.events() == []
            ballast.unlink()
            seen.wait_fault("receipt/paper_end", "raised", within_s=20)
            counter.tell("paper=ok")
            seen.wait_fault("receipt/paper_end", "cleared")
            seen.wait_fault("agent/storage_failed", "cleared", within_s=20)
            events = seen.events()
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        finally:
            counter.close()
