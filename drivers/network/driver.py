"""The network as a device: from the terminal's own end to a session with the broker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

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
)
from drivers.host import vitals
from drivers.network import selftest
from drivers.network.findings import Findings
from drivers.network.judge import KINDS, SHOPS_OWN, day, evidence, first_ending, judge, trouble_of
from drivers.network.looker import LOOK_S, UNANSWERED, Looker, Place
from drivers.network.patience import Patience
from drivers.network.session import UNTRIED, NoSession, SessionState, SessionView
from drivers.network.simulated import SimulatedLooker
from drivers.network.tls import Trust

GLANCE_S = 1.0  #: how often the session is looked at between polls; that costs no byte
RELOOK_S = 3.0  #: while there is trouble
HURRY_S = 10.0
FILE = "file:"


class _Looks(Protocol):
    def look(self, view: SessionView, patience: Patience, *, thorough: bool = False) -> Findings: ...


class NetworkDriver:
    """Looks at each poll, and at once when the session changes or something seems wrong."""

    def __init__(self, setup: Setup, looker: _Looks, session: SessionView) -> None:
        self._clock = setup.clock
        self._looker = looker
        self._simulated = isinstance(looker, SimulatedLooker)
        self._session = session
        self._relook_s = min(RELOOK_S, setup.poll_s)
        self._woken = threading.Event()
        self._conditions = {kind: Condition(None, 0.0, "transport") for kind in KINDS}
        self._seen = UNTRIED
        self._last: Observation | None = None
        self._looked_s = float("-inf")
        self._trouble: str | None = None
        self._asking = False
        self._hurried_s = float("-inf")

    def poll(self, deadline: Deadline) -> Observation:
        looked = self._look(deadline)
        return looked or self._last or self._observe(Findings(wall_s=self._clock.wall_s()), heard=False)

    def listen(self, deadline: Deadline) -> Observation | None:
        while not deadline.expired():
            if self._woken.wait(min(GLANCE_S, self._relook_s, deadline.remaining_s())):
                self._woken.clear()
                return None
            if self._due():
                return self._look(Deadline.after(self._clock, LOOK_S))
        return None

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - the same at any level
        found = self._looker.look(self._session, Patience(deadline.within(2 * LOOK_S)), thorough=True)
        steps = selftest.steps(found, judge(found, {}))
        # A simulated network consists of no more than its vitals and the session show.
        yield from (step for step in steps if step.verdict != "untested" or not self._simulated)

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        """Nothing is held open."""

    def _due(self) -> bool:
        state = self._session.state()
        changed = (state.connected, state.word, state.refused) != (
            self._seen.connected,
            self._seen.word,
            self._seen.refused,
        )
        unanswered = state.line is not None and state.line.unanswered >= UNANSWERED
        doubtful = self._trouble is not None or self._asking or not state.connected or unanswered
        waited_s = self._clock.monotonic_s() - self._looked_s
        return changed or (doubtful and waited_s >= self._relook_s)

    def _look(self, deadline: Deadline) -> Observation | None:
        """None if somebody wanted us to end meanwhile: half a look says nothing."""
        found = self._looker.look(self._session, Patience(deadline.within(LOOK_S), self._woken.is_set))
        self._looked_s = self._clock.monotonic_s()
        self._asking = found.asking
        self._seen = found.session
        return None if self._woken.is_set() else self._observe(found, heard=True)

    def _observe(self, found: Findings, *, heard: bool) -> Observation:
        wall_s = self._clock.wall_s()
        judged = judge(found, {kind: condition.value for kind, condition in self._conditions.items()})
        for kind, value in judged.items():
            known_wall_s = self._conditions[kind].wall_s if value is None else wall_s
            self._conditions[kind] = Condition(value, known_wall_s, "transport")
        self._hurry(trouble_of(judged), found.session)
        self._last = Observation(
            at_s=self._clock.monotonic_s(),
            heard=heard,
            power=Power.ONLINE if heard else Power.UNKNOWN,
            conditions=dict(self._conditions),
            last_heard_wall_s=wall_s if heard else None,
            facts=_facts(found),
            statistics=_statistics(found),
            evidence=evidence(found, judged),
        )
        return self._last

    def _hurry(self, trouble: str | None, session: SessionState) -> None:
        """The way is open again, and the session may have minutes to wait: it need not.

        Unless it was the broker that is back: then a fleet would come at once.
        """
        mended = self._trouble in SHOPS_OWN and trouble is None and not session.connected
        self._trouble = trouble
        now_s = self._clock.monotonic_s()
        if mended and now_s >= self._hurried_s + HURRY_S:
            self._hurried_s = now_s
            self._session.hurry()


def _facts(found: Findings) -> dict[str, Json]:
    """What changes rarely, since each change is published."""
    ending = first_ending(found)
    used = next(
        (each for each in found.interfaces if found.route and each.name == found.route.interface), None
    )
    facts: dict[str, Json | None] = {
        "interface": found.route.interface if found.route else None,
        "address": used.addresses[0] if used and used.addresses else None,
        "gateway": (found.route.gateway or None) if found.route else None,
        "broker": found.session.peer,
        "certificate_ends": None if ending is None else day(ending[1].ends_s),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _statistics(found: Findings) -> dict[str, float]:
    numbers = {
        "rtt_ms": found.session.line.rtt_ms if found.session.line else None,
        "lost_pct": found.quality.lost_pct,
        "gateway_ms": found.gateway.ms if found.gateway else None,
    }
    return {name: value for name, value in numbers.items() if value is not None}


def make(setup: Setup, session: SessionView | None = None) -> NetworkDriver:
    """Options: `host`, `port`, `tls`, `ca_file`, `cert_file`, `key_file` as in [mqtt]; `check_url`.

    `vitals` and `clock` as for the host driver: a simulated machine has a simulated network.
    """
    options = setup.options
    where = str(options.get("vitals", "psutil"))
    session = session or NoSession()
    if where.startswith(FILE):
        return NetworkDriver(
            setup, SimulatedLooker(vitals.from_file(Path(where.removeprefix(FILE))), setup.clock), session
        )
    host = str(options.get("host", ""))
    files = {key: Path(str(options[key])) for key in ("ca_file", "cert_file", "key_file") if options.get(key)}
    place = Place(
        host=host,
        port=int(str(options.get("port", 1883))),
        trust=Trust(host=host, **files) if options.get("tls") else None,
        check_url=str(options.get("check_url", "")),
    )
    trusted = options.get("clock") == "trusted"
    looker = Looker(
        place, setup.clock, setup.memory, synced=lambda: True if trusted else vitals.clock_synced()
    )
    return NetworkDriver(setup, looker, session)


SPEC = DriverSpec(
    name="network",
    categories=("DeviceMonitor",),
    links=(),
    options={
        "vitals": str,
        "clock": ("auto", "trusted"),
        "host": str,
        "port": int,
        "tls": bool,
        "ca_file": str,
        "cert_file": str,
        "key_file": str,
        "check_url": str,
    },
    make=make,
)
