"""A device that another program owns: looked at from beside, in as many places as there are.

This is what `access = "passive"` gives any driver. Nothing of the device is opened, claimed or reset.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence

from drivers.api import (
    ANSWERED_KEY,
    Condition,
    Deadline,
    Json,
    Level,
    Observation,
    Occasion,
    Power,
    Setup,
    Step,
)
from drivers.exchange import IDENTITY_CHANGED, Exchange
from drivers.passive.source import Source
from drivers.passive.watched import WatchedSource

UNREACHABLE = "unreachable"
UNPLUGGED = "unplugged"
FROZEN = "frozen"

_TRUST = ("device", "kernel", "system")
"""Who is believed first; the next are asked for what the ones before do not know."""


class PassiveDriver:
    """Merges what its sources tell; see `drivers.api.Driver`."""

    def __init__(self, setup: Setup, sources: Sequence[Source]) -> None:
        self._clock = setup.clock
        self._memory = setup.memory
        self._log = logging.getLogger(f"tillwatch.device.{setup.device}")
        self._sources = [WatchedSource(source, setup.clock, setup.memory) for source in sources]
        self._sources.sort(key=lambda watched: _TRUST.index(watched.source.whose))
        self._network = [watched for watched in self._sources if watched.source.whose == "device"]
        self._exchanges = {
            watched: Exchange(setup.memory, setup.clock, watched.source.name)
            for watched in self._sources
            if watched.source.whose != "system"  # a queue stays itself, whatever is behind it
        }
        self._kinds = self._all_kinds()
        self._known = {kind: Condition(None, 0.0) for kind in self._kinds}
        self._unreachable: bool | None = None
        self._heard_wall_s: float | None = None
        self._warned: dict[str, str] = {}
        self._woken = threading.Event()

    # -- the contract ------------------------------------------------------------------------------

    def poll(self, deadline: Deadline) -> Observation:
        heard = False
        for watched in self._sources:
            if self._woken.is_set() or deadline.expired():
                break  # the next poll goes on with it
            if watched.due(in_doubt=watched in self._network and self._in_doubt()):
                heard |= self._look(watched, deadline) and watched in self._network
        self._judge_network()
        return self._observe(heard)

    def listen(self, deadline: Deadline) -> None:
        self._woken.wait(deadline.remaining_s())
        self._woken.clear()

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - the contract's
        """One step a source, looked at anew. Level and occasion change nothing: nothing is asked of it."""
        for watched in self._sources:
            name = watched.source.name
            if self._look(watched, deadline) and watched.findings is not None:
                bad = [kind for kind, value in watched.findings.conditions.items() if value]
                yield Step(name, "failed" if bad else "passed", watched.findings.says)
            elif watched.trouble is not None:
                yield Step(name, "untested", f"{watched.trouble}; {watched.trouble.hint}".rstrip("; "))
        yield Step(
            "answers",
            "untested",
            "access is passive: the agent never opens it",
        )

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        for watched in self._sources:
            watched.source.close()

    # -- looking -----------------------------------------------------------------------------------

    def _look(self, watched: WatchedSource, deadline: Deadline) -> bool:
        """Look, and see whether it is still the same device."""
        told = watched.look(deadline)
        self._warn(watched)
        if told and watched.findings is not None:
            if watched in self._network:
                self._memory[ANSWERED_KEY] = True
            if watched in self._exchanges:
                self._exchanges[watched].seen(watched.findings.identity)
        return told

    def _warn(self, watched: WatchedSource) -> None:
        """Once for each new trouble of a source that used to answer."""
        name = watched.source.name
        code = watched.trouble.code if watched.trouble is not None and watched.silent else ""
        if code and self._warned.get(name) != code and watched.trouble is not None:
            self._log.warning("%s: %s; %s", name, watched.trouble, watched.trouble.hint)
        self._warned[name] = code

    def _judge_network(self) -> None:
        """The host is there if anything of it says so; gone if all that used to answer is silent."""
        if any(watched.answers or watched.proves_host for watched in self._network):
            self._unreachable = False
            return
        used_to = [watched for watched in self._network if watched.answered_before]
        if used_to and all(watched.silent for watched in used_to):
            gone = self._memory.get(ANSWERED_KEY) is True and all(watched.gone for watched in used_to)
            self._unreachable = True if gone else None

    def _in_doubt(self) -> bool:
        """One that used to answer did not."""
        return any(watched.answered_before and watched.missed for watched in self._network)

    # -- telling -----------------------------------------------------------------------------------

    def _all_kinds(self) -> tuple[str, ...]:
        own = [kind for watched in self._sources for kind in watched.source.kinds]
        reach = [UNREACHABLE] if self._network else []
        who = [IDENTITY_CHANGED] if self._exchanges else []
        ways = [kind for kind in own if kind == UNPLUGGED]
        return tuple(dict.fromkeys((*reach, *ways, *who, *own)))

    def _values(self) -> dict[str, bool | None]:
        values = {kind: self._merged(kind) for kind in self._kinds}
        if self._network and self._unreachable is not None and not values[UNREACHABLE]:
            values[UNREACHABLE] = self._unreachable
        for watched in self._sources:
            if watched.source.down is not None and watched.gone:
                values[watched.source.down] = True
        if self._exchanges:
            values[IDENTITY_CHANGED] = _any(exchange.changed() for exchange in self._exchanges.values())
        return values

    def _merged(self, kind: str) -> bool | None:
        for whose in _TRUST:
            said = _any(
                watched.findings.conditions.get(kind)
                for watched in self._sources
                if watched.source.whose == whose and watched.findings is not None
            )
            if said is not None:
                return said
        return None

    def _observe(self, heard: bool) -> Observation:
        wall_s = self._clock.wall_s()
        if heard:
            self._heard_wall_s = wall_s
        values = self._values()
        for kind, value in values.items():
            at_s = self._known[kind].wall_s if value is None else self._at_wall_s(kind) or wall_s
            self._known[kind] = Condition(value, at_s, "transport")
        found = [watched.findings for watched in self._sources if watched.findings is not None]
        identity: dict[str, str] = {}
        statistics: dict[str, float] = {}
        for findings in reversed(found):
            identity |= findings.identity
            statistics |= findings.statistics
        return Observation(
            at_s=self._clock.monotonic_s(),
            heard=heard,
            power=self._power(values),
            conditions=dict(self._known),
            last_heard_wall_s=self._heard_wall_s,
            in_use=_any(findings.in_use for findings in found),
            identity={name: identity[name] for name in sorted(identity)},
            facts=self._facts(values),
            statistics=statistics,
            evidence={kind: self._evidence(kind) for kind, value in values.items() if value},
        )

    def _at_wall_s(self, kind: str) -> float:
        """When a condition that sources told was last told."""
        return max(
            (
                watched.at_wall_s
                for watched in self._sources
                if watched.findings and kind in watched.findings.conditions
            ),
            default=0.0,
        )

    def _power(self, values: Mapping[str, bool | None]) -> Power:
        if values.get(UNREACHABLE) or values.get(UNPLUGGED):
            return Power.OFF_OFFLINE
        if values.get(FROZEN):
            return Power.OFFLINE
        states = (watched.findings.power for watched in self._network if watched.findings)
        return next((state for state in states if state is not Power.UNKNOWN), Power.UNKNOWN)

    def _facts(self, values: Mapping[str, bool | None]) -> dict[str, Json]:
        present = values.get(UNPLUGGED)
        facts: dict[str, Json] = {
            "access": "passive",
            "present": None if present is None else not present,
            "looked": {watched.source.name: watched.said() for watched in self._sources},
        }
        for watched in self._sources:
            if watched.findings is None:
                continue
            facts |= watched.findings.facts
            counters = {
                name: value for name, value in watched.findings.statistics.items() if name in OWN_COUNTERS
            }
            if watched in self._exchanges and not self._exchanges[watched].doubtful:
                facts |= self._exchanges[watched].counted(counters)
        return facts

    def _evidence(self, kind: str) -> dict[str, Json]:
        if kind == IDENTITY_CHANGED:
            return next(exchange.evidence() for exchange in self._exchanges.values() if exchange.changed())
        evidence: dict[str, Json] = {}
        for watched in self._sources:
            if watched.trouble is not None and watched.answered_before:
                if kind in (UNREACHABLE, watched.source.down):
                    evidence[watched.source.name] = str(watched.trouble)
            elif watched.findings is not None and watched.findings.conditions.get(kind):
                evidence[watched.source.name] = dict(watched.findings.evidence)
        return evidence


OWN_COUNTERS = (
    "MarkerLifeCount",
    "HoursPoweredCount",
    "ReceiptLinePrintedCount",
    "ReceiptCharacterPrintedCount",
)
"""Counters that the device keeps itself, over its life."""


def _any(values: Iterator[bool | None] | Sequence[bool | None]) -> bool | None:
    """True if any is; unknown if all are."""
    known = [value for value in values if value is not None]
    return any(known) if known else None
