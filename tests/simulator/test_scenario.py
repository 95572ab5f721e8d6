"""Scenarios: reading them, and what meets an expectation."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulator
from simulator.scenario import BadScenario, Expectation, load

GOOD = """\
[[step]]
at_s = 5
device = "receipt"
fault = ["unplug+4", "slow:1"]
[[step]]
at_s = 3.5
device = "receipt"
set = "paper=end"
say = "out of paper"
expect = {topic = "event", where = {kind = "paper_end"}, within_s = 2}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_steps_come_in_order_of_time(tmp_path: Path) -> None:
    first, second = load(written(tmp_path, GOOD))
    assert (first.at_s, first.device, first.settings, first.say) == (
        3.5,
        "receipt",
        ("paper=end",),
        "out of paper",
    )
    assert first.expect == Expectation("event", {"kind": "paper_end"}, 2.0)
    assert (second.settings, second.expect) == (("fault=unplug+4", "fault=slow:1"), None)


def test_the_scenarios_that_come_along_can_be_read() -> None:
    paths = list((Path(simulator.__file__).parent / "scenarios").glob("*.toml"))
    assert paths
    assert all(load(path) for path in paths)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "step = 3",
            "[[step]]\nat_s = 1\n[[expect]]\nwithin_s = 1",
            "not toml",
            "[[step]]",
            "[[step]]\nat_s = -1",
            '[[step]]\nat_s = "soon"',
        ),
        *(
            "[[step]]\nat_s = true",
            '[[step]]\nat_s = 1\nset = ["paper=end"]',
            "[[step]]\nat_s = 1\ncolour = 3",
        ),
        *('[[step]]\nat_s = 1\ndevice = "receipt"\nset = [1]', "[[step]]\nat_s = 1\nexpect = 3"),
        *('[[step]]\nat_s = 1\nexpect = {topic = "event"}', "[[step]]\nat_s = 1\nexpect = {within_s = 1}"),
    ],
)
def test_a_bad_scenario_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadScenario, match=r"scenario.toml: [^\n]+$"):
        load(written(tmp_path, text))


@pytest.mark.parametrize(
    ("topic", "payload", "met"),
    [
        ("device/receipt", {"conditions": {"paper_end": {"value": True}}}, True),
        ("device/other", {"conditions": {"paper_end": {"value": True}}}, False),
        ("device/receipt", {"conditions": {"paper_end": {"value": None}}}, False),
        ("device/receipt", {"conditions": {}}, False),
        ("device/receipt", {"conditions": 3}, False),
        ("device/receipt", "text", False),
    ],
)
def test_what_meets_an_expectation(topic: str, payload: object, *, met: bool) -> None:
    expectation = Expectation("device/receipt", {"conditions.paper_end.value": True}, 1.0)
    assert expectation.met_by(topic, payload) is met
