"""The demo, as a newcomer runs it: exit code, and what its lines show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.validate import validate

pytestmark = pytest.mark.system

TERMINAL = "tillwatch/v1/DEMO-0001/"


def demo(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=environment or dict(os.environ),
    )


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        assert list(line) == ["topic", "retain", "qos", "payload"]
        validate(line["topic"].removeprefix(TERMINAL), line["payload"])
    return lines


def check_story(lines: list[dict[str, Any]]) -> None:
    def payloads(topic: str, **wanted: bool) -> list[dict[str, Any]]:
        return [
            line["payload"]
            for line in lines
            if line["topic"] == TERMINAL + topic and all(line[key] == value for key, value in wanted.items())
        ]

    assert payloads("status", retain=True)[-1]["state"] == "online"
    assert payloads("device/receipt")
    paper = [event for event in payloads("event") if event.get("kind") == "paper_end"]
    assert [event["change"] for event in paper][:2] == ["raised", "cleared"]
    levels = [health["level"] for health in payloads("health")]
    assert "ok" in levels[levels.index("now") :]
    retained = {line["topic"].removeprefix(TERMINAL) for line in lines if line["retain"]}
    assert retained >= {"status", "health", "device/receipt", "device/host"}


def test_half_a_minute_shows_paper_out_and_back() -> None:
    check_story(lines_of(demo("--json", "--for", "30")))


def test_without_mosquitto_the_embedded_broker_serves(tmp_path: Path) -> None:
    code = (
        "import agent.cli.demo.broker as b; b.shutil.which = lambda *a, **k: None;"
        "from agent.cli.main import main; main(['demo', '--json', '--for', '24'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    check_story(lines_of(done))


def test_a_scenario_that_is_none_is_one_line(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text("nonsense", encoding="utf-8")
    done = demo("--scenario", str(scenario), "--for", "5", "--json")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert str(scenario) in done.stderr
