"""The cash drawer: kicked once, after the technician agreed, and by nothing else."""

from __future__ import annotations

import pytest

from drivers.api import Deadline, HearsTechnician, Json, Level, Occasion, Setup, Verdict
from drivers.printer.escpos.driver import SPEC
from drivers.printer.escpos.wire import kick_drawer
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.harness import Bench

OCCASION = Occasion(terminal="T-0001", at="2026-01-02 03:04:05")
MODELS = ["escpos", "star"]
ATTACHED: dict[str, Json] = {"drawer": "attached"}
LEVEL: dict[str, Json] = {"drawer_open_level": "high"}


def kicked(bench: Bench, level: Level, *answers: Verdict) -> Json:
    """The fact, after such a test with such answers to its questions about the drawer."""
    bench.run(5)
    names = [step.name for step in bench.driver.selftest(level, OCCASION, Deadline.after(bench.clock, 30))]
    assert ("drawer" in names) is (level == "interactive")
    assert isinstance(bench.driver, HearsTechnician)
    for name, verdict in zip(("drawer", "drawer opened"), answers, strict=False):
        bench.driver.answered(name, verdict)
    return bench.run(5)[-1].facts.get("drawer_test")


def pulses(bench: Bench) -> object:
    return bench.served.state()["drawer_pulses"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("hold", [True, False])
def test_the_switch_proves_that_it_opened(model: str, hold: bool) -> None:
    bench = Bench(driver_name=model, profile="plain", flavour="tcp", hold=hold, options=ATTACHED)
    assert kicked(bench, "interactive", "passed", "failed") == {"opened": True, "verified_by": "readback"}
    assert pulses(bench) == 1
    assert bench.link.is_open() is hold


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("seen", "opened"), [("passed", True), ("failed", False), ("untested", None)])
def test_where_the_switch_does_not_move_the_technician_says_it(
    model: str, seen: Verdict, opened: bool | None
) -> None:
    bench = Bench(("drawer=open",), driver_name=model, profile="plain", options=LEVEL)
    assert kicked(bench, "interactive", "passed", seen) == {"opened": opened, "verified_by": "operator"}
    assert pulses(bench) == 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("refusal", ["failed", "untested"])
def test_who_does_not_agree_keeps_it_shut(model: str, refusal: Verdict) -> None:
    bench = Bench(driver_name=model, profile="plain", options=ATTACHED)
    assert kicked(bench, "interactive", refusal, "passed") is None
    assert pulses(bench) == 0


@pytest.mark.parametrize("model", MODELS)
def test_it_is_never_kicked_unattended(model: str) -> None:
    bench = Bench(driver_name=model, profile="plain", options=ATTACHED)
    assert kicked(bench, "internal", "passed", "passed") is None
    assert kicked(bench, "external", "passed", "passed") is None
    kicked(bench, "interactive", "passed", "passed")
    bench.driver.answered("drawer", "passed")  # type: ignore[attr-defined] # once agreed, kicked once
    assert pulses(bench) == 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("options", [{}, {"drawer": "none"}, {**LEVEL, "drawer": "none"}])
def test_without_a_word_of_a_drawer_nobody_is_asked(model: str, options: dict[str, Json]) -> None:
    bench = Bench(driver_name=model, profile="plain", options=options)
    steps = bench.driver.selftest("interactive", OCCASION, Deadline.after(bench.clock, 30))
    assert "drawer" not in [step.name for step in steps]


def test_a_printer_that_takes_nothing_opened_nothing() -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, answer=lambda asked: b"\x12" if asked[:2] == b"\x10\x04" else None)
    driver = SPEC.make(Setup(device="d", link=link, clock=clock, memory={}, options=ATTACHED))
    list(driver.selftest("interactive", OCCASION, Deadline.after(clock, 30)))
    link.room = 3
    assert isinstance(driver, HearsTechnician)
    driver.answered("drawer", "passed")
    assert link.written[-1] == kick_drawer()[:3]
    assert driver.poll(Deadline.after(clock, 2.5)).facts["drawer_test"] == {
        "opened": False,
        "verified_by": "readback",
    }
