"""The worker on a turned clock: what it does when, and what a broken or stuck driver costs."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from agent.watch.memory import DeviceMemory
from agent.watch.worker import GRACE_S, JOBS_MOST, Worker
from drivers.api import Condition, Deadline, Driver, Level, Observation, Occasion, Power, Step
from tests.clock import TurnedClock


class FakeDriver:
    """Answers each poll after `takes_s`; listens till the deadline, or says `unasked` once."""

    def __init__(self, clock: TurnedClock, takes_s: float = 0.1) -> None:
        self.clock = clock
        self.takes_s = takes_s
        self.polls_s: list[float] = []
        self.unasked: list[Observation] = []
        self.breaks: Exception | None = None
        self.closed = 0
        self.woken = threading.Event()

    def observation(self) -> Observation:
        conditions = {"paper_end": Condition(value=False, wall_s=self.clock.wall_s())}
        return Observation(
            at_s=self.clock.monotonic_s(), heard=True, power=Power.ONLINE, conditions=conditions
        )

    def poll(self, deadline: Deadline) -> Observation:
        self.polls_s.append(self.clock.monotonic_s())
        if self.breaks:
            raise self.breaks
        self.clock.advance(self.takes_s)
        return self.observation()

    def listen(self, deadline: Deadline) -> Observation | None:
        if self.unasked:
            return self.unasked.pop()
        self.clock.turn_to(deadline.at_s)
        return None

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        yield Step("answers", "passed")

    def wake(self) -> None:
        self.woken.set()

    def close(self) -> None:
        self.closed += 1


class Bench:
    """A worker on a turned clock, and what came out of it."""

    def __init__(self, takes_s: float = 0.1) -> None:
        self.clock = TurnedClock()
        self.driver = FakeDriver(self.clock, takes_s)
        self.made = 0
        self.seen: list[Observation] = []
        self.worker = Worker(
            "receipt",
            self.make,
            clock=self.clock,
            poll_s=2.0,
            reply_s=0.5,
            sink=lambda _device, observation: self.seen.append(observation),
        )

    def make(self) -> Driver:
        self.made += 1
        return self.driver

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.worker.step()


def test_polls_each_interval_and_listens_between() -> None:
    bench = Bench()
    start_s = bench.clock.monotonic_s()
    bench.steps(6)
    assert [at_s - start_s for at_s in bench.driver.polls_s] == [0.0, 2.0, 4.0]
    assert bench.made == 1


def test_a_poll_that_takes_longer_than_the_interval_is_never_doubled_but_counted() -> None:
    bench = Bench(takes_s=5.0)
    start_s = bench.clock.monotonic_s()
    bench.steps(4)
    assert [at_s - start_s for at_s in bench.driver.polls_s] == [0.0, 5.0, 10.0, 15.0]
    assert bench.worker.skipped_polls == 4


def test_what_the_device_says_unasked_is_reported_before_the_next_poll() -> None:
    bench = Bench()
    bench.worker.step()
    bench.driver.unasked.append(bench.driver.observation())
    bench.worker.step()
    assert len(bench.seen) == 2
    assert len(bench.driver.polls_s) == 1


def test_every_observation_says_that_the_driver_is_not_stuck() -> None:
    bench = Bench()
    bench.worker.step()
    assert bench.seen[0].conditions["driver_stuck"].value is False
    assert list(bench.seen[0].conditions) == ["driver_stuck", "paper_end"]


def test_a_job_runs_before_a_poll_and_a_poll_follows_it() -> None:
    bench = Bench()
    bench.worker.step()
    ran: list[Driver] = []
    assert bench.worker.submit(ran.append, limit_s=30)
    assert bench.driver.woken.is_set()
    bench.worker.step()
    assert ran == [bench.driver]
    bench.worker.step()
    assert len(bench.driver.polls_s) == 2


def test_jobs_are_bounded() -> None:
    bench = Bench()
    accepted = [bench.worker.submit(lambda _driver: None, limit_s=1) for _ in range(JOBS_MOST + 1)]
    assert accepted == [True] * JOBS_MOST + [False]


def test_a_driver_that_raises_is_closed_reported_and_built_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    monkeypatch.setattr(bench.worker._stop, "wait", bench.clock.advance)
    bench.worker.step()
    bench.clock.advance(2.0)
    bench.driver.breaks = RuntimeError("our bug")
    bench.worker.step()
    broken = bench.seen[-1]
    assert bench.driver.closed == 1
    assert broken.conditions["driver_stuck"].value is True
    assert broken.conditions["paper_end"].value is None
    assert broken.power is Power.UNKNOWN
    assert broken.evidence["driver_stuck"] == {"why": "RuntimeError: our bug"}
    assert "the driver broke" in caplog.text
    bench.driver.breaks = None
    bench.worker.step()
    assert bench.made == 2
    assert bench.seen[-1].conditions["driver_stuck"].value is False


def test_a_step_that_does_not_come_back_is_stuck_after_its_deadline_and_a_grace() -> None:
    bench = Bench()
    bench.worker.step()
    bench.clock.turn_to(bench.worker.step_ends_s + GRACE_S - 0.01)
    assert bench.worker.stuck() is None
    bench.clock.advance(0.02)
    stuck = bench.worker.stuck()
    assert stuck is not None
    assert stuck.conditions["driver_stuck"].value is True


def test_the_thread_ends_when_asked_and_closes_its_device() -> None:
    bench = Bench()
    bench.worker.start()
    bench.worker.ask_to_stop()
    assert bench.worker.join(5.0)
    assert bench.driver.closed == bench.made


def test_memory_tells_its_changes_once_and_forgets_the_power_session_at_a_new_boot() -> None:
    memory = DeviceMemory(None, "boot-1", "escpos tcp:a:1")
    memory["answered"] = True
    memory["asb"] = "supported"
    stored = memory.take_changes()
    assert stored == {"about": "escpos tcp:a:1", "boot": "boot-1", "answered": True, "asb": "supported"}
    assert memory.take_changes() is None
    memory["asb"] = "supported"
    assert memory.take_changes() is None
    same = DeviceMemory(dict(stored), "boot-1", "escpos tcp:a:1")
    assert same["answered"] is True
    assert same.take_changes() is None
    other = DeviceMemory(dict(stored), "boot-2", "escpos tcp:a:1")
    assert "answered" not in other
    del other["asb"]
    assert dict(other) == {"about": "escpos tcp:a:1", "boot": "boot-2"}
    assert len(other) == 2


def test_of_another_device_or_another_way_to_it_nothing_is_known() -> None:
    stored = DeviceMemory(None, "boot-1", "escpos serial:a")
    stored.update({"answered": True, "line": "power"})
    moved = DeviceMemory(dict(stored), "boot-1", "escpos serial:b")
    assert dict(moved) == {"about": "escpos serial:b", "boot": "boot-1"}
    assert moved.take_changes() == dict(moved)


def test_what_follows_a_step_may_break_without_ending_the_watch() -> None:
    bench = Bench()

    def broken() -> None:
        raise TypeError("not JSON")

    bench.worker._after_step = broken
    bench.worker._stop.set()  # the pause after a mistake is real time
    bench.worker.step()
    assert bench.seen[-1].conditions["driver_stuck"].value is True
    assert bench.driver.closed == 1


def test_a_driver_that_breaks_the_same_way_again_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    monkeypatch.setattr(bench.worker._stop, "wait", bench.clock.advance)
    bench.driver.breaks = RuntimeError("our bug")
    bench.steps(3)
    assert caplog.text.count("the driver broke") == 1
    bench.driver.breaks = None
    bench.steps(2)
    bench.driver.breaks = RuntimeError("our bug")
    bench.clock.advance(2.0)
    bench.worker.step()
    assert caplog.text.count("the driver broke") == 2
