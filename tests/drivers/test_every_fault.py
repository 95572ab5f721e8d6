"""Each fault of the simulator at each driver and link: named by the table of silence, and by no other name.

What stands, what may come and go, and what is never said follow from the table alone; whoever does
otherwise stands among the exceptions, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from simulator import faults
from tests.every_device import PLACES, Place, Watch

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Named:
    """What a fault is called, as kinds."""

    stands: frozenset[str] = NONE  #: raised once, and stands till the fault ends
    comes: frozenset[str] = NONE  #: is raised, and may go again
    may: frozenset[str] = NONE  #: may be raised, may go

    @property
    def allowed(self) -> frozenset[str]:
        return self.stands | self.comes | self.may


QUIET = Named()


def silence(place: Place) -> Named:
    return Named(stands=frozenset({place.silence}))


def gone(place: Place) -> Named:
    return Named(stands=frozenset({place.gone}))


def garbled(_place: Place) -> Named:
    return Named(stands=frozenset({"garbled"}))


def stalled(_place: Place) -> Named:
    return Named(stands=frozenset({"stalled"}))


def comes_and_goes(place: Place) -> Named:
    return Named(comes=frozenset({place.gone}))


def may_go(place: Place) -> Named:
    return Named(may=frozenset({place.gone}))


def late(place: Place) -> Named:
    """Past the deadline: missed, or half of it there."""
    return Named(may=frozenset({place.silence, "garbled"}))


def now_and_then_garbled(_place: Place) -> Named:
    return Named(comes=frozenset({"garbled"}))


def late_or_reset(place: Place) -> Named:
    return Named(may=frozenset({place.silence, place.gone, "garbled"}))


def quiet(_place: Place) -> Named:
    return QUIET


Naming = Callable[[Place], Named]

TABLE: dict[str, Naming] = {
    "mute": silence,
    "stall": quiet,
    "slow:0.2": quiet,
    "slow:3": late,
    "drip:0.02": quiet,
    "drip:1": late,
    "babble": garbled,
    "mute,babble": garbled,
    "drop:0.05": late,
    "drop:0.5": late,
    "corrupt:0.01": quiet,
    "corrupt:0.2": late,
    "die_mid_frame": silence,
    "unplug": gone,
    "flap:3": comes_and_goes,
}

BY_CHANCE = ("babble", "drop", "corrupt")
"""What a seed makes different."""

WAY_ALONE = ("unplug", "flap:3")
"""What shows at the link of a device that says nothing."""
ANSWERS_NOTHING = {
    *(("aedex", way) for way in ("serial", "wired")),
    *(("cd5220", way) for way in ("serial", "wired")),
    *(("logic_controls", way) for way in ("serial", "wired")),
    *(("generic", way) for way in ("serial", "wired", "tcp", "held")),
}

# Driver, ways (none: all of them), fault, what is named instead, and why.
EXCEPTIONS: list[tuple[str, tuple[str, ...], str, Naming, str]] = [
    ("escpos", ("serial", "wired", "held", "usb"), "stall", stalled, "the profile has a completion probe"),
    ("star", ("serial", "wired", "held", "usb"), "stall", stalled, "the profile has a completion counter"),
    (
        "escpos",
        (),
        "babble",
        now_and_then_garbled,
        "a status is one byte: by chance noise makes a whole round",
    ),
    ("star", ("tcp",), "babble", quiet, "the answer comes before the noise, and ends the connection"),
    ("generic", ("usb",), "babble", quiet, "the port status comes by control request, past the noise"),
    ("generic", ("usb",), "mute,babble", silence, "likewise"),
    ("magtek", (), "babble", quiet, "a report is fetched after it was asked for; what was there is dropped"),
    ("magtek", (), "corrupt:0.2", late_or_reset, "a flipped bit makes a reset of the question, and it obeys"),
    ("vivotech", ("hid",), "babble", quiet, "a report is fetched, as above"),
    ("zvt", ("serial",), "babble", quiet, "what is between two whole frames is passed over"),
    ("zvt", ("serial",), "mute,babble", silence, "likewise, and no frame is silence"),
    ("escpos", ("tcp",), "flap:3", may_go, "it is connected for moments only, and three polls must fail"),
    ("star", ("tcp",), "flap:3", may_go, "likewise"),
    ("generic", ("tcp",), "flap:3", may_go, "likewise"),
    ("zvt", (), "flap:3", may_go, "likewise, once a minute"),
]


def named(place: Place, fault: str) -> Named:
    for driver, ways, of, naming, _why in EXCEPTIONS:
        if driver == place.driver and fault == of and (not ways or place.way in ways):
            return naming(place)
    if (place.driver, place.way) in ANSWERS_NOTHING and fault not in WAY_ALONE:
        return QUIET
    return TABLE[fault](place)


UNIT_EACH = len(TABLE)
"""Every so many-th case belongs to the quick tests: each place is there once, and each fault."""


def _cases() -> list[object]:
    cases: list[object] = []
    for row, place in enumerate(PLACES):
        for column, fault in enumerate(TABLE):
            quick = (row + column) % UNIT_EACH == 0
            marks = [] if quick else [pytest.mark.slow]
            cases.append(pytest.param(place, fault, 1, id=f"{place}-{fault}", marks=marks))
            seeds = range(2, 7) if fault.split(":")[0].split(",")[-1] in BY_CHANCE else ()
            cases += [
                pytest.param(place, fault, seed, id=f"{place}-{fault}-{seed}", marks=[pytest.mark.soak])
                for seed in seeds
            ]
    return cases


STALL_PACES = (45, 120)
"""Before, for a probe to be answered, and during: three of them, a minute each, are not."""


@pytest.mark.parametrize(("place", "fault", "seed"), _cases())
def test_a_fault_has_its_name_and_ends(place: Place, fault: str, seed: int) -> None:
    expected = named(place, fault)
    before, during = STALL_PACES if expected == stalled(place) else (6, 20)
    watch = Watch(place, seed=seed)
    assert watch.run(before) == []
    power = watch.power()
    watch.tell(f"fault={fault}")
    told = watch.run(during)
    for kind in expected.stands:
        assert told == [f"raised {kind}"]
    kinds = {change.split()[1] for change in told}
    assert expected.comes <= kinds <= expected.allowed
    assert watch.ever_true() <= expected.allowed
    watch.tell("fault=none")
    watch.run(20)
    assert (watch.standing(), watch.power()) == (set(), power)
    assert watch.latest_s <= 0, "each step keeps its own deadline, so that a hang can be told from it"


def test_the_table_has_every_fault_and_every_exception_is_one() -> None:
    assert {part.partition(":")[0] for fault in TABLE for part in fault.split(",")} == {
        name.partition(":")[0] for name in faults.FAULTS
    } - {"none"}
    for driver, ways, fault, naming, why in EXCEPTIONS:
        places = [place for place in PLACES if place.driver == driver and (not ways or place.way in ways)]
        assert places, (driver, ways)
        for place in places:
            assert naming(place) != TABLE[fault](place), (driver, fault, why)
