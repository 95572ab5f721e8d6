"""A printer exchanged, renamed or taken away, end to end: what the broker keeps, and what is told."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.control import SOCKET_NAME, ask
from agent.uplink.watcher import Message
from drivers.errors import TillwatchError
from tests.brokers import Broker
from tests.counter import BASE, Counter, Seen, subscriber, until

pytestmark = pytest.mark.system


@pytest.fixture
def counter(short_path: Path, broker: Broker, seen: Seen) -> Iterator[Counter]:
    running = Counter(short_path, broker.url, poll_s=0.5)
    running.start_printer()
    running.start_daemon()
    try:
        seen.wait(lambda _m: "serial" in identity(seen), 15, "its serial number")
        yield running
    finally:
        running.close()


def identity(seen: Seen) -> dict[str, str]:
    reports = seen.on("device/receipt")
    return reports[-1]["identity"] if reports else {}


def watches(counter: Counter, device: str) -> bool:
    """Whether the running daemon has seen it."""
    try:
        view = next(iter(ask(counter.folder / "run" / SOCKET_NAME, {"do": "status"})))
    except (OSError, TillwatchError):
        return False
    return view.get("devices", {}).get(device) is not None


def wait_retained(broker: Broker, *devices: str) -> None:
    """Until a subscriber that comes now is given these devices and no other."""

    def given() -> bool:
        with subscriber(broker.url) as fresh, contextlib.suppress(AssertionError):
            fresh.wait(lambda messages: topics(messages) == set(devices), 1, "devices")
            time.sleep(0.1)  # one more may follow
            return topics(fresh.messages) == set(devices)
        return False

    until(given, f"just {devices} to be retained")


def topics(messages: list[Message]) -> set[str]:
    below = f"{BASE}device/"
    return {m.topic.removeprefix(below) for m in messages if m.retain and m.topic.startswith(below)}


def test_a_printer_exchanged_while_the_agent_was_away(counter: Counter, seen: Seen) -> None:
    assert identity(seen)["serial"] == "SIM0000001"
    counter.stop_daemon()
    counter.tell("serial=SIM0000002")
    counter.start_daemon()
    seen.wait_fault("receipt/identity_changed", "raised")
    event = next(event for event in seen.events() if event["kind"] == "identity_changed")
    assert event["evidence"]["before"]["serial"] == "SIM0000001"
    assert event["evidence"]["now"]["serial"] == "SIM0000002"
    seen.wait(lambda _m: identity(seen).get("serial") == "SIM0000002", 5, "the new serial number")


@pytest.mark.parametrize("broker_away", [False, True])
def test_a_renamed_device_leaves_nothing_behind(
    counter: Counter, seen: Seen, broker: Broker, broker_away: bool
) -> None:
    counter.tell("paper=end")
    seen.wait_fault("receipt/paper_end", "raised")
    wait_retained(broker, "host", "network", "receipt")
    counter.stop_daemon()
    if broker_away:
        broker.stop_signal()
    counter.start_daemon(device="bar")
    if broker_away:
        until(lambda: watches(counter, "bar"), "the daemon to watch it under its new name")
        broker.continue_signal()
    seen.wait_fault("receipt/paper_end", "removed")
    seen.wait_fault("bar/paper_end", "raised")
    seen.wait(lambda _m: bool(seen.on("device/bar")), 5, "the device under its new name")
    wait_retained(broker, "bar", "host", "network")
    assert {"bar", "host"} <= seen.on("health")[-1]["devices"].keys()
    assert "receipt" not in seen.on("health")[-1]["devices"]
