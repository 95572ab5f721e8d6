"""The simulated machine."""

from __future__ import annotations

import json

import pytest

from simulator.devices.host import REFRESH_S, Host
from simulator.served import Served


def read(served: Served, now_s: float) -> dict[str, object]:
    vitals: dict[str, object] = json.loads(served.due(now_s))
    return vitals


def test_the_vitals_a_healthy_machine_has() -> None:
    vitals = read(Served(Host()), 100.0)
    assert list(vitals) == [
        *("boot_id", "uptime_s", "cpu_pct", "load_1m", "memory_available_pct", "disk_used_pct"),
        *("temperature_c", "clock_synced", "network_up"),
    ]


@pytest.mark.parametrize(
    ("knob", "name", "value"),
    [
        ("disk=full", "disk_used_pct", 99.0),
        ("memory=low", "memory_available_pct", 2.0),
        ("temperature=hot", "temperature_c", 98.0),
        ("clock=unsynced", "clock_synced", False),
        ("network=down", "network_up", False),
        ("cpu=busy", "cpu_pct", 99.0),
    ],
)
def test_each_knob_shows_at_once(knob: str, name: str, value: object) -> None:
    served = Served(Host())
    healthy = read(served, 100.0)
    assert served.due(100.5) == b""
    served.apply([knob], 101.0)
    assert served.next_s(101.0) == 101.0
    changed = read(served, 101.0)
    assert changed[name] == value != healthy[name]


def test_it_is_told_anew_now_and_then_and_not_while_stalled() -> None:
    served = Served(Host())
    first = read(served, 100.0)
    assert served.next_s(100.0) == 100.0 + REFRESH_S
    later = read(served, 100.0 + REFRESH_S)
    assert later["uptime_s"] == pytest.approx(REFRESH_S, abs=1e-6) or later != first
    served.apply(["fault=stall"], 110.0)
    assert served.next_s(110.0) is None
    assert served.due(500.0) == b""
