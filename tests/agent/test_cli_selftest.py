"""`tillwatch selftest`: what it makes of the technician's answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import selftest
from agent.config import Config
from agent.messages import SelftestStep
from agent.selftest import answered
from drivers.api import Level

CONFIG = """\
config_version = 1
[terminal]
id = "T-1"
[mqtt]
url = "mqtt://127.0.0.1:1"
[[device]]
id = "receipt"
driver = "escpos"
link = "tcp:127.0.0.1:1"
access = "exclusive"
"""
SLIP = SelftestStep(name="slip", verdict="untested", detail="", question="Is the slip readable?")


def steps(_config: Config, _devices: list[str], _level: Level, asking: selftest.Asking) -> selftest.Steps:
    """A printer that answers, and a question."""
    yield "receipt", SelftestStep(name="answer", verdict="passed", detail="the printer answers")
    yield "receipt", answered(SLIP, asking("Is the slip readable?"))


@pytest.mark.parametrize(
    ("typed", "arguments", "result", "exit_code"),
    [
        ("y\n", (), "passed", 0),
        ("n\n", (), "failed", 1),
        ("", (), "untested", 3),
        ("y\n", ("--json",), "untested", 3),
    ],
    ids=["yes", "no", "nobody there", "JSON asks nobody"],
)
def test_a_question_decides(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    arguments: tuple[str, ...],
    result: str,
    exit_code: int,
) -> None:
    (config := tmp_path / "tillwatch.toml").write_text(CONFIG)
    monkeypatch.setattr(selftest, "_steps", steps)
    report = tmp_path / "report.json"
    done = CliRunner().invoke(
        selftest.selftest,
        ["--config", str(config), "--level", "interactive", "--report", str(report), *arguments],
        input=typed,
    )
    assert done.exit_code == exit_code, done.output
    assert json.loads(report.read_text())["result"] == result
