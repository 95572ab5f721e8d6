"""The terminal as the agent knows it: what each device last said, its faults, its health.

One thread owns it. Observations come in; out go retained states (at once) and committed events
(by the store). A state that an event explains is published only after that event is on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.config import Config
from agent.diagnosis.faults import Change, Diagnosis
from agent.diagnosis.health import POLLS_BEFORE_HEALTH, summarise
from agent.diagnosis.hours import hours
from agent.diagnosis.opening import Opening
from agent.diagnosis.sale import SaleState, SaleWord
from agent.messages import (
    Body,
    DeviceReport,
    Health,
    Metric,
    PublishedCondition,
    Stamper,
    plain,
    rfc3339,
)
from agent.outbox.outbox import Batch, Row
from agent.watch.worker import STUCK
from drivers.api import Clock, Json, Observation, Sale

HEALTH = "health"
DEVICE_REFRESH = 4  #: health refreshes for one of an unchanged device, which is larger: data is metered
AGENT = "agent"  #: the agent itself, as the device of its own faults


class Publisher(Protocol):
    """Where states go: the uplink, or a list in a test."""

    def publish_state(self, topic: str, body: Body) -> None: ...
    def publish_metric(self, body: Metric) -> None: ...


class Store(Protocol):
    """Where events go: the outbox's writer, or a list in a test."""

    def submit(self, batch: Batch, then: Callable[[int], None] | None = None) -> None: ...


@dataclass(slots=True)
class Watched:
    """One device under watch."""

    driver: str
    categories: tuple[str, ...]
    poll_s: float
    last: Observation | None = None
    introduced: bool = False  #: its driver has said which kinds it reports
    published: DeviceReport | None = None
    published_at_s: float = field(default=float("-inf"))


