"""Thresholds of the machine's vitals."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.host.judge import CLOCK_GRACE_S, KINDS, evidence, judge
from drivers.host.vitals import Vitals


def test_nothing_known_is_nothing_judged() -> None:
    assert judge(Vitals(), {}) == dict.fromkeys(KINDS)


@pytest.mark.parametrize(
    ("kind", "vital", "path"),
    [
        ("disk_full", "disk_used_pct", [(94.9, False), (95, True), (91, True), (90, False), (94, False)]),
        ("memory_low", "memory_available_pct", [(6, False), (5, True), (9.9, True), (10, False), (6, False)]),
        ("overheated", "temperature_c", [(89, False), (90, True), (81, True), (80, False), (89, False)]),
    ],
)
def test_a_threshold_has_two_edges(kind: str, vital: str, path: list[tuple[float, bool]]) -> None:
    before: dict[str, bool | None] = {}
    for value, expected in path:
        known: dict[str, Any] = {vital: value}
        before = judge(Vitals(**known), before)
        assert before[kind] is expected, value


@pytest.mark.parametrize(
    ("synced", "uptime_s", "expected"),
    [
        (True, 10.0, False),
        (True, None, False),
        (False, CLOCK_GRACE_S - 1, None),
        (False, CLOCK_GRACE_S, True),
        (False, None, None),
        (None, CLOCK_GRACE_S, None),
    ],
)
def test_an_unsynced_clock_has_its_first_hour(
    synced: bool | None, uptime_s: float | None, expected: bool | None
) -> None:
    assert judge(Vitals(clock_synced=synced, uptime_s=uptime_s), {})["clock_unsynced"] is expected


def test_evidence_names_the_number_and_its_limit() -> None:
    vitals = Vitals(disk_used_pct=97.5, memory_available_pct=50)
    assert evidence(vitals, judge(vitals, {})) == {"disk_full": {"disk_used_pct": 97.5, "limit": 95.0}}
