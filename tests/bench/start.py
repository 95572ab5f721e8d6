"""From exec to the first `device/receipt`, and what of it goes into imports."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from agent.uplink.watcher import Message
from tests.bench.report import Table
from tests.bench.section import Size
from tests.brokers import mosquitto_broker
from tests.counter import Counter, subscriber

IMPORTS = (
    ("python3 alone", "pass"),
    (
        "imports of the command line, which checks the configuration",
        "import agent.cli.main, agent.cli.service",
    ),
    ("imports of the daemon, which it becomes", "import agent.cli.daemon"),
)


def measure(folder: Path, size: Size) -> Table:
    rows = [(name, statistics.median([_run_ms(code) for _ in range(size.starts)])) for name, code in IMPORTS]
    with mosquitto_broker(folder, options={"log_type": "error"}) as broker:
        firsts_ms = [_first_report_ms(folder / str(number), broker.url) for number in range(size.starts)]
    return Table(
        title=f"start: median of {size.starts}",
        columns=("", "ms"),
        rows=[*rows, ("exec to the first device/receipt at a subscriber", statistics.median(firsts_ms))],
        notes=["with an empty state folder each time; without TLS"],
    )


def _run_ms(code: str) -> float:
    started_ns = time.monotonic_ns()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    return (time.monotonic_ns() - started_ns) / 1e6


def _first_report_ms(folder: Path, url: str) -> float:
    folder.mkdir()
    counter = Counter(folder, url)
    with subscriber(url) as seen:
        try:
            counter.start_printer()
            before = len(seen.messages)
            started_ns = time.monotonic_ns()
            counter.start_daemon()
            seen.wait(lambda messages: len(_reports(messages[before:])) > 0, 15.0, "the first report")
            return (_reports(seen.messages[before:])[0] - started_ns) / 1e6
        finally:
            counter.close()


def _reports(messages: Sequence[Message]) -> list[int]:
    """When the printer's reports came; a retained one is of an earlier start."""
    return [
        message.received_monotonic_ns
        for message in messages
        if message.topic.endswith("/device/receipt") and not message.retain
    ]
