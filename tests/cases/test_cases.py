"""Each folder here is a case: what happens to the printer, and the fault events that must come of it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from tests.fast_forward import Forward
from tests.harness import Bench

HERE = Path(__file__).parent
CASES = sorted(folder.name for folder in HERE.iterdir() if (folder / "case.toml").exists())


def play(name: str) -> list[str]:
    """The case's events, a line each."""
    case = tomllib.loads((HERE / name / "case.toml").read_text(encoding="utf-8"))
    forward = Forward(Bench(settings=tuple(case.get("start", ())), profile=case.get("profile", "epson-tm")))
    started_s = forward.clock.monotonic_s()
    for step in sorted(case["step"], key=lambda step: float(step["at_s"])):
        forward.run_to(started_s + step["at_s"])
        forward.tell(*step.get("set", ()))
        if step.get("restart"):
            forward.restart()
    forward.run_to(started_s + case["end_s"])
    return [
        f"{event['up_ms'] / 1000:5.1f} {event['change']} {event['fault']}"
        for event in forward.broker.on("event")
    ]


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    expected = (HERE / name / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert play(name) == expected


def test_there_are_cases() -> None:
    assert len(CASES) >= 8


if __name__ == "__main__":
    for case_name in sys.argv[1:]:
        (HERE / case_name / "expected.txt").write_text("\n".join([*play(case_name), ""]), encoding="utf-8")
