"""`tillwatch status --watch`: it outlives the daemon that it watches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from agent.cli import status
from agent.cli.exits import REFUSED
from agent.cli.local import NoDaemon, Refused
from agent.diagnosis.catalogue import with_own
from drivers.api import OwnFault

CONFIG = """config_version = 1
[terminal]
id = "T-1"
[mqtt]
url = "mqtt://127.0.0.1"
"""
VIEW: dict[str, Any] = {
    "terminal": "T-1",
    "health": None,
    "open": None,
    "sale": {"state": "unknown", "why": []},
    "devices": {},
    "uplink": None,
    "outbox": {"waiting": 0, "last_seq": 0},
}


WHY = [{"source": "till", "word": "no", "age_s": 5.0}, {"source": "input", "word": "no", "age_s": 0.1}]


@pytest.mark.parametrize(
    ("shop_open", "sale", "shown"),
    [
        (None, {"state": "unknown", "why": []}, "T-1  unknown  sale unknown"),
        (True, {"state": "yes", "why": WHY[:1]}, "T-1  unknown  open   sale yes (till no)"),
        (False, {"state": "no", "why": WHY}, "T-1  unknown  closed   sale no (till no, input no)"),
    ],
)
def test_it_shows_the_shop_and_its_sale(shop_open: bool | None, sale: dict[str, Any], shown: str) -> None:
    first = click.unstyle(status.text(VIEW | {"open": shop_open, "sale": sale})).splitlines()[0]
    assert first == shown


def test_a_fault_is_told_in_plain_words() -> None:
    kinds = ("paper_end", "of_another_version")
    faults = [
        {
            "fault": f"receipt/{kind}",
            "kind": kind,
            "severity": "major",
            "raised_at": "2026-01-01T10:20:30.000Z",
        }
        for kind in kinds
    ]
    shown = click.unstyle(status.text(VIEW | {"health": {"level": "now", "devices": {}, "faults": faults}}))
    first, meaning, advice, other = shown.splitlines()[-4:]
    assert first.startswith("  fault    receipt/paper_end (major) since ")
    assert meaning.strip() == "the printer has no paper"
    assert advice.strip() == "do: Put in a new roll of paper and close the cover."
    assert "of_another_version" in other


def test_a_fault_of_another_packages_driver_is_told_too() -> None:
    own = OwnFault(kind="over_capacity", severity="minor", advice="call_support", meaning="too much is on it")
    fault = {
        "fault": "scale/over_capacity",
        "kind": "over_capacity",
        "severity": "minor",
        "raised_at": "2026-01-01T10:20:30.000Z",
    }
    view = VIEW | {"health": {"level": "soon", "devices": {}, "faults": [fault]}}
    *_, meaning, advice = click.unstyle(status.text(view, with_own([own]))).splitlines()
    assert (meaning.strip(), advice.strip()) == ("too much is on it", "do: Please call support.")


def test_levels_stand_below_each_other() -> None:
    devices = dict.fromkeys(("host", "display-logic-controls"))
    host, display = click.unstyle(status.text(VIEW | {"devices": devices})).splitlines()[-2:]
    assert host.index("unknown") == display.index("unknown") == 25


class Looked(Exception):
    """Often enough."""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "t.toml"
    path.write_text(CONFIG)
    return str(path)


def test_a_daemon_that_goes_is_waited_for(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any] | Exception] = [VIEW, Refused("it hung up"), NoDaemon("it is gone"), VIEW]
    answers = iter(said)

    def lines(_config: object, _request: object) -> Iterator[dict[str, Any]]:
        answer = next(answers, None)
        if answer is None:
            raise Looked
        if isinstance(answer, Exception):
            raise answer
        yield answer

    monkeypatch.setattr(status, "lines_from_daemon", lines)
    monkeypatch.setattr(status, "WATCH_S", 0.0)
    seen = CliRunner().invoke(status.status, ["--watch", "--config", config])
    assert isinstance(seen.exception, Looked)
    shown = [line.split()[0] for line in seen.output.splitlines() if line and not line.startswith(" ")]
    assert shown == ["T-1", "it", "it", "T-1"]


def test_asked_once_it_says_in_one_line_why_not(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_config: object, _request: object) -> Iterator[dict[str, Any]]:
        raise Refused("busy")

    monkeypatch.setattr(status, "lines_from_daemon", none)
    seen = CliRunner().invoke(status.status, ["--config", config])
    assert (seen.exit_code, seen.output) == (REFUSED, "tillwatch: busy\n")
