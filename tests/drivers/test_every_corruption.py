"""One byte of a hundred is spoilt: nothing is told that the device did not have, nothing cleared that it has.

An hour is turned for each driver and link in the soak, a part of it in the suite.
"""

from __future__ import annotations

import pytest

from tests.drivers.test_every_knob import IMPLIED, own_kind, settings
from tests.every_device import PLACES, Place, Watch

CORRUPT = "fault=corrupt:0.01"
SUITE_S, HOUR_S = 600.0, 3600.0
SEEDS = range(1, 6)
UNIT_EACH = 15
"""Every so many-th case belongs to the quick tests."""

ENDS_BY_COMMAND = ("cutter=freed", "error=recoverable")
"""A status enquiry is one bit from the command that ends these (DLE EOT, DLE ENQ)."""


def made_so(watch: Watch) -> set[str]:
    """What the spoilt bytes have made of the device in truth."""
    facts = watch.forward.bench.device.facts()
    kinds = set()
    if watch.place.driver == "magtek":
        kinds.add("unplugged")  # a question one bit from a reset, and it obeys and leaves the bus
    if facts.get("waiting_bytes"):
        kinds.add("stalled")  # a command that waits for its data, and swallows what was to be printed
    return kinds


def _cases(cases: list[tuple[object, ...]]) -> list[object]:
    """Each for a part of an hour, and in the soak for an hour of each seed."""
    made: list[object] = []
    for at, case in enumerate(cases):
        name = "-".join(str(part) for part in case)
        marks = [] if at % UNIT_EACH == 0 else [pytest.mark.slow]
        made.append(pytest.param(*case, 1, SUITE_S, id=name, marks=marks))
        made += [
            pytest.param(*case, seed, HOUR_S, id=f"{name}-{seed}", marks=[pytest.mark.soak]) for seed in SEEDS
        ]
    return made


@pytest.mark.parametrize(("place", "seed", "lasts_s"), _cases([(place,) for place in PLACES]))
def test_nothing_is_published_that_the_device_did_not_have(place: Place, seed: int, lasts_s: float) -> None:
    watch = Watch(place, CORRUPT, seed=seed)
    told = watch.run(lasts_s / place.own.pace_s)
    assert watch.ever_true() <= made_so(watch)
    assert {change.split()[1] for change in told} <= made_so(watch)


def _standing() -> list[tuple[object, ...]]:
    """One fault of its own for each driver and link that has any; not always the same one."""
    made: list[tuple[object, ...]] = []
    for at, place in enumerate(PLACES):
        own = [setting for setting, _back in settings(place) if own_kind(place, setting)]
        own = [setting for setting in own if setting not in ENDS_BY_COMMAND]
        made += [(place, own[at % len(own)])] if own else []
    return made


@pytest.mark.parametrize(("place", "setting", "seed", "lasts_s"), _cases(_standing()))
def test_what_the_device_has_is_not_cleared(place: Place, setting: str, seed: int, lasts_s: float) -> None:
    kind = own_kind(place, setting)
    watch = Watch(place, setting, seed=seed)
    assert watch.run(6) == [f"raised {kind}"]
    watch.tell(CORRUPT)
    told = watch.run(lasts_s / place.own.pace_s)
    assert {change.split()[1] for change in told} <= made_so(watch)
    assert kind in watch.standing()
    assert watch.ever_true() <= {kind, *IMPLIED.get(kind or "", ()), *made_so(watch)}
