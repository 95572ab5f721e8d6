"""Topic names of one terminal (design: the MQTT contract, version 1)."""

from __future__ import annotations

from dataclasses import dataclass

STATUS = "status"
HEALTH = "health"
METRIC = "metric"
ALWAYS = (STATUS, HEALTH)
"""Retained for every terminal; `device/<id>` comes with the devices."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Full names below `<base>/<terminal>/`."""

    base: str
    terminal: str

    def full(self, below: str) -> str:
        return f"{self.base}/{self.terminal}/{below}"