class Terminal:
    """Takes observations, judges, publishes; `advance` is due at `next_due_s`."""

    def __init__(
        self,
        config: Config,
        devices: Mapping[str, Watched],
        *,
        diagnosis: Diagnosis,
        clock: Clock,
        stamper: Stamper,
        publisher: Publisher,
        store: Store,
    ) -> None:
        self._config = config
        self._devices = dict(devices)
        self._diagnosis = diagnosis
        self._clock = clock
        self._stamper = stamper
        self._publisher = publisher
        self._store = store
        shop = config.terminal
        self._opening = Opening(
            hours(shop.hours, shop.holidays, shop.timezone) if shop.hours else None, clock, stamper.synced
        )
        self._sale = SaleState(
            clock,
            config.sale.quiet_s,
            hours(shop.maintenance, (), shop.timezone) if shop.maintenance else None,
            clock_known=self._opening.clock_known,
        )
        self._sale_now: Sale = "unknown"
        now_s = clock.monotonic_s()
        self._health: Health | None = None
        self._health_at_s = now_s
        self._metric_due_s = now_s + config.agent.metric_s
        self._started_s = now_s
        self._log = logging.getLogger("tillwatch.terminal")

    # -- what comes in -----------------------------------------------------------------------------

    def observe(self, device: str, observation: Observation) -> None:
        """A device said something, or failed to: publish what changed, and judge it."""
        watched = self._devices[device]
        stuck = observation.conditions.get(STUCK)
        if not watched.introduced and not (stuck and stuck.value):
            watched.introduced = True
            self._close_unheard_of(device, observation)
        watched.last = observation
        report = self._report(device, watched, observation)
        if watched.published is None or _differs(report, watched.published):
            self._publish_report(device, watched, report)
        self._sale.tell(SaleWord(f"device/{device}", observation.in_use, "part"))
        self.judge(
            device,
            {kind: condition.value for kind, condition in observation.conditions.items()},
            observation.evidence,
        )

    def judge(
        self, device: str, conditions: Mapping[str, bool | None], evidence: Mapping[str, Mapping[str, Json]]
    ) -> None:
        """Judge conditions of a device, or of the agent itself, which has no device topic."""
        self._diagnosis.excuse(*self._opening.excuse())
        self._diagnosis.observe(device, conditions, evidence)
        self.advance()

    def tell_sale(self, word: SaleWord) -> None:
        """A source says whether a sale is in progress."""
        self._sale.tell(word)
        self.advance()

    def sale(self) -> Sale:
        """Whether one is in progress, as judged last; from any thread."""
        return self._sale_now

    def restore(self, states: Mapping[str, Json]) -> None:
        """Take up the open faults of the last run; those of devices that are gone are closed."""
        unreadable = self._diagnosis.restore(states)
        if unreadable:
            self._log.warning("open faults that cannot be read are let go: %s", ", ".join(unreadable))
            self._store.submit(Batch(faults=dict.fromkeys(unreadable)))
        watched = {*self._devices, AGENT}
        for device in {key.partition("/")[0] for key in states} - watched:
            self._commit(self._diagnosis.forget(device))

    def _close_unheard_of(self, device: str, first: Observation) -> None:
        """Close open faults of kinds that the device, as it is configured now, does not report."""
        open_kinds = {fault.kind for fault in self._diagnosis.open_faults() if fault.device == device}
        unheard_of = open_kinds - first.conditions.keys()
        if unheard_of:
            self._commit(self._diagnosis.forget(device, unheard_of))

    # -- what time brings --------------------------------------------------------------------------

    def advance(self) -> None:
        """All that is due by now: delays that ran out, opening and closing, refreshes, metrics."""
        self._sale_now = self._sale.state()
        self._diagnosis.excuse(*self._opening.excuse())
        self._commit(self._diagnosis.advance())
        now_s = self._clock.monotonic_s()
        if now_s >= self._metric_due_s:
            self._metric_due_s = now_s + self._config.agent.metric_s
            self._publish_metric()
        device_refresh_s = DEVICE_REFRESH * self._config.agent.health_refresh_s
        for device, watched in self._devices.items():
            if watched.last and now_s >= watched.published_at_s + device_refresh_s:
                self._publish_report(device, watched, self._report(device, watched, watched.last))

    def next_due_s(self) -> float:
        """When `advance` has something to do next, on the monotonic clock."""
        moments = [
            self._metric_due_s,
            self._health_at_s + self._config.agent.health_refresh_s,
        ]
        if self._health is None:
            moments += [self._latest_s(watched) for watched in self._devices.values() if not watched.last]
        for part in (self._diagnosis, self._opening, self._sale):
            due_s = part.next_due_s()
            if due_s is not None:
                moments.append(due_s)
        return min(moments)

    # -- what goes out -----------------------------------------------------------------------------

    def _commit(self, changes: list[Change]) -> None:
        """Store the changes; the health they explain follows once they are on disk."""
        for change in changes:
            event = change.event
            self._log.info("%s %s (%s)", event.fault, event.change, event.severity)
        now_s = self._clock.monotonic_s()
        fresh = self._summarise()
        refresh = fresh and now_s >= self._health_at_s + self._config.agent.health_refresh_s
        if not changes and (fresh == self._health and not refresh):
            return
        then: Callable[[int], None] | None = None
        if fresh is not None and (fresh != self._health or refresh):
            self._health, self._health_at_s = fresh, now_s
            health = fresh

            def then(_last_seq: int) -> None:
                self._publisher.publish_state(HEALTH, health)

        self._store.submit(
            Batch(
                rows=[self._row(change.event) for change in changes],
                faults={change.key: change.state for change in changes},
            ),
            then,
        )

    def _row(self, event: Body) -> Row:
        return Row(topic="event", body=self._stamper.stamp(event))

    def _summarise(self) -> Health | None:
        """The terminal's health, or None before every device had its chance to say something."""
        now_s = self._clock.monotonic_s()
        if any(
            watched.last is None and now_s < self._latest_s(watched) for watched in self._devices.values()
        ):
            return None
        return summarise(
            {device: watched.last for device, watched in self._devices.items()},
            self._diagnosis.open_faults(),
            refresh_s=self._config.agent.health_refresh_s,
            excused=self._diagnosis.excused(),
            sale=self._sale.state(),
            shop_open=self._opening.open(),
        )

    def _latest_s(self, watched: Watched) -> float:
        """When a device that said nothing is waited for no longer."""
        return self._started_s + POLLS_BEFORE_HEALTH * watched.poll_s

    def _report(self, device: str, watched: Watched, seen: Observation) -> DeviceReport:
        return DeviceReport(
            device=device,
            driver=watched.driver,
            categories=list(watched.categories),
            identity=dict(seen.identity),
            power=seen.power,
            conditions={
                kind: PublishedCondition(
                    value=condition.value,
                    at=rfc3339(condition.wall_s) if condition.wall_s else None,
                    verified_by=condition.verified_by,
                )
                for kind, condition in seen.conditions.items()
            },
            facts=dict(seen.facts),
            statistics=_numbers(seen.statistics),
            last_seen_at=None if seen.last_heard_wall_s is None else rfc3339(seen.last_heard_wall_s),
        )

    def _publish_report(self, device: str, watched: Watched, report: DeviceReport) -> None:
        watched.published = report
        watched.published_at_s = self._clock.monotonic_s()
        self._publisher.publish_state(f"device/{device}", report)

    def _publish_metric(self) -> None:
        values = {
            device: _numbers(watched.last.statistics)
            for device, watched in self._devices.items()
            if watched.last and watched.last.statistics
        }
        if values:
            self._publisher.publish_metric(Metric(values=values))

    # -- for the local view ------------------------------------------------------------------------

    def view(self) -> dict[str, Any]:
        """What `tillwatch status` shows: the latest of everything, whether published or not."""
        return {
            "terminal": self._config.terminal.id,
            "site": self._config.terminal.site,
            "health": plain(self._health) if self._health else None,
            "open": self._opening.open(),
            "sale": {
                "state": self._sale.state(),
                "why": [
                    {"source": source, "word": word, "age_s": round(age_s, 1)}
                    for source, word, age_s in self._sale.why()
                ],
            },
            "devices": {
                device: plain(self._report(device, watched, watched.last)) if watched.last else None
                for device, watched in self._devices.items()
            },
        }


def _numbers(statistics: Mapping[str, float]) -> dict[str, float]:
    """Counters as the whole numbers they are."""
    return {name: int(value) if float(value).is_integer() else value for name, value in statistics.items()}


def _differs(new: DeviceReport, old: DeviceReport) -> bool:
    """Whether there is something to tell: times and counters alone are not."""
    return (
        new.power != old.power
        or new.identity != old.identity
        or new.facts != old.facts
        or {k: c.value for k, c in new.conditions.items()} != {k: c.value for k, c in old.conditions.items()}
    )
