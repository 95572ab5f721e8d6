"""What the demo draws: readable on a plain terminal too."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from agent.cli.demo.view import Picture, render
from agent.uplink.watcher import Message

TERMINAL = "tillwatch/v1/DEMO-0001/"
OPEN = {"fault": "receipt/paper_near_end", "severity": "minor", "raised_at": "2026-01-01T10:20:30.000Z"}
PAST = {
    "type": "fault",
    "fault": "receipt/error_unrecoverable",
    "change": "cleared",
    "severity": "critical",
    "seq": 2,
    "raised_at": "2026-01-01T09:20:30.000Z",
    "cleared_at": "2026-01-01T09:21:31.000Z",
}
CONDITIONS = {"paper_near_end": {"value": True}, "cover_open": {"value": False}, "stalled": {"value": None}}


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        yield
    time.tzset()


def screen(columns: int, lines: int) -> str:
    picture = Picture()
    topics: dict[str, dict[str, Any]] = {
        "status": {"state": "online", "reason": "started"},
        "device/host": {"power": "online", "conditions": {}},
        "device/receipt": {"power": "online", "conditions": CONDITIONS},
        "health": {"level": "soon", "devices": {"host": "ok", "receipt": "soon"}, "faults": [OPEN]},
        "event": PAST,
    }
    for topic, body in topics.items():
        picture.take(Message(TERMINAL + topic, retain=False, qos=1, payload=body, received_monotonic_ns=0))
    picture.tell("the paper roll nears its end")
    console = Console(width=columns, height=lines, file=io.StringIO(), record=True)
    console.print(render(picture, broker="mosquitto on 1883", columns=columns), height=lines)
    return console.export_text()


@pytest.mark.usefixtures("far_east")
@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (100, 30), (149, 40), (150, 40)])
def test_names_and_times_are_whole_on_any_usual_terminal(columns: int, lines: int) -> None:
    shown = screen(columns, lines)
    for whole in (
        "SOON",
        "receipt/paper_near_end",
        "receipt/error_unrecoverable",
        "18:20:30",
        "17:21:31",
        "minor",
        "stalled?",
        "#2",
        "the paper roll",
        "Ctrl-C ends",
        "5 messages",
    ):
        assert whole in shown, shown


def test_no_device_is_pushed_off_a_plain_terminal_by_what_another_does_not_know() -> None:
    picture = Picture()
    unknown = {kind: {"value": None} for kind in ("no_address", "no_route", "internet_down", "dns_failed")}
    for name, conditions in (("host", {}), ("network", unknown), ("receipt", CONDITIONS)):
        body = {"power": "online", "conditions": conditions}
        picture.take(Message(f"{TERMINAL}device/{name}", True, 1, body, 0))
    console = Console(width=80, height=24, file=io.StringIO(), record=True)
    console.print(render(picture, broker="x", columns=80), height=24)
    shown = console.export_text()
    assert "fine 4 not known" in shown
    assert "paper_near_end stalled?" in shown


@pytest.mark.parametrize(
    ("columns", "lines", "all_shown"), [(80, 24, False), (80, 40, True), (150, 40, True)]
)
def test_of_a_full_counter_trouble_comes_first(columns: int, lines: int, all_shown: bool) -> None:
    picture = Picture()
    for name in (*(f"device-{number}" for number in range(12)), "receipt"):
        conditions = {"paper_end": {"value": name == "receipt"}}
        body = {"power": "online", "conditions": conditions}
        picture.take(Message(f"{TERMINAL}device/{name}", True, 1, body, 0))
    console = Console(width=columns, height=lines, file=io.StringIO(), record=True)
    console.print(render(picture, broker="x", columns=columns, lines=lines), height=lines)
    shown = console.export_text()
    assert any("receipt" in line and "paper_end" in line for line in shown.splitlines())
    assert ("12 more: device-0 " in shown) is not all_shown
    assert all(f"device-{number} " in shown for number in range(12)), shown
    assert shown.count("fine") == (12 if all_shown else 0)


def test_what_is_not_known_at_all_is_not_called_fine() -> None:
    picture = Picture()
    body = {"power": "unknown", "conditions": {kind: {"value": None} for kind in "abcd"}}
    picture.take(Message(f"{TERMINAL}device/display", True, 1, body, 0))
    console = Console(width=80, height=24, file=io.StringIO(), record=True)
    console.print(render(picture, broker="x", columns=80), height=24)
    assert "4 not known" in (shown := console.export_text())
    assert "fine" not in shown


def test_it_shows_what_is_known_of_the_shop() -> None:
    picture = Picture()
    for health, shown in (
        ({"open": True, "sale": "yes"}, "open   a sale"),
        ({"open": False, "sale": "no"}, "closed   no sale"),
        ({"open": None, "sale": "unknown"}, "DEMO-0001   connecting"),
    ):
        topic = TERMINAL + "health"
        picture.take(Message(topic, retain=True, qos=1, payload=health, received_monotonic_ns=0))
        console = Console(width=120, height=24, file=io.StringIO(), record=True)
        console.print(render(picture, broker="x", columns=120), height=24)
        assert shown in console.export_text()
