"""Where the vitals come from."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from drivers.errors import ProtocolError
from drivers.host import vitals
from drivers.host.vitals import Vitals, from_file, machine, network_up, processor_c


class Reading(NamedTuple):
    current: float


def interface(root: Path, name: str, state: str, *, hardware: bool = True, flags: int = 0x1003) -> None:
    folder = root / "sys/class/net" / name
    folder.mkdir(parents=True)
    (folder / "operstate").write_text(f"{state}\n")
    (folder / "flags").write_text(f"{flags:#x}\n")
    if hardware:
        (folder / "device").mkdir()


def test_no_sys_is_not_known(tmp_path: Path) -> None:
    assert network_up(tmp_path) is None
    assert vitals.boot_id(tmp_path) is None


def test_loopback_is_no_network(tmp_path: Path) -> None:
    interface(tmp_path, "lo", "unknown", hardware=False)
    assert network_up(tmp_path) is False


def test_a_bridge_does_not_stand_in_for_a_pulled_cable(tmp_path: Path) -> None:
    interface(tmp_path, "eth0", "down")
    interface(tmp_path, "docker0", "up", hardware=False)
    assert network_up(tmp_path) is False
    interface(tmp_path, "wlan0", "up")
    assert network_up(tmp_path) is True


def test_in_a_container_any_interface_counts(tmp_path: Path) -> None:
    interface(tmp_path, "eth0", "up", hardware=False)
    assert network_up(tmp_path) is True


@pytest.mark.parametrize(("flags", "up"), [(0x1003, True), (0x1002, False)])
def test_a_modem_without_state_is_judged_by_its_flag(tmp_path: Path, flags: int, up: bool) -> None:
    interface(tmp_path, "wwan0", "unknown", flags=flags)
    assert network_up(tmp_path) is up


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ({}, None),
        ({"nct6775": [Reading(125.0)]}, None),
        ({"nct6775": [Reading(125.0)], "coretemp": [Reading(41.0), Reading(44.0)]}, 44.0),
        ({"cpu_thermal": [Reading(61.2)]}, 61.2),
    ],
)
def test_only_a_processor_sensor_tells_its_temperature(
    sensors: dict[str, list[Reading]], expected: float | None
) -> None:
    assert processor_c(sensors) == expected


@pytest.mark.parametrize(("answer", "synced"), [(0, True), (5, False), (-1, None), (4, True)])
def test_the_kernel_knows_whether_the_clock_is_synced(
    monkeypatch: pytest.MonkeyPatch, answer: int, synced: bool | None
) -> None:
    class Libc:
        @staticmethod
        def adjtimex(_buffer: object) -> int:
            return answer

    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Libc)
    assert vitals.clock_synced() is synced


def test_this_machine_has_vitals(tmp_path: Path) -> None:
    look = machine(tmp_path / "not made yet" / "state")
    first, second = look(), look()
    assert first.cpu_pct is None, "there is no load before a first interval"
    assert second.cpu_pct is not None
    assert second.memory_available_pct is not None
    assert 0 < second.memory_available_pct <= 100
    assert second.disk_used_pct is not None
    assert 0 <= second.disk_used_pct <= 100
    assert second.uptime_s is not None
    assert second.uptime_s > 0
    assert second.load_1m is not None
    assert second.boot_id is None or len(second.boot_id) == 36
    assert second.clock_synced in (True, False, None)


def test_a_file_of_vitals(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    said: dict[str, Any] = {
        "cpu_pct": 3,
        "memory_available_pct": 61.5,
        "disk_used_pct": 40,
        "temperature_c": None,
        "clock_synced": True,
        "network_up": True,
        "uptime_s": 7200.5,
        "boot_id": "b",
        "load_1m": 0.2,
        "something_new": 1,
    }
    path.write_text(json.dumps(said))
    del said["something_new"]
    assert from_file(path)() == Vitals(**said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[]", "no JSON object"),
        ('{"cpu_pct": "high"}', "cpu_pct is 'high'"),
        ('{"cpu_pct": true}', "cpu_pct is True"),
        ('{"clock_synced": 1}', "clock_synced is 1"),
        ('{"boot_id": 7}', "boot_id is 7"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(text)
    with pytest.raises(ProtocolError, match=said):
        from_file(path)()
