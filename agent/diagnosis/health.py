"""The terminal at a glance: levels for people, out of what was observed and which faults are open. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from agent.messages import FaultEvent, Health, HealthLevel, OpenFault, Severity
from drivers.api import Observation, Power, Sale

POLLS_BEFORE_HEALTH = 3
"""Polls that a device may take for its first observation; no health is told before."""

REFRESHES_TILL_OVERDUE = 2
"""Refreshes that may be lost before a reader holds the health for overdue."""

LEVELS: Mapping[Severity, HealthLevel] = {
    "critical": "now",
    "major": "now",
    "minor": "soon",
    "warning": "soon",
    "indeterminate": "unknown",
}
_WORST_FIRST: tuple[HealthLevel, ...] = ("now", "soon", "ok", "unknown")
_SEVEREST_FIRST: tuple[Severity, ...] = ("critical", "major", "minor", "warning", "indeterminate")


def summarise(
    observed: Mapping[str, Observation | None],
    faults: Iterable[FaultEvent],
    *,
    refresh_s: float,
    excused: Collection[str] = (),
    sale: Sale = "unknown",
    shop_open: bool | None = None,
) -> Health:
    """Health as it is published, from each watched device's latest observation (None: none yet).

    A device is as bad as its worst fault; without one it is `ok` if its power state is known, else
    `unknown`; so is one that is `excused`, since its trouble is not judged. The terminal is as bad as
    its worst judged device, `unknown` only if none is judged.
    Suppressed and shelved faults are listed and colour nothing: the cause does, or somebody has
    decided. Acknowledged ones colour on: they are still there. `agent` appears while it has a fault.
    """
    listed = sorted(faults, key=lambda fault: (_SEVEREST_FIRST.index(fault.severity), fault.raised_at))
    devices = {
        device: "unknown" if device in excused else _without_fault(seen) for device, seen in observed.items()
    }
    for fault in listed:
        if fault.suppressed_by is None and fault.shelved is None:
            devices[fault.device] = _worst([LEVELS[fault.severity], devices.get(fault.device, "unknown")])
    return Health(
        level=_worst(devices.values()),
        devices=devices,
        unknown=[device for device, level in devices.items() if level == "unknown"],
        faults=[_open(fault) for fault in listed],
        sale=sale,
        open=shop_open,
        policy="observe",  # nothing repairs yet
        labels={},
        expires_s=math.ceil(REFRESHES_TILL_OVERDUE * refresh_s),
    )


def _without_fault(seen: Observation | None) -> HealthLevel:
    return "unknown" if seen is None or seen.power is Power.UNKNOWN else "ok"


def _worst(levels: Iterable[HealthLevel]) -> HealthLevel:
    return min(levels, key=_WORST_FIRST.index, default="unknown")


def _open(fault: FaultEvent) -> OpenFault:
    return OpenFault(
        fault=fault.fault,
        occurrence=fault.occurrence,
        kind=fault.kind,
        severity=fault.severity,
        raised_at=fault.raised_at,
        acknowledged=fault.acknowledged is not None,
        shelved=fault.shelved is not None,
    )
