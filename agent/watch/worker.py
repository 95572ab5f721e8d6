"""One thread owns one device, from open to close; jobs for the device reach it by queue.

`step` is the whole of its work: a waiting job, else a due poll, else listening until the next one
is due. The thread only repeats it, so tests drive the same code on a turned clock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import queue
import threading
from collections.abc import Callable
from typing import TypeAlias

from drivers.api import Clock, Condition, Deadline, Driver, Observation, Power

Job: TypeAlias = Callable[[Driver], None]
Sink: TypeAlias = Callable[[str, Observation], None]

STUCK = "driver_stuck"
GRACE_S = 5.0  #: past its own deadline a step may take this long before it counts as stuck
REBUILD_S = 10.0  #: pause before a driver that broke is built anew
JOBS_MOST = 8


class Worker:
    """Polls and listens to one device and hands each observation to `sink`."""

    def __init__(
        self,
        device: str,
        make: Callable[[], Driver],
        *,
        clock: Clock,
        poll_s: float,
        reply_s: float,
        sink: Sink,
        after_step: Callable[[], None] = lambda: None,
    ) -> None:
        self.device = device
        self.skipped_polls = 0
        self._make = make
        self._clock = clock
        self._poll_s = poll_s
        self._poll_deadline_s = max(poll_s, 5 * reply_s)
        self._sink = sink
        self._after_step = after_step
        self._jobs: queue.Queue[tuple[Job, float]] = queue.Queue(JOBS_MOST)
        self._driver: Driver | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = logging.getLogger(f"tillwatch.device.{device}")
        self._due_s = clock.monotonic_s()
        self._last: Observation | None = None
        self._broke = ""
        self.step_ends_s = clock.monotonic_s() + self._poll_deadline_s

    # -- the work, in the worker's own thread (or a test's) ------------------------------------

    def step(self) -> None:
        """One job, poll or listen; never raises: a driver that does is reported and built anew."""
        try:
            self._step()
            self._after_step()
        except Exception as broke:  # noqa: BLE001 - a driver may come from anywhere; its bug must not end the watch
            why = f"{type(broke).__name__}: {broke}"
            if why != self._broke:  # the same again and again is told once
                self._log.exception("the driver broke and is built anew each %.0f s", REBUILD_S)
            self._broke = why
            self.close()
            now_s = self._clock.monotonic_s()
            self._due_s = now_s + REBUILD_S
            self.step_ends_s = self._due_s + self._poll_deadline_s
            self._report(stuck_observation(self._last, self._clock, why))
            self._stop.wait(REBUILD_S)

    def _step(self) -> None:
        driver = self._driver
        if driver is None:
            driver = self._driver = self._make()
        try:
            job, limit_s = self._jobs.get_nowait()
        except queue.Empty:
            pass
        else:
            self.step_ends_s = self._clock.monotonic_s() + limit_s
            job(driver)
            self._due_s = self._clock.monotonic_s()
            return
        now_s = self._clock.monotonic_s()
        if now_s >= self._due_s:
            missed = int((now_s - self._due_s) / self._poll_s)
            self.skipped_polls += missed
            self._due_s += (missed + 1) * self._poll_s
            self.step_ends_s = now_s + self._poll_deadline_s
            self._report(driver.poll(Deadline.after(self._clock, self._poll_deadline_s)))
            self._broke = ""
        else:
            self.step_ends_s = self._due_s + self._poll_deadline_s
            heard = driver.listen(Deadline(self._clock, self._due_s))
            if heard is not None:
                self._report(heard)

    def _report(self, observation: Observation) -> None:
        if STUCK not in observation.conditions:
            fine = Condition(value=False, wall_s=self._clock.wall_s())
            observation = dataclasses.replace(observation, conditions={STUCK: fine, **observation.conditions})
        self._last = observation
        self._sink(self.device, observation)

    def close(self) -> None:
        """Close the device. In the worker's thread, or after it has ended."""
        driver, self._driver = self._driver, None
        if driver is not None:
            with contextlib.suppress(Exception):  # it broke already; nothing is left to save
                driver.close()

    # -- from other threads ----------------------------------------------------------------------

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"device-{self.device}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.step()
        finally:
            self.close()

    def submit(self, job: Job, *, limit_s: float) -> bool:
        """Queue a job that ends within `limit_s`; False when too many wait already."""
        try:
            self._jobs.put_nowait((job, limit_s))
        except queue.Full:
            return False
        driver = self._driver
        if driver is not None:
            driver.wake()
        return True

    def stuck(self) -> Observation | None:
        """What is to be reported in the worker's place while it hangs in a call, else None."""
        if self._clock.monotonic_s() < self.step_ends_s + GRACE_S:
            return None
        return stuck_observation(self._last, self._clock, "a call into the driver does not come back")

    def ask_to_stop(self) -> None:
        self._stop.set()
        driver = self._driver
        if driver is not None:
            driver.wake()

    def join(self, timeout_s: float) -> bool:
        """True when the thread has ended; one that hangs is left behind (it is a daemon thread)."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True


def stuck_observation(last: Observation | None, clock: Clock, why: str) -> Observation:
    """The last observation with everything unknown but that the driver is stuck."""
    wall_s = clock.wall_s()
    conditions = {STUCK: Condition(value=True, wall_s=wall_s)}
    base = last or Observation(
        at_s=clock.monotonic_s(), heard=False, power=Power.UNKNOWN, conditions=conditions
    )
    conditions |= {
        kind: Condition(value=None, wall_s=known.wall_s)
        for kind, known in base.conditions.items()
        if kind != STUCK
    }
    return dataclasses.replace(
        base,
        at_s=clock.monotonic_s(),
        heard=False,
        power=Power.UNKNOWN,
        in_use=None,
        conditions=conditions,
        evidence={STUCK: {"why": why}},
    )
