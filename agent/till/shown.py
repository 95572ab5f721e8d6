"""What a till is shown: whether a sale is in progress, and how each printer is. Pure.

Conditions and advice, nothing else: no serial number, no counter, no name of this terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.diagnosis.catalogue import ADVICE, CATALOGUE

PRINTER = "POSPrinter"
BEHIND = "the agent is starting, stopping or far behind; try again"


def state(view: Mapping[str, Any]) -> dict[str, Any]:
    """`{"sale", "open", "printers": {id: printer}}` out of `Terminal.view()`."""
    health = view["health"] or {}
    return {
        "sale": view["sale"]["state"],
        "open": view["open"],
        "printers": {
            device: _printer(device, seen, health)
            for device, seen in view["devices"].items()
            if seen is not None and PRINTER in seen["categories"]
        },
    }


def _printer(device: str, seen: Mapping[str, Any], health: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "power": seen["power"],
        "level": health.get("devices", {}).get(device, "unknown"),
        "conditions": {
            kind: {"value": condition["value"], "at": condition["at"]}
            for kind, condition in seen["conditions"].items()
        },
        "advice": _advice(device, health.get("faults", ())),
    }


def _advice(device: str, faults: Any) -> list[dict[str, str]]:
    """For the faults that stand, the severest first; each piece of advice once."""
    codes = dict.fromkeys(
        CATALOGUE[fault["kind"]].advice
        for fault in faults
        if fault["fault"].partition("/")[0] == device and fault["kind"] in CATALOGUE and not fault["shelved"]
    )
    return [{"code": code, "en": ADVICE[code].en, "zh": ADVICE[code].zh} for code in codes]
