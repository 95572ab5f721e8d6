"""The machine that the agent runs on, as a device like any other."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

from drivers.api import (
    Condition,
    Deadline,
    DriverSpec,
    Json,
    Level,
    Observation,
    Occasion,
    Power,
    Setup,
    Step,
    Verdict,
)
from drivers.errors import AddressError, TillwatchError
from drivers.host import vitals
from drivers.host.judge import KINDS, VITALS, evidence, judge
from drivers.host.vitals import Source, Vitals

FACTS = ("clock_synced", "network_up", "boot_id")
FILE = "file:"


class HostDriver:
    """Looks at each poll; the machine says nothing of its own accord."""

    def __init__(self, setup: Setup, look: Source, *, clock_trusted: bool = False) -> None:
        self._clock = setup.clock
        self._look = look
        self._clock_trusted = clock_trusted
        self._woken = threading.Event()
        self._conditions = {kind: Condition(None, 0.0, "readback") for kind in KINDS}
        self._last_heard_wall_s: float | None = None

    def poll(self, deadline: Deadline) -> Observation:  # noqa: ARG002 - a look takes under a millisecond
        try:
            seen = self._look()
        except (OSError, TillwatchError) as error:
            return self._observation(Vitals(), heard=False, trouble=str(error))
        if self._clock_trusted:
            seen = dataclasses.replace(seen, clock_synced=True)
        return self._observation(seen, heard=True)

    def listen(self, deadline: Deadline) -> Observation | None:
        self._woken.wait(deadline.remaining_s())
        self._woken.clear()
        return None

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - the same look at any level
        seen = self.poll(deadline)
        if not seen.heard:
            yield Step("vitals", "untested", str(seen.facts.get("trouble", "")))
            return
        verdicts: dict[bool | None, Verdict] = {None: "untested", True: "failed", False: "passed"}
        known = dict(seen.facts) | dict(seen.statistics)
        for kind, condition in seen.conditions.items():
            limit = seen.evidence.get(kind, {}).get("limit")
            reading = str(known.get(VITALS[kind], "not known")).lower()
            detail = reading if limit is None else f"{reading}; the limit is {limit}"
            yield Step(VITALS[kind], verdicts[condition.value], detail)

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        """Nothing is held open."""

    def _observation(self, seen: Vitals, *, heard: bool, trouble: str | None = None) -> Observation:
        wall_s = self._clock.wall_s()
        judged = judge(seen, {kind: condition.value for kind, condition in self._conditions.items()})
        for kind, value in judged.items():
            known_wall_s = self._conditions[kind].wall_s if value is None else wall_s
            self._conditions[kind] = Condition(value, known_wall_s, "readback")
        if heard:
            self._last_heard_wall_s = wall_s
        said = dataclasses.asdict(seen)
        facts: dict[str, Json] = {name: said[name] for name in FACTS if said[name] is not None}
        if trouble is not None:
            facts["trouble"] = trouble
        return Observation(
            at_s=self._clock.monotonic_s(),
            heard=heard,
            power=Power.ONLINE if heard else Power.UNKNOWN,
            conditions=dict(self._conditions),
            last_heard_wall_s=self._last_heard_wall_s,
            facts=facts,
            statistics={n: float(v) for n, v in said.items() if n not in FACTS and v is not None},
            evidence=evidence(seen, judged),
        )


def make(setup: Setup) -> HostDriver:
    """Options: `vitals` is `psutil` or `file:PATH`, `disk` a path on the file system to watch.

    `clock` is `auto`, or `trusted`: it is right although the kernel does not know it.
    """
    where = str(setup.options.get("vitals", "psutil"))
    disk = Path(str(setup.options.get("disk", "/")))
    trusted = setup.options.get("clock") == "trusted"
    if where.startswith(FILE):
        return HostDriver(setup, vitals.from_file(Path(where.removeprefix(FILE))), clock_trusted=trusted)
    if where == "psutil":
        return HostDriver(setup, vitals.machine(disk), clock_trusted=trusted)
    raise AddressError(f"vitals = {where!r}: neither psutil nor file:PATH", hint="change vitals in [host]")


SPEC = DriverSpec(
    name="host",
    categories=("DeviceMonitor",),
    links=(),
    options={"vitals": str, "disk": str, "clock": ("auto", "trusted")},
    make=make,
)
