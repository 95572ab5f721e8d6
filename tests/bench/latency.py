"""From a change at the printer to its `device/receipt` at a subscriber, through a tty, daemon and broker."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.outbox.outbox import SYNC_DELAY_VARIABLE
from tests.bench.report import Budget, Cell, Table
from tests.bench.section import Size
from tests.brokers import mosquitto_broker
from tests.counter import Counter, Seen, subscriber

PUSHED_P99_MS = 50.0
POLL_S = 1.0
POLLED_MS = POLL_S * 1000 + 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a change gets out of the printer, and what stands in its way."""

    name: str
    limit_ms: float
    apart_s: tuple[float, float] = (0.15, 0.25)  #: between a report and the next change
    polled: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


WAYS = (
    Way(name="pushed", limit_ms=PUSHED_P99_MS),
    Way(name="pushed, 20 ms per sync", limit_ms=PUSHED_P99_MS, environment={SYNC_DELAY_VARIABLE: "0.02"}),
    Way(name=f"polled each {POLL_S:.0f} s", limit_ms=POLLED_MS, apart_s=(0.15, 0.15 + POLL_S), polled=True),
)


def measure(folder: Path, size: Size) -> Table:
    rows: list[tuple[Cell, ...]] = []
    budgets = []
    with mosquitto_broker(folder, options={"log_type": "error"}) as broker:
        for number, way in enumerate(WAYS):
            place = folder / str(number)
            place.mkdir()
            changes = size.polled_changes if way.polled else size.changes
            delays_ms = sorted(_delays_ms(place, broker.url, way, changes))
            p99_ms = _percentile(delays_ms, 99)
            rows.append((way.name, str(changes), _percentile(delays_ms, 50), p99_ms, delays_ms[-1]))
            budgets.append(Budget(f"{way.name}, p99", p99_ms, way.limit_ms, "ms"))
    return Table(
        title="latency: a change at the printer -> device/receipt at a subscriber",
        columns=("", "changes", "p50 ms", "p99 ms", "max ms"),
        rows=rows,
        budgets=budgets,
        notes=[
            "a state goes out at most ten times a second; the changes keep below that",
            "a pty at 115200 baud, no TLS, the subscriber a Python process",
        ],
    )


def _delays_ms(folder: Path, url: str, way: Way, changes: int) -> list[float]:
    counter = Counter(
        folder,
        url,
        poll_s=POLL_S,
        profile="plain" if way.polled else "epson-tm",
        knobs=("answers=eot",) if way.polled else (),
        environment=dict(way.environment),
    )
    with subscriber(url) as seen:
        try:
            counter.start_printer()
            counter.start_daemon()
            seen.wait_condition("paper_near_end", value=False, within_s=15)
            delays_ms = []
            for number in range(changes):
                time.sleep(random.uniform(*way.apart_s))
                delays_ms.append(_delay_ms(counter, seen, near_end=number % 2 == 0))
            return delays_ms
        finally:
            counter.close()


def _delay_ms(counter: Counter, seen: Seen, *, near_end: bool) -> float:
    before = len(seen.messages)
    changed_ns = int(counter.tell(f"paper={'near_end' if near_end else 'ok'}")["changed_at_monotonic_ns"])
    seen.wait_condition("paper_near_end", value=near_end)
    arrived_ns = next(
        message.received_monotonic_ns
        for message in seen.messages[before:]
        if message.topic.endswith("/device/receipt")
        and isinstance(message.payload, dict)
        and message.payload["conditions"]["paper_near_end"]["value"] is near_end
    )
    return (arrived_ns - changed_ns) / 1e6


def _percentile(ordered: list[float], percent: int) -> float:
    return statistics.quantiles(ordered, n=100, method="inclusive")[percent - 1]
