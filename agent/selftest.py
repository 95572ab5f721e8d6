"""Self-tests on behalf of somebody: run in the device's own worker, told step by step."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from agent.config import Config
from agent.control import Answer, Hear
from agent.messages import SelftestEvent, SelftestResult, SelftestStep, plain
from agent.watch.worker import Worker
from drivers import registry
from drivers.api import Clock, Deadline, Driver, HearsTechnician, Level, Occasion, Step
from drivers.errors import TillwatchError

INTERNAL_S = 30.0
WAIT_S = 15.0  #: so long a job may wait for a poll and jobs before it
ANSWER_S = 300.0  #: a technician may take so long to look at a slip


class SelftestRefused(TillwatchError):
    code = "bad_request"
    hint = "`tillwatch status` lists the devices"


class NobodyAnswers(TillwatchError):
    code = "no_answer"
    hint = "start the test again"


class SelftestDesk:
    """Takes the control socket's self-test requests."""

    def __init__(
        self,
        config: Config,
        workers: Mapping[str, Worker],
        clock: Clock,
        *,
        record: Callable[[SelftestEvent], None],
    ) -> None:
        self._config = config
        self._drivers = {device.id: device.driver for device in config.devices}
        self._workers = workers
        self._clock = clock
        self._record = record

    def answer(self, request: dict[str, Any], who: str, hear: Hear) -> Answer:
        """`{"devices": [...], "level": ...}` -> one line a step, then one line a device's result.

        A `question` is answered with `{"verdict": "passed"|"failed"|"untested"}`; its step follows. If
        whoever asked goes away, or does not answer (a late answer could be taken for the next question's),
        the test is recorded all the same; what has not begun by then never does.
        """
        level: Level = request.get("level", "internal")
        devices = request.get("devices") or list(self._workers)
        if not isinstance(devices, list) or not all(isinstance(device, str) for device in devices):
            raise SelftestRefused("devices: expected a list of device ids")
        if level not in get_args(Level):
            raise SelftestRefused(f"level {level!r} is none of {', '.join(get_args(Level))}")
        for device in devices:
            if device not in self._workers:
                raise SelftestRefused(f"no device {device!r}; there are {', '.join(self._workers)}")
        for device in dict.fromkeys(devices):
            yield from self._test(device, level, who, hear)

    def _test(self, device: str, level: Level, who: str, hear: Hear) -> Answer:
        told: queue.Queue[Step | None] = queue.Queue()
        given_up = threading.Event()
        occasion = Occasion(self._config.terminal.id, time.strftime("%Y-%m-%d %H:%M:%S"))
        within_s = limit_s(self._drivers.get(device), level)

        def job(driver: Driver) -> None:
            try:
                if given_up.is_set():
                    return  # nobody waits any more; a slip printed now would puzzle the till
                for step in driver.selftest(level, occasion, Deadline.after(self._clock, within_s)):
                    told.put(step)
            except Exception as broke:
                told.put(Step("end", "untested", f"the driver broke: {type(broke).__name__}: {broke}"))
                raise
            finally:
                told.put(None)

        steps: list[SelftestStep] = []
        try:
            if not self._workers[device].submit(job, limit_s=within_s):
                told.put(Step("start", "untested", "too many tests wait already"))
                told.put(None)
            for step in _until_done(told, within_s + WAIT_S):
                line = published(step)
                if step.question:
                    yield {"device": device, "question": step.question}
                    said = hear(ANSWER_S)
                    if not said:
                        steps.append(answered(line, None))
                        raise NobodyAnswers(f"{device}: nobody answered the question; the test ends there")
                    line = answered(line, said.get("verdict"))
                    self._workers[device].submit(telling(line), limit_s=INTERNAL_S)
                steps.append(line)
                yield {"device": device, "step": plain(line)}
        except GeneratorExit:
            steps.append(SelftestStep(name="end", verdict="untested", detail="who asked went away"))
            raise
        finally:
            given_up.set()
            verdict = result_of(steps)
            self._record(SelftestEvent(device=device, level=level, result=verdict, steps=steps, by=who))
        yield {"device": device, "result": verdict}


def limit_s(driver: str | None, level: Level) -> float:
    """Within this a self-test of such a device ends; `driver` None: one of the agent's own."""
    return INTERNAL_S if level == "internal" or driver is None else registry.spec(driver).selftest_s


def telling(step: SelftestStep) -> Callable[[Driver], None]:
    """Tells a driver that wants to know it what was answered."""

    def job(driver: Driver) -> None:
        if isinstance(driver, HearsTechnician):
            driver.answered(step.name, step.verdict)

    return job


def published(step: Step) -> SelftestStep:
    return SelftestStep(name=step.name, verdict=step.verdict, detail=step.detail, question=step.question)


def answered(step: SelftestStep, verdict: object) -> SelftestStep:
    """The technician's word is the verdict; without one, the question stays open and its step untested."""
    if verdict not in ("passed", "failed"):
        return replace(step, verdict="untested")
    return SelftestStep(name=step.name, verdict=verdict, detail="said by the technician")


def result_of(steps: list[SelftestStep]) -> SelftestResult:
    """Failed if any step failed; passed if every step passed, and there was one."""
    verdicts = {step.verdict for step in steps}
    if "failed" in verdicts:
        return "failed"
    return "untested" if "untested" in verdicts or not verdicts else "passed"


def _until_done(told: queue.Queue[Step | None], within_s: float) -> Iterator[Step]:
    ends_s = time.monotonic() + within_s
    while True:
        try:
            step = told.get(timeout=max(0.0, ends_s - time.monotonic()))
        except queue.Empty:
            yield Step("time", "untested", f"no end within {within_s:.0f} s; the device's driver may hang")
            return
        if step is None:
            return
        yield step
