"""Tells of each time that the pass-through broke off, once, also of those while the daemon was down. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from agent.messages import AgentEvent
from drivers.api import Json, Observation
from drivers.shared import LOST_BYTES, RESTARTS

KEY_PREFIX = "pass_through/"
BOOT = "boot"


class RestartWatch:
    """Compares what the pass-through has counted since the boot with what was told already."""

    def __init__(self, stored: Mapping[str, Json], boot: str) -> None:
        """`stored`: what `seen` said last, by its key."""
        self._boot = boot
        self._seen: dict[str, tuple[int, int]] = {}
        for key, told in stored.items():
            if key.startswith(KEY_PREFIX) and isinstance(told, Mapping) and told.get(BOOT) == boot:
                restarts, lost = told.get(RESTARTS), told.get(LOST_BYTES)
                if isinstance(restarts, int) and isinstance(lost, int):
                    self._seen[key] = (restarts, lost)

    def look(self, device: str, observation: Observation) -> AgentEvent | None:
        """The event to tell, if it broke off since the last look; `seen` is to be stored with it."""
        counts = observation.statistics
        if RESTARTS not in counts or LOST_BYTES not in counts:
            return None
        now = (int(counts[RESTARTS]), int(counts[LOST_BYTES]))
        before = self._seen.get(KEY_PREFIX + device, (0, 0))
        if now[0] < before[0] or now[1] < before[1]:
            before = (0, 0)  # it began to count anew
        self._seen[KEY_PREFIX + device] = now
        if now == before:
            return None
        lost = now[1] - before[1]
        what = f"{lost} bytes of the till's may be lost" if lost else "no byte of the till's is lost"
        return AgentEvent(
            agent="pass_through_restarted", detail=f"{device}: {what}", count=max(1, now[0] - before[0])
        )

    def seen(self, device: str) -> dict[str, Json]:
        """What has been told of that device, to be stored under its key."""
        restarts, lost = self._seen[KEY_PREFIX + device]
        return {KEY_PREFIX + device: {BOOT: self._boot, RESTARTS: restarts, LOST_BYTES: lost}}
