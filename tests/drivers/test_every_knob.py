"""Each knob of each model at each driver and link raises and clears its own fault and no other's.

The knobs are asked of the models: one that is new is in no table, and fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.every_device import PLACES, Place, Watch

OWN: Mapping[str, Mapping[str, str]] = {
    "escpos": {
        "paper=near_end": "paper_near_end",
        "paper=end": "paper_end",
        "cover=open": "cover_open",
        "cutter=jam": "cutter_error",
        "cutter=freed": "cutter_error",
        "head=hot": "head_hot",
        "error=recoverable": "error_recoverable",
        "error=unrecoverable": "error_unrecoverable",
    },
    "star": {
        "paper=near_end": "paper_near_end",
        "paper=end": "paper_end",
        "cover=open": "cover_open",
        "cutter=jam": "cutter_error",
        "cutter=freed": "cutter_error",
        "head=hot": "head_hot",
        "error=recoverable": "error_recoverable",
        "error=unrecoverable": "error_unrecoverable",
        "presenter=jam": "paper_jam",
    },
    "ccid": {
        "reader=hardware_error": "hardware_error",
        "reader=over_current": "over_current",
        "reader=short_circuit": "over_current",
    },
    "vivotech": {
        "tamper=yes": "tamper",
        "sam=error": "sam_error",
        "secure=failed": "secure_interface_failed",
    },
    "ncr597x": {"shows=nonsense": "wrong_text"},
    "zvt": {
        "reader=defective": "reader_defective",
        "pin_pad=defective": "pin_pad_defective",
        "registered=no": "not_registered",
        "diagnosis=required": "diagnosis_required",
        "memory=full": "memory_full",
        "host=unreachable": "communication_fault",
        "printer=not_ready": "printer_not_ready",
    },
}
"""What a device has, and says of itself, wherever it is asked."""

PORT_STATUS: Mapping[str, str] = {
    "paper=end": "paper_end",
    "cover=open": "printer_offline",
    "cutter=jam": "printer_error",
    "cutter=freed": "printer_error",
    "head=hot": "printer_error",
    "error=recoverable": "printer_error",
    "error=unrecoverable": "printer_error",
}
"""All that a printer without a language says, and over USB alone."""

IMPLIED = {"paper_end": {"paper_near_end"}}
"""What is so as well, and suppressed."""

OWN_ELSEWHERE = {setting.partition("=")[0] for own in (*OWN.values(), PORT_STATUS) for setting in own}
"""Knobs that are some model's own fault: of `generic`, or at another value, they may be none."""

UNIT_EACH = 15
"""Every so many-th case belongs to the quick tests."""

NO_FAULT: Mapping[str, str] = {
    "answer": "a reader that takes its time is no silent one",
    "busy": "a payment goes on",
    "card": "a fact",
    "configured": "a matter of the USB below",
    "drawer": "a fact",
    "extension": "how much more time it asks for",
    "near_end": "whether it has that sensor",
    "paper": "near its end, where only the port status is asked",
    "rate": "how fast it takes data",
    "shows": "where nothing reads it back",
    "supply": "shows only when the cable is out",
    "swipe": "the customer's",
    "switch": "somebody took it offline on purpose",
    "unknown": "what it does with commands that it does not know",
}
"""Knobs that raise nothing, or nothing more than what stands above, and why."""

WHICH = ("firmware", "model", "serial", "software", "terminal_id", "version")
"""Knobs that make another device of it; turned while it is away."""

ANOTHER: set[tuple[str, str, str]] = {
    *[("dmd", way, "serial=X9999999") for way in ("serial", "wired", "usb")],
    *[("escpos", way, "serial=X9999999") for way in ("serial", "wired", "tcp", "held", "usb")],
    *[("vivotech", way, "serial=X9999999") for way in ("serial", "hid")],
    *[("ncr597x", way, model) for way in ("serial", "wired") for model in ("model=5972", "model=5977")],
    ("magtek", "hid", "serial=X9999999"),
    ("generic", "usb", "model=X9999999"),
    ("star", "usb", "model=X9999999"),
}
"""What is noticed. All else is not asked for, is no serial number, or has the same one as before."""

KIND_OF_DEVICE = ("answers",)
"""Knobs that say what kind of device it is: from the start."""

