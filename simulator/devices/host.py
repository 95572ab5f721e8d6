"""The machine itself: what it would measure of itself, as one JSON object at each change and each REFRESH_S.

Read by the host driver where the configuration says `[host] vitals = "file:PATH"`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from simulator.devices.device import Knob, Knobs, PrintSink

REFRESH_S = 5.0
_BOOT_ID = "5a5a5a5a-0000-4000-8000-000000000001"
_UP_BEFORE_S = 3600.0

KNOBS = (
    Knob("cpu", ("idle", "busy")),
    Knob("memory", ("ok", "low")),
    Knob("disk", ("ok", "full")),
    Knob("temperature", ("ok", "hot")),
    Knob("clock", ("synced", "unsynced")),
    Knob("network", ("up", "down")),
)

_READS: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "cpu": {"idle": {"cpu_pct": 4.0, "load_1m": 0.1}, "busy": {"cpu_pct": 99.0, "load_1m": 8.0}},
    "memory": {"ok": {"memory_available_pct": 60.0}, "low": {"memory_available_pct": 2.0}},
    "disk": {"ok": {"disk_used_pct": 40.0}, "full": {"disk_used_pct": 99.0}},
    "temperature": {"ok": {"temperature_c": 45.0}, "hot": {"temperature_c": 98.0}},
    "clock": {"synced": {"clock_synced": True}, "unsynced": {"clock_synced": False}},
    "network": {"up": {"network_up": True}, "down": {"network_up": False}},
}
"""What each position of each knob makes the vitals read."""


class Host:
    """`simulator.devices.device.Device` for model `host`; it only speaks."""

    model = "host"

    def __init__(self) -> None:
        self.knobs = Knobs(*KNOBS)
        self._booted_s: float | None = None
        self._due_s = 0.0
        self._stalled = False

    def turn(self, knob: str, value: str, now_s: float) -> None:
        self.knobs.turn(knob, value)
        self._due_s = now_s

    def take(self, data: bytes, now_s: float) -> None:
        """Nobody can send it anything."""

    def room(self) -> int:
        return 1

    def due(self, now_s: float) -> list[bytes]:
        if self._stalled or now_s < self._due_s:
            return []
        if self._booted_s is None:
            self._booted_s = now_s - _UP_BEFORE_S
        self._due_s = now_s + REFRESH_S
        vitals: dict[str, object] = {"boot_id": _BOOT_ID, "uptime_s": round(now_s - self._booted_s, 3)}
        for knob, value in self.knobs.standing().items():
            vitals.update(_READS[knob][value])
        return [json.dumps(vitals).encode()]

    def next_s(self, now_s: float) -> float | None:  # noqa: ARG002 - the contract hands it to every model
        return None if self._stalled else self._due_s

    def stall(self, stalled: bool, now_s: float) -> None:
        self._stalled, self._due_s = stalled, now_s

    def plug(self, plugged: bool, now_s: float) -> None:  # noqa: ARG002
        self._due_s = now_s

    def powered(self) -> bool:
        return True

    def power_line(self) -> bool | None:
        return None

    def intake_bytes_s(self) -> float | None:
        return None

    def facts(self) -> Mapping[str, object]:
        return {}

    def print_to(self, sink: PrintSink) -> None:
        """It prints nothing."""
