"""From vitals to conditions: pure thresholds. Each has two, so that a value at the edge does not flap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.api import Json
from drivers.host.vitals import Vitals

CLOCK_GRACE_S = 3600.0
"""After a boot without network a clock may be wrong for a while; only then is it worth a word."""


@dataclass(frozen=True, slots=True)
class Limits:
    """A number turns bad at `bad`, and good again at `good`; whichever is greater says which way."""

    vital: str
    bad: float
    good: float

    def judge(self, value: float, before: bool | None) -> bool:
        edge = self.good if before else self.bad
        if self.bad > self.good:
            return value > edge if before else value >= edge
        return value < edge if before else value <= edge


LIMITS: Mapping[str, Limits] = {
    "disk_full": Limits("disk_used_pct", bad=95.0, good=90.0),
    "memory_low": Limits("memory_available_pct", bad=5.0, good=10.0),
    # Small fanless processors throttle from 85 to 100 degrees.
    "overheated": Limits("temperature_c", bad=90.0, good=80.0),
}
VITALS: Mapping[str, str] = {
    **{kind: limits.vital for kind, limits in LIMITS.items()},
    "clock_unsynced": "clock_synced",
}
"""Each kind, and the vital that it is judged by."""
KINDS = tuple(VITALS)


def judge(vitals: Vitals, before: Mapping[str, bool | None]) -> dict[str, bool | None]:
    """Every kind in `KINDS`; `before` is what this said of the vitals before. Unknown stays unknown."""
    judged: dict[str, bool | None] = {}
    for kind, limits in LIMITS.items():
        value = getattr(vitals, limits.vital)
        judged[kind] = None if value is None else limits.judge(value, before.get(kind))
    judged["clock_unsynced"] = _clock_unsynced(vitals)
    return judged


def _clock_unsynced(vitals: Vitals) -> bool | None:
    if vitals.clock_synced is not False:
        return None if vitals.clock_synced is None else False
    if vitals.uptime_s is None or vitals.uptime_s < CLOCK_GRACE_S:
        return None
    return True


def evidence(vitals: Vitals, judged: Mapping[str, bool | None]) -> dict[str, dict[str, Json]]:
    """For each kind that holds by a number: the number and its limit."""
    return {
        kind: {limits.vital: getattr(vitals, limits.vital), "limit": limits.bad}
        for kind, limits in LIMITS.items()
        if judged[kind]
    }