NO_POWER_LINE = "nothing that it says ever told what its line means"
POWER_UNSEEN = {
    **{(driver, "serial"): "it has no answers to miss" for driver in ("aedex", "cd5220", "logic_controls")},
    ("generic", "serial"): "it has no answers to miss",
    ("generic", "wired"): NO_POWER_LINE,
    ("generic", "held"): "the connection is kept, and nothing is sent over it",
}
POWER_OFF: Mapping[str, str] = {
    "serial": "silent",
    "wired": "power_off",
    "tcp": "unreachable",
    "held": "unreachable",
    "usb": "unplugged",
    "hid": "unplugged",
}


def own_kind(place: Place, setting: str) -> str | None:
    if place.driver == "generic":
        return PORT_STATUS.get(setting) if place.way == "usb" else None
    return OWN.get(place.driver, {}).get(setting)


def settings(place: Place) -> Iterator[tuple[str, str]]:
    """Each thing that can be told to the model here, and what it was before."""
    standing = dict(setting.split("=") for setting in place.own.settings)
    for line in place.model().knobs.described():
        name, _, choices = line.partition("=")
        values = choices.split("|")
        before = standing.get(name, values[0])
        for value in values:
            if value != before and name != "dsr":  # that one is told by the way
                told = {"NUMBER": "0.5", "TEXT": "X9999999"}.get(value, value)
                yield f"{name}={told}", f"{name}={before}"


def _cases(*, named: Callable[[str], bool]) -> list[object]:
    cases = [
        (place, setting, back)
        for place in PLACES
        for setting, back in settings(place)
        if named(setting.partition("=")[0])
    ]
    return [
        pytest.param(
            *case, id=f"{case[0]}-{case[1]}", marks=[] if at % UNIT_EACH == 0 else [pytest.mark.slow]
        )
        for at, case in enumerate(cases)
    ]


def _is_state(name: str) -> bool:
    return name not in (*WHICH, *KIND_OF_DEVICE, "power")


@pytest.mark.parametrize(("place", "setting", "back"), _cases(named=_is_state))
def test_a_knob_raises_and_clears_its_own_fault_and_no_other(place: Place, setting: str, back: str) -> None:
    kind = own_kind(place, setting)
    if kind is None:
        assert setting.partition("=")[0] in {*NO_FAULT, *OWN_ELSEWHERE}, "a knob without a line here"
    _raises_alone(Watch(place), setting, back, kind)


@pytest.mark.parametrize(("place", "setting", "back"), _cases(named=lambda name: name == "power"))
def test_switched_off_it_is_named_by_its_way(place: Place, setting: str, back: str) -> None:
    unseen = (place.driver, place.way) in POWER_UNSEEN
    _raises_alone(Watch(place), setting, back, None if unseen else POWER_OFF[place.way])


def _raises_alone(watch: Watch, setting: str, back: str, kind: str | None) -> None:
    assert watch.run(6) == []
    power = watch.power()
    watch.tell(setting)
    assert watch.run(12) == ([f"raised {kind}"] if kind else [])
    watch.tell(back)
    assert watch.run(12) == ([f"cleared {kind}"] if kind else [])
    assert watch.ever_true() <= {kind, *IMPLIED.get(kind or "", ())}
    assert watch.power() == power


@pytest.mark.parametrize(("place", "setting", "back"), _cases(named=lambda name: name in WHICH))
def test_another_one_in_its_place_is_noticed_by_what_it_says(place: Place, setting: str, back: str) -> None:
    watch = Watch(place)
    watch.run(10)
    for told, changed in ((setting, (place.driver, place.way, setting) in ANOTHER), (back, False)):
        watch.tell("fault=unplug")
        watch.run(10)
        watch.tell(told, "fault=none")
        watch.run(30)
        assert watch.standing() == ({"identity_changed"} if changed else set()), told


@pytest.mark.parametrize(("place", "setting", "back"), _cases(named=lambda name: name in KIND_OF_DEVICE))
def test_one_that_answers_less_has_no_fault(place: Place, setting: str, back: str) -> None:
    watch = Watch(place, setting)
    assert watch.run(120) == []
    assert watch.ever_true() == set()


def test_every_line_of_the_tables_is_used() -> None:
    there = {(place.driver, place.way, setting) for place in PLACES for setting, _back in settings(place)}
    assert there >= ANOTHER
    assert {(place.driver, place.way) for place in PLACES} >= set(POWER_UNSEEN)
    names = {setting.partition("=")[0] for _driver, _way, setting in there}
    assert names == {*NO_FAULT, *OWN_ELSEWHERE, *WHICH, *KIND_OF_DEVICE, "power"}
    for driver, own in OWN.items():
        assert {setting for of, _way, setting in there if of == driver} >= set(own)
