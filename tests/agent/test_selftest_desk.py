"""Self-tests for whoever asks on the control socket: recorded whatever becomes of the asker or the driver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config import Agent, Config, Mqtt, Terminal
from agent.messages import SelftestEvent
from agent.selftest import NobodyAnswers, SelftestDesk, SelftestRefused
from agent.watch.worker import JOBS_MOST, Job, Worker
from drivers.api import Deadline, Driver, Level, Observation, Occasion, Power, Step, Verdict
from tests.clock import TurnedClock

CONFIG = Config(
    source=Path("t.toml"),
    terminal=Terminal(id="T-1"),
    mqtt=Mqtt(host="h", port=1, tls=False),
    agent=Agent(state_dir=Path("s"), runtime_dir=Path("r"), till_dir=Path("t")),
)


class TwoSteps:
    """A driver whose self-test has two steps, or breaks after the first."""

    def __init__(self) -> None:
        self.breaks = False
        self.asks = False
        self.presumes: Verdict = "untested"
        self.tested = 0

    def poll(self, deadline: Deadline) -> Observation:
        return Observation(at_s=0.0, heard=True, power=Power.ONLINE, conditions={})

    def listen(self, deadline: Deadline) -> Observation | None:
        return None

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        self.tested += 1
        yield Step("first", "passed")
        if self.breaks:
            raise RuntimeError("a bug")
        yield Step("second", "passed")
        if self.asks:
            yield Step("third", self.presumes, question="Is it so?")

    def wake(self) -> None: ...
    def close(self) -> None: ...


class Listening(TwoSteps):
    """Wants to know what the technician says."""

    def __init__(self) -> None:
        super().__init__()
        self.asks = True
        self.heard: list[tuple[str, Verdict]] = []

    def answered(self, step: str, verdict: Verdict) -> None:
        self.heard.append((step, verdict))


class Prompt(Worker):
    """Does a job at once, in the asker's thread; `busy` keeps it waiting instead."""

    busy = False

    def submit(self, job: Job, *, limit_s: float) -> bool:
        taken = super().submit(job, limit_s=limit_s)
        if taken and not self.busy:
            self._stop.set()  # a broken driver is not waited for
            self.step()
        return taken


class Desk:
    def __init__(self) -> None:
        self.driver = TwoSteps()
        self.recorded: list[SelftestEvent] = []
        clock = TurnedClock()
        self.worker = Prompt(
            "receipt",
            self._make,
            clock=clock,
            poll_s=2.0,
            reply_s=0.5,
            sink=lambda _device, _observation: None,
        )
        self.desk = SelftestDesk(CONFIG, {"receipt": self.worker}, clock, record=self.recorded.append)

    def _make(self) -> Driver:
        return self.driver


def silent(_within_s: float) -> dict[str, object]:
    """Nobody answers."""
    return {}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_steps_then_the_result_and_one_record_even_if_named_twice(desk: Desk) -> None:
    lines = list(desk.desk.answer({"devices": ["receipt", "receipt"]}, "ann", silent))
    assert [line["step"]["name"] for line in lines[:-1]] == ["first", "second"]
    assert lines[-1] == {"device": "receipt", "result": "passed"}
    (event,) = desk.recorded
    assert (event.result, event.by, event.level) == ("passed", "ann", "internal")


def test_a_driver_that_breaks_in_the_middle_has_not_passed(desk: Desk) -> None:
    desk.driver.breaks = True
    lines = list(desk.desk.answer({"devices": ["receipt"]}, "ann", silent))
    assert lines[-1]["result"] == "untested"
    assert "a bug" in desk.recorded[0].steps[-1].detail


def test_who_goes_away_in_the_middle_leaves_a_record(desk: Desk) -> None:
    asked = desk.desk.answer({"devices": ["receipt"], "level": "external"}, "ann", silent)
    next(asked)
    asked.close()
    (event,) = desk.recorded
    assert [step.name for step in event.steps] == ["first", "end"]
    assert (event.result, event.level) == ("untested", "external")


def test_what_nobody_waits_for_any_more_is_not_begun(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.selftest.WAIT_S", -29.99)
    desk.worker.busy = True
    assert list(desk.desk.answer({"level": "external"}, "ann", silent))[-1]["result"] == "untested"
    desk.worker.step()
    assert desk.driver.tested == 0


def test_a_question_that_nobody_answers_ends_the_test(desk: Desk) -> None:
    desk.driver.asks = True
    with pytest.raises(NobodyAnswers, match="receipt: nobody answered"):
        list(desk.desk.answer({"level": "interactive"}, "ann", silent))
    (event,) = desk.recorded
    assert event.result == "untested"
    assert [(step.name, step.verdict) for step in event.steps][-1] == ("third", "untested")


def test_too_many_tests_are_not_made_to_wait(desk: Desk) -> None:
    desk.worker.busy = True
    for _ in range(JOBS_MOST):
        desk.worker.submit(lambda _driver: None, limit_s=1.0)
    lines = list(desk.desk.answer({}, "ann", silent))
    assert "too many" in lines[0]["step"]["detail"]
    assert lines[-1]["result"] == "untested"


@pytest.mark.parametrize(
    "request_",
    [{"devices": "receipt"}, {"devices": [["receipt"]]}, {"devices": ["gone"]}, {"level": ["external"]}],
)
def test_a_request_that_makes_no_sense_is_refused(desk: Desk, request_: dict[str, object]) -> None:
    with pytest.raises(SelftestRefused):
        next(desk.desk.answer(request_, "ann", silent))
    assert desk.recorded == []


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ({"verdict": "passed"}, "passed"),
        ({"verdict": "failed"}, "failed"),
        ({"verdict": "untested"}, "untested"),
        ({"verdict": 7}, "untested"),
    ],
)
def test_the_technicians_word_is_in_the_record(desk: Desk, said: dict[str, object], result: str) -> None:
    desk.driver.asks = True
    desk.driver.presumes = "passed"
    lines = list(desk.desk.answer({"level": "interactive"}, "ann", lambda _within_s: said))
    assert {"device": "receipt", "question": "Is it so?"} in lines
    assert lines[-1]["result"] == result
    (event,) = desk.recorded
    assert event.result == result
    assert (event.steps[-1].question is None) is (result != "untested")


@pytest.mark.parametrize("verdict", ["passed", "failed", "untested"])
def test_a_driver_that_wants_to_know_is_told_what_was_said(desk: Desk, verdict: Verdict) -> None:
    driver = desk.driver = Listening()
    list(desk.desk.answer({"level": "interactive"}, "ann", lambda _within_s: {"verdict": verdict}))
    assert driver.heard == [("third", verdict)]
