"""The command line as its user runs it: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Broker
from tests.counter import Counter, subscriber

pytestmark = pytest.mark.system

NOWHERE = "mqtt://127.0.0.1:1"
SLIP = ("TILLWATCH SELF-TEST", "T-0001", "receipt", "Result:")


def tillwatch(counter: Counter | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"RUNTIME_DIRECTORY": str(counter.folder / "run")} if counter else {})
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )


@pytest.fixture
def counter(short_path: Path) -> Iterator[Counter]:
    """A printer without a daemon."""
    running = Counter(short_path, NOWHERE)
    running.write_config()
    running.start_printer()
    yield running
    running.close()


@pytest.fixture
def watched(short_path: Path, broker: Broker) -> Iterator[Counter]:
    """A printer with its daemon."""
    running = Counter(short_path, broker.url)
    with subscriber(broker.url) as seen:
        try:
            running.start_printer()
            running.start_daemon()
            seen.wait_level("ok", within_s=15)
            yield running
        finally:
            running.close()


def selftest(counter: Counter, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = tillwatch(counter, "selftest", *arguments, "--json", "--config", str(counter.config))
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_an_internal_selftest_without_a_daemon_prints_nothing(counter: Counter) -> None:
    code, summary = selftest(counter, "receipt", "host")
    assert (code, summary["result"]) == (0, "passed")
    assert list(summary) == ["terminal", "at", "level", "result", "devices"]
    assert list(summary["devices"]) == ["receipt", "host"]
    code, summary = selftest(counter)
    assert list(summary["devices"]) == ["receipt", "host", "network"]
    assert (code, summary["devices"]["network"]["result"]) == (1, "failed")  # there is no broker
    assert counter.tell()["printed_bytes"] == 0


def test_an_external_selftest_prints_a_slip(counter: Counter) -> None:
    code, summary = selftest(counter, "receipt", "--level", "external")
    assert (code, summary["result"]) == (0, "passed")
    printed = counter.tell()["printed_text"]
    assert all(text in printed for text in SLIP)
    assert "cut" in printed


def test_with_the_daemon_running_the_selftest_goes_through_it(watched: Counter, broker: Broker) -> None:
    with subscriber(broker.url) as seen:
        code, summary = selftest(watched, "receipt", "--level", "external")
        seen.wait(lambda _m: bool(seen.events()), 5, "the selftest event")
    assert (code, summary["result"]) == (0, "passed")
    assert all(text in watched.tell()["printed_text"] for text in SLIP)
    event = seen.events()[-1]
    assert (event["type"], event["device"], event["result"]) == ("selftest", "receipt", "passed")
    assert event["by"]


def test_a_fault_found_is_exit_1_and_what_cannot_be_tested_is_3(counter: Counter) -> None:
    counter.tell("paper=end")
    code, summary = selftest(counter, "receipt")
    assert (code, summary["result"]) == (1, "failed")
    counter.tell("paper=ok", "fault=unplug")
    code, summary = selftest(counter, "receipt")
    assert (code, summary["result"]) == (3, "untested")


@pytest.mark.parametrize("suffix", [".html", ".json"])
def test_a_report_is_written(counter: Counter, suffix: str) -> None:
    report = counter.folder / f"report{suffix}"
    done = tillwatch(counter, "selftest", "receipt", "--config", str(counter.config), "--report", str(report))
    assert done.returncode == 0
    assert "receipt  passed" in done.stdout
    text = report.read_text(encoding="utf-8")
    assert "T-0001" in text
    if suffix == ".json":
        assert json.loads(text)["result"] == "passed"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("selftest", "printer9"), 2, "no device 'printer9'"),
        (("selftest", "--report", "x.pdf"), 2, "the suffix must be .html or .json"),
        (("selftest", "--report", "/nowhere/x.json"), 1, "/nowhere/x.json: No such file or directory"),
        (("status",), 4, "no daemon answers at"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    counter: Counter, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = tillwatch(counter, *arguments, "--config", str(counter.config))
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_status_shows_devices_and_faults(watched: Counter) -> None:
    done = tillwatch(watched, "status", "--config", str(watched.config))
    assert done.returncode == 0
    assert "T-0001" in done.stdout
    assert "receipt" in done.stdout
    view = json.loads(tillwatch(watched, "status", "--json", "--config", str(watched.config)).stdout)
    assert view["health"]["level"] == "ok"
    assert view["uplink"]["connected"] is True
    assert view["outbox"]["waiting"] == 0


def test_every_error_of_a_configuration_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('config_version = 1\n[terminal]\nid = "-"\nname = "x"\n[mqtt]\nurl = "http://x"\n')
    for command in (("config", "check", str(file)), ("run", "--config", str(file))):
        done = tillwatch(None, *command)
        assert done.returncode == 2
        lines = done.stderr.splitlines()
        assert len(lines) == 3
        assert all(line.startswith(f"{file}: ") for line in lines)


def test_a_good_configuration_is_fine(counter: Counter) -> None:
    done = tillwatch(counter, "config", "check", str(counter.config))
    assert (done.returncode, done.stdout) == (0, f"{counter.config}: fine: terminal T-0001, 1 device\n")


def test_two_daemons_on_one_state_are_refused(watched: Counter) -> None:
    done = tillwatch(watched, "run", "--config", str(watched.config))
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1


def test_help_lists_every_command() -> None:
    done = tillwatch(None, "--help")
    assert done.returncode == 0
    for command in ("demo", "run", "selftest", "devices", "status", "config"):
        assert f"  {command} " in done.stdout
        assert tillwatch(None, command, "--help").returncode == 0
