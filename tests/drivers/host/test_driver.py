"""The machine as a device."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Deadline, Driver, Link, Occasion, Power, Setup, SystemClock
from drivers.errors import AddressError
from drivers.host.driver import SPEC
from drivers.host.judge import KINDS
from tests.clock import TurnedClock

HEALTHY = {
    "cpu_pct": 3.5,
    "memory_available_pct": 61.5,
    "disk_used_pct": 40.0,
    "temperature_c": 45.0,
    "clock_synced": True,
    "network_up": True,
    "uptime_s": 7200.0,
    "boot_id": "boot-1",
    "load_1m": 0.2,
}
OCCASION = Occasion("T-1", "2026-11-22 08:00")


class NoLink:
    """The machine needs none."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the host driver used its link: {name}")


def host(vitals: str, clock: TurnedClock | SystemClock, trust: str = "auto") -> Driver:
    link: Any = NoLink()
    typed: Link = link
    return SPEC.make(
        Setup(
            device="host",
            link=typed,
            clock=clock,
            memory={},
            options={"vitals": vitals, "disk": "/", "clock": trust},
        )
    )


def written(path: Path, **changes: object) -> Path:
    path.write_text(json.dumps(HEALTHY | changes))
    return path


def test_a_trusted_clock_is_no_fault(tmp_path: Path) -> None:
    clock = TurnedClock()
    vitals = f"file:{written(tmp_path / 'host.json', clock_synced=False)}"
    for trust, unsynced in (("auto", True), ("trusted", False)):
        seen = host(vitals, clock, trust).poll(Deadline.after(clock, 1))
        assert seen.conditions["clock_unsynced"].value is unsynced
        assert seen.facts["clock_synced"] is not unsynced


def test_a_healthy_machine(tmp_path: Path) -> None:
    clock = TurnedClock()
    driver = host(f"file:{written(tmp_path / 'host.json')}", clock)
    seen = driver.poll(Deadline.after(clock, 1))
    assert seen.heard
    assert seen.power is Power.ONLINE
    assert tuple(seen.conditions) == KINDS
    assert {condition.value for condition in seen.conditions.values()} == {False}
    assert seen.facts == {"clock_synced": True, "network_up": True, "boot_id": "boot-1"}
    assert seen.statistics["disk_used_pct"] == 40.0
    assert set(seen.statistics) == set(HEALTHY) - set(seen.facts)
    assert seen.last_heard_wall_s == clock.wall_s()


def test_conditions_come_and_go(tmp_path: Path) -> None:
    clock = TurnedClock()
    path = written(tmp_path / "host.json", disk_used_pct=97.0, network_up=False)
    driver = host(f"file:{path}", clock)
    seen = driver.poll(Deadline.after(clock, 1))
    assert [kind for kind, c in seen.conditions.items() if c.value] == ["disk_full"]
    assert seen.evidence == {"disk_full": {"disk_used_pct": 97.0, "limit": 95.0}}
    written(path, disk_used_pct=92.0)
    assert driver.poll(Deadline.after(clock, 1)).conditions["disk_full"].value is True
    written(path, disk_used_pct=50.0)
    assert driver.poll(Deadline.after(clock, 1)).conditions["disk_full"].value is False


def test_a_number_that_is_missing_is_absent_and_not_judged(tmp_path: Path) -> None:
    clock = TurnedClock()
    seen = host(f"file:{written(tmp_path / 'host.json', temperature_c=None)}", clock).poll(
        Deadline.after(clock, 1)
    )
    assert seen.conditions["overheated"].value is None
    assert "temperature_c" not in seen.statistics


def test_no_vitals_are_unknown_and_keep_when_they_were_known(tmp_path: Path) -> None:
    clock = TurnedClock()
    path = written(tmp_path / "host.json", disk_used_pct=97.0)
    driver = host(f"file:{path}", clock)
    known_wall_s = driver.poll(Deadline.after(clock, 1)).conditions["disk_full"].wall_s
    path.unlink()
    clock.advance(30)
    seen = driver.poll(Deadline.after(clock, 1))
    assert not seen.heard
    assert seen.power is Power.UNKNOWN
    assert {condition.value for condition in seen.conditions.values()} == {None}
    assert seen.conditions["disk_full"].wall_s == known_wall_s
    assert "host.json" in str(seen.facts["trouble"])
    assert seen.last_heard_wall_s == known_wall_s


def test_its_selftest_changes_nothing_and_gives_a_verdict_each(tmp_path: Path) -> None:
    clock = TurnedClock()
    path = written(tmp_path / "host.json", temperature_c=None, memory_available_pct=2)
    steps = list(host(f"file:{path}", clock).selftest("internal", OCCASION, Deadline.after(clock, 5)))
    assert [(step.name, step.verdict, step.detail) for step in steps] == [
        ("disk_used_pct", "passed", "40.0"),
        ("memory_available_pct", "failed", "2.0; the limit is 5.0"),
        ("temperature_c", "untested", "not known"),
        ("clock_synced", "passed", "true"),
    ]
    path.unlink()
    (step,) = host(f"file:{path}", clock).selftest("external", OCCASION, Deadline.after(clock, 5))
    assert step.verdict == "untested"


def test_listening_ends_when_woken_or_at_the_deadline(tmp_path: Path) -> None:
    clock = SystemClock()
    driver = host("psutil", clock)
    assert driver.listen(Deadline.after(clock, 0.01)) is None
    threading.Timer(0.02, driver.wake).start()
    began_s = time.monotonic()
    assert driver.listen(Deadline.after(clock, 30)) is None
    assert time.monotonic() - began_s < 5
    driver.close()


def test_what_was_never_known_has_no_moment(tmp_path: Path) -> None:
    clock = TurnedClock()
    seen = host(f"file:{written(tmp_path / 'host.json', temperature_c=None)}", clock).poll(
        Deadline.after(clock, 1)
    )
    assert seen.conditions["overheated"].value is None
    assert seen.conditions["overheated"].wall_s == 0
    assert seen.conditions["disk_full"].wall_s == clock.wall_s()


def test_another_source_is_refused() -> None:
    with pytest.raises(AddressError, match="neither psutil nor file:PATH"):
        host("nvme", TurnedClock())
