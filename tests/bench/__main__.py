"""`python -m tests.bench [--quick] [--only NAME...]`: all sections or those named; always exit 0."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench import drain, latency, outbox, pass_through, rest, start
from tests.bench.section import FULL, QUICK, CannotMeasure, Section, Size
from tests.brokers import find_mosquitto

SECTIONS: Mapping[str, Section] = {
    "rest": rest.measure,
    "latency": latency.measure,
    "outbox": outbox.measure,
    "drain": drain.measure,
    "start": start.measure,
    "pass-through": pass_through.measure,
}
LONGEST_S = 330.0
"""No section is begun after this; the longest takes a minute and a half."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="a short look, too short for figures to quote")
    asked = parser.parse_args(arguments)
    if find_mosquitto() is None:
        sys.exit("no mosquitto here, and all is measured against it: apt-get install mosquitto")
    _say(_machine())
    started_s = time.monotonic()
    for name in asked.only:
        if time.monotonic() - started_s > LONGEST_S:
            _say(f"\n{name}: left out, the time is used up")
            continue
        _say(f"\n{_run(SECTIONS[name], QUICK if asked.quick else FULL)}")
    _say(f"\n{time.monotonic() - started_s:.0f} s in all")


def _run(section: Section, size: Size) -> str:
    # A short path, for Unix sockets; on a disk, where /tmp may be memory.
    folder = Path(tempfile.mkdtemp(prefix="tw-", dir="/var/tmp"))
    folder.chmod(0o755)  # a broker started by root reads its certificates as a user of its own
    log = folder / "log"
    try:
        with _output_to(log):
            return section(folder, size).text()
    except (CannotMeasure, AssertionError) as lacking:  # the tests' harness asserts what it waits for
        said = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
        return f"not measured: {lacking}\n{said}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """What the daemon and the simulator say goes to `log`: they inherit our descriptors."""
    kept = [os.dup(1), os.dup(2)]
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        for ours, number in zip(kept, (1, 2), strict=True):
            os.dup2(ours, number)
            os.close(ours)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _machine() -> str:
    return (
        f"{platform.platform(terse=True)}, Python {platform.python_version()} ({sys.executable}), "
        f"SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}"
    )


if __name__ == "__main__":
    main()
