"""The daemon is killed at random instants while faults come and go; the simulator's own log is the judge."""

from __future__ import annotations

import itertools
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from agent.diagnosis.catalogue import CATALOGUE
from tests.brokers import mosquitto_broker
from tests.counter import Counter, Seen, subscriber

pytestmark = pytest.mark.system

KNOBS = {
    "paper_end": ("paper=end", "paper=ok"),
    "cutter_error": ("cutter=jam", "cutter=ok"),
    "error_unrecoverable": ("error=unrecoverable", "error=none"),
}
"""Kind -> how it comes and goes at the printer. None of them is a cause of another."""
LOOK_S = 1.5
"""Past its delay, a poll and a confirmation: what held so long under watch must have been judged."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, on the wall clock."""

    from_s: float
    to_s: float

    def common_s(self, other: Span) -> float:
        return min(self.to_s, other.to_s) - max(self.from_s, other.from_s)


class Weather(threading.Thread):
    """Turns the printer's knobs at random moments, never so fast that a fault chatters."""

    def __init__(self, counter: Counter, seed: int) -> None:
        super().__init__(name="weather")
        self._counter = counter
        self._random = random.Random(seed)
        self._over = threading.Event()

    def run(self) -> None:
        next_s = {kind: time.monotonic() + self._random.uniform(0, 3) for kind in KNOBS}
        on = dict.fromkeys(KNOBS, False)
        while not self._over.is_set():
            kind = min(next_s, key=lambda kind: next_s[kind])
            if self._over.wait(max(0.0, next_s[kind] - time.monotonic())):
                break
            on[kind] = not on[kind]
            self._counter.tell(KNOBS[kind][0 if on[kind] else 1])
            next_s[kind] += self._random.uniform(0.3, 6.0) if on[kind] else self._random.uniform(4.8, 7.0)
        self._counter.tell(*(off for _, off in KNOBS.values()))

    def end(self) -> None:
        self._over.set()
        self.join(10)


def kill_often(folder: Path, kills: int, seed: int) -> tuple[Counter, Seen, list[Span]]:
    """`kills` lives of the daemon; returns what was seen, and the spans in which it watched."""
    chance = random.Random(seed)
    watched: list[Span] = []
    with mosquitto_broker(folder) as broker, subscriber(broker.url) as seen:
        counter = Counter(folder, broker.url, poll_s=0.5)
        try:
            counter.start_printer()
            weather = Weather(counter, seed)
            weather.start()
            try:
                for _ in range(kills):
                    reports = len(seen.on("device/receipt"))
                    counter.start_daemon()
                    if chance.random() < 0.8:  # else killed while it starts
                        seen.wait_reports(reports + 1)
                        from_s = time.time()
                        time.sleep(chance.choice((chance.uniform(0.05, 1.0), chance.uniform(2.5, 4.5))))
                        watched.append(Span(from_s, time.time()))
                    else:
                        time.sleep(chance.uniform(0.0, 0.6))
                    counter.kill_daemon()
            finally:
                weather.end()
            reports = len(seen.on("device/receipt"))
            counter.start_daemon()
            seen.wait_reports(reports + 1)  # the last life's health may be well already
            seen.wait_level("ok", within_s=20)
            assert counter.stop_daemon() == 0
        finally:
            counter.close()
    return counter, seen, watched


def held(log: Path, kind: str) -> list[Span]:
    """When the printer really was so, from its own log."""
    knob, on = KNOBS[kind][0].split("=")
    spans, since_s = [], None
    for line in log.read_text(encoding="utf-8").splitlines():
        change = json.loads(line)
        if change["what"] != knob:
            continue
        at_s = change["wall_s"]
        if change["value"] == on:
            since_s = at_s
        elif since_s is not None:
            spans.append(Span(since_s, at_s))
            since_s = None
    assert since_s is None
    return spans


def told(seen: Seen, kind: str) -> Iterator[Span]:
    """Each occurrence, from raised to cleared; they alternate."""
    events = [event for event in seen.events() if event.get("fault") == f"receipt/{kind}"]
    assert [event["change"] for event in events] == ["raised", "cleared"] * (len(events) // 2)
    for raised, cleared in zip(events[::2], events[1::2], strict=True):
        assert raised["occurrence"] == cleared["occurrence"]
        assert raised["raised_at"] == cleared["raised_at"]
        yield Span(wall_s(raised["at"]), wall_s(cleared["at"]))


def wall_s(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def judge(counter: Counter, seen: Seen, watched: list[Span]) -> int:
    """How many faults outlived their delay under watch; fails on any that was told wrongly."""
    events = seen.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["stream"] for event in events}) == 1
    outlived = 0
    for kind in KNOBS:
        spans, occurrences = held(counter.log, kind), list(told(seen, kind))
        assert len({event["occurrence"] for event in events if event.get("kind") == kind}) == len(occurrences)
        on_s, off_s = CATALOGUE[kind].on_s + LOOK_S, CATALOGUE[kind].off_s + LOOK_S
        for occurrence in occurrences:
            assert any(span.common_s(occurrence) > -LOOK_S for span in spans), f"{kind} told, but never so"
        for span in spans:
            if any(span.common_s(life) > on_s for life in watched):
                outlived += 1
                covering = [o for o in occurrences if o.common_s(span) > 0]
                assert len(covering) == 1, f"{kind} {span}: told as {covering}"
        for before, after in itertools.pairwise(spans):
            gap = Span(before.to_s, after.from_s)
            if any(gap.common_s(life) > off_s for life in watched):
                bridging = [o for o in occurrences if o.from_s < gap.from_s and o.to_s > gap.to_s]
                assert not bridging, f"{kind} was over from {gap}, but not cleared"
    return outlived


def test_faults_are_told_once_whenever_the_daemon_is_killed(short_path: Path) -> None:
    outlived = judge(*kill_often(short_path, 25, seed=7))
    assert outlived >= 3


@pytest.mark.soak
def test_two_hundred_kills(short_path: Path) -> None:
    outlived = judge(*kill_often(short_path, 200, seed=int(os.environ.get("TILLWATCH_SOAK_SEED", "1"))))
    assert outlived >= 20
