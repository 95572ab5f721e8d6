"""A device that is shared with the till: the driver as it is, and around it what is known of the till.

The driver asks by way of a `SharedLink`; this adds to each of its observations whether a job of the till's
is in progress, whether the till is connected, and what the pass-through has counted.

A device that takes nothing of a job that has begun cannot be asked either: it is `stalled`, and what it said
of itself before may not be so any more, unless that is the reason.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drivers.api import (
    Clock,
    Condition,
    Deadline,
    Driver,
    DriverSpec,
    Json,
    Level,
    Observation,
    Occasion,
    Power,
    Setup,
    Step,
)
from drivers.link.shared import SharedLink
from drivers.link.shared_wire import OPEN

RESTARTS = "PassThroughRestartCount"
LOST_BYTES = "PassThroughLostByteCount"
FACTS_EACH_S = 1.0
"""A till may connect for each receipt: more often its coming and going is no news."""


@dataclass(frozen=True, slots=True)
class _Till:
    in_use: bool | None
    open: bool
    stuck: bool
    connected: bool | None


_NOBODY = _Till(None, open=False, stuck=False, connected=None)


class SharedDriver:
    """`drivers.api.Driver` around another one over `link`."""

    def __init__(self, inner: Driver, link: SharedLink, clock: Clock) -> None:
        self._inner = inner
        self._link = link
        self._clock = clock
        self._last: Observation | None = None
        self._told = _NOBODY
        self._told_s = -math.inf

    def poll(self, deadline: Deadline) -> Observation:
        return self._tell(self._inner.poll(deadline))

    def listen(self, deadline: Deadline) -> Observation | None:
        heard = self._inner.listen(deadline)
        if heard is not None:
            return self._tell(heard)
        if self._last is None or not self._news():
            return None
        return self._tell(dataclasses.replace(self._last, at_s=self._clock.monotonic_s(), heard=False))

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        return self._inner.selftest(level, occasion, deadline)

    def wake(self) -> None:
        self._inner.wake()

    def close(self) -> None:
        self._inner.close()
        self._link.end()

    def _now(self) -> _Till:
        state = self._link.state
        if state is None:
            return _NOBODY
        is_open = state.link == OPEN
        stuck = state.stuck and is_open
        # What does not move says nothing of a sale: else a jam at closing time would be one all night.
        return _Till(None if stuck else state.busy, is_open, stuck=stuck, connected=state.till_connected)

    def _news(self) -> bool:
        now = self._now()
        later = self._clock.monotonic_s() - self._told_s >= FACTS_EACH_S
        at_once = (now.in_use, now.stuck) != (self._told.in_use, self._told.stuck)
        return at_once or (later and now.connected != self._told.connected)

    def _tell(self, seen: Observation) -> Observation:
        self._last = seen
        now, now_s, state = self._now(), self._clock.monotonic_s(), self._link.state
        if now_s - self._told_s >= FACTS_EACH_S:
            self._told_s = now_s
        else:
            now = dataclasses.replace(now, connected=self._told.connected)
        self._told = now
        facts: dict[str, Json] = {**seen.facts, "till": {"connected": now.connected}}
        statistics = dict(seen.statistics)
        if state:
            statistics |= {
                "TillJobCount": float(state.jobs),
                "TillByteCount": float(state.till_bytes),
                RESTARTS: float(state.restarts),
                LOST_BYTES: float(state.lost_bytes),
            }
        told = dataclasses.replace(seen, in_use=now.in_use, facts=facts, statistics=statistics)
        if now.stuck and not any(one.value for one in _own(told).values()):
            return _stuck(told, self._clock.wall_s())
        return _moving(told, self._clock.wall_s(), known=now.open)


def _own(seen: Observation) -> dict[str, Condition]:
    """What the device said of itself."""
    return {kind: one for kind, one in seen.conditions.items() if one.verified_by == "readback"}


def _stuck(seen: Observation, wall_s: float) -> Observation:
    unknown = {kind: dataclasses.replace(one, value=None) for kind, one in _own(seen).items()}
    stalled = {"stalled": Condition(value=True, wall_s=wall_s)}
    return dataclasses.replace(
        seen,
        power=Power.UNKNOWN,
        conditions={**seen.conditions, **unknown, **stalled},
        evidence={**seen.evidence, "stalled": {"till": "the device takes nothing of the till's job"}},
    )


def _moving(seen: Observation, wall_s: float, *, known: bool) -> Observation:
    """Of a device that cannot be asked whether it works, this is all that is known of it."""
    if "stalled" in seen.conditions:
        return seen
    moves = Condition(False if known else None, wall_s)
    return dataclasses.replace(seen, conditions={**seen.conditions, "stalled": moves})


def make(setup: Setup, spec: DriverSpec, socket: Path, link: str) -> SharedDriver:
    """The driver of `spec` over the pass-through's `socket`; `link` is the device's own."""
    way = SharedLink(socket, link)
    return SharedDriver(spec.make(dataclasses.replace(setup, link=way, shared=True)), way, setup.clock)
