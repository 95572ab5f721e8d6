"""The main job, end to end: a printer's status byte becomes a message at the broker.

Real ttys, a real broker, real processes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.counter import Counter, Seen

pytestmark = pytest.mark.system

CHANGES = 200
SPACING_S = 0.11  #: a state is published at most ten times a second
PUSHED_P99_MS = 50.0
POLL_S = 1.0


@pytest.fixture
def counter(short_path: Path, broker: Broker, seen: Seen) -> Iterator[Counter]:
    running = Counter(short_path, broker.url, poll_s=POLL_S)
    running.start_printer()
    running.start_daemon()
    try:
        seen.wait_condition("paper_end", value=False, within_s=15)
        seen.wait_level("ok")
        yield running
    finally:
        running.close()


def test_paper_out_and_back(counter: Counter, seen: Seen) -> None:
    counter.tell("paper=end")
    seen.wait_condition("paper_end", value=True)
    seen.wait_fault("receipt/paper_end", "raised")
    seen.wait_level("now")
    counter.tell("paper=ok")
    seen.wait_fault("receipt/paper_end", "cleared")
    seen.wait_level("ok")
    raised, cleared = seen.events()
    assert seen.faults() == [("receipt/paper_end", "raised"), ("receipt/paper_end", "cleared")]
    assert raised["severity"] == "major"
    assert raised["occurrence"] == cleared["occurrence"]
    assert (raised["active"], cleared["active"]) == (True, False)
    assert [raised["seq"], cleared["seq"]] == [1, 2]
    status = seen.on("status")[-1]
    assert (status["state"], status["reason"]) == ("online", "started")
    report = seen.on("device/receipt")[-1]
    assert report["power"] == "online"
    assert report["categories"][0] == "POSPrinter"


def test_a_clean_stop_is_said(counter: Counter, seen: Seen) -> None:
    assert counter.stop_daemon() == 0
    seen.wait(lambda _m: seen.on("status")[-1]["state"] == "offline", 5.0, "status offline")
    assert seen.on("status")[-1]["reason"] == "stopping"


def test_a_machine_that_goes_down_says_so(
    short_path: Path, broker: Broker, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl = short_path / "systemctl"
    systemctl.write_text("#!/bin/sh\necho stopping\nexit 1\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{short_path}:/usr/bin:/bin")
    counter = Counter(short_path, broker.url, poll_s=POLL_S)
    counter.start_daemon()
    try:
        seen.wait(lambda _m: bool(seen.on("status")), 15.0, "status online")
        assert counter.stop_daemon() == 0
        seen.wait(lambda _m: seen.on("status")[-1]["state"] == "offline", 5.0, "status offline")
        assert seen.on("status")[-1]["reason"] == "shutdown"
    finally:
        counter.close()


def test_a_killed_daemon_is_lost(counter: Counter, seen: Seen) -> None:
    counter.kill_daemon()
    seen.wait(lambda _m: seen.on("status")[-1]["state"] == "offline", 5.0, "the will")
    assert seen.on("status")[-1]["reason"] == "lost"


def test_an_open_fault_goes_on_after_a_restart_and_clears_if_it_is_gone(counter: Counter, seen: Seen) -> None:
    counter.tell("cover=open")
    seen.wait_fault("receipt/cover_open", "raised")
    counter.kill_daemon()
    counter.tell("cover=closed")
    counter.start_daemon()
    seen.wait_fault("receipt/cover_open", "cleared", within_s=15)
    assert seen.faults() == [("receipt/cover_open", "raised"), ("receipt/cover_open", "cleared")]
    assert len({event["occurrence"] for event in seen.events()}) == 1


@pytest.mark.alone
@pytest.mark.parametrize(("sync_delay_s", "changes"), [(0.0, CHANGES), (0.02, CHANGES // 4)])
def test_a_pushed_change_is_seen_within_50_ms(
    short_path: Path, broker: Broker, seen: Seen, sync_delay_s: float, changes: int
) -> None:
    counter = Counter(
        short_path,
        broker.url,
        environment={"TILLWATCH_TEST_SYNC_DELAY_S": str(sync_delay_s)} if sync_delay_s else None,
    )
    try:
        counter.start_printer()
        counter.start_daemon()
        seen.wait_condition("paper_near_end", value=False, within_s=15)
        delays_ms = measure(counter, seen, changes)
    finally:
        counter.close()
    assert statistics.quantiles(delays_ms, n=100)[98] <= PUSHED_P99_MS, sorted(delays_ms)[-5:]


@pytest.mark.alone
def test_a_polled_change_is_seen_within_one_poll(short_path: Path, broker: Broker, seen: Seen) -> None:
    counter = Counter(short_path, broker.url, poll_s=POLL_S, profile="plain", knobs=("answers=eot",))
    try:
        counter.start_printer()
        counter.start_daemon()
        seen.wait_condition("paper_near_end", value=False, within_s=15)
        delays_ms = measure(counter, seen, 8)
    finally:
        counter.close()
    assert max(delays_ms) <= POLL_S * 1000 + 100


def measure(counter: Counter, seen: Seen, changes: int) -> list[float]:
    """Milliseconds from the change at the printer to its `device/receipt` at the subscriber."""
    delays_ms = []
    for number in range(changes):
        near_end = number % 2 == 0
        before = len(seen.messages)
        changed_ns = counter.tell(f"paper={'near_end' if near_end else 'ok'}")["changed_at_monotonic_ns"]
        seen.wait_condition("paper_near_end", value=near_end)
        time.sleep(SPACING_S)
        arrived_ns = next(
            m.received_monotonic_ns
            for m in seen.messages[before:]
            if m.topic.endswith("/device/receipt")
            and isinstance(m.payload, dict)
            and m.payload["conditions"]["paper_near_end"]["value"] is near_end
        )
        delays_ms.append((arrived_ns - changed_ns) / 1e6)
    return delays_ms
