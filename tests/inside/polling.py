"""In a guest: a driver is polled until it has seen something, and a link is tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers import registry
from drivers.api import Driver, Observation, Setup
from drivers.errors import LinkError
from drivers.link import make
from tests.inside.bench import CLOCK, after, until

POLL_S = 5.0


def driver_for(name: str, address: str, reply_s: float = 0.5) -> Driver:
    """Of the device at that link, which is nobody else's."""
    spec = registry.spec(name)
    link = make(address, spec.usb_class)
    return spec.make(Setup(device=name, link=link, clock=CLOCK, memory={}, poll_s=0.2, reply_s=reply_s))


def polled(driver: Driver, enough: Callable[[Observation], bool]) -> Observation:
    """The first observation that is enough."""

    def look() -> Observation | None:
        seen = driver.poll(after(POLL_S))
        return seen if enough(seen) else None

    return until(look)


def values(seen: Observation) -> dict[str, bool | None]:
    return {kind: condition.value for kind, condition in seen.conditions.items()}


def shown(seen: Observation) -> dict[str, Any]:
    """An observation for the test outside."""
    return {
        "power": seen.power,
        "true": sorted(kind for kind, value in values(seen).items() if value),
        "identity": dict(seen.identity),
        "facts": dict(seen.facts),
        "statistics": dict(seen.statistics),
    }


def error_of(address: str, usb_class: int, code: str = "") -> dict[str, str] | None:
    """What stands in the way of taking it, if it is of that code, or None; it is given back at once."""
    link = make(address, usb_class)
    try:
        link.open(after(2))
    except LinkError as error:
        said = {"code": error.code, "text": str(error), "hint": error.hint}
        return said if code in ("", error.code) else None
    link.close()
    return None
