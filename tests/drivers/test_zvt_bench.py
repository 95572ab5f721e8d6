"""The driver and the simulated payment terminal, each written from the manual by itself."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.api import Power
from drivers.terminal.zvt.meaning import KINDS
from tests.harness import Bench, Flavour, raised, values

KNOBS = {
    "reader=defective": "reader_defective",
    "pin_pad=defective": "pin_pad_defective",
    "registered=no": "not_registered",
    "diagnosis=required": "diagnosis_required",
    "memory=full": "memory_full",
    "host=unreachable": "communication_fault",
    "printer=not_ready": "printer_not_ready",
}
WELL = (
    "reader=ok",
    "pin_pad=ok",
    "registered=yes",
    "diagnosis=done",
    "memory=ok",
    "host=reachable",
    "printer=ready",
)
ROUND_S = 62.0
FLAVOURS = ("tcp", "serial")
MUTE = {"tcp": "frozen", "serial": "silent"}
GONE = {"tcp": "unreachable", "serial": "unplugged"}


def bench(flavour: Flavour, *settings: str, **more: Any) -> Bench:
    return Bench(
        settings=settings,
        profile="plain",
        driver_name="zvt",
        flavour=flavour,
        baud=9600,
        sale="no",
        options={"status_enquiry_s": 60.0},
        **more,
    )


def asked(one: Bench) -> set[str]:
    """The commands that were sent to the terminal."""
    counted = one.device.facts()["asked"]
    assert isinstance(counted, dict)
    return set(counted)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_each_knob_raises_and_clears_its_own_fault_and_no_other(flavour: Flavour) -> None:
    one = bench(flavour)
    assert raised(one.run(5)[-1]) == set()
    for knob, kind in KNOBS.items():
        one.tell(knob)
        seen = one.run(ROUND_S)[-1]
        assert raised(seen) == {kind}, knob
        one.tell(*WELL)
        seen = one.run(ROUND_S)[-1]
        assert raised(seen) == set(), knob
        assert {values(seen)[each] for each in KINDS} == {False}
    assert seen.identity["firmware"] == "2.14.15"
    assert asked(one) == {"status_enquiry"}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_payment_in_progress_is_busy_and_no_fault(flavour: Flavour) -> None:
    one = bench(flavour, "busy=yes")
    seen = one.run(ROUND_S)[-1]
    assert (raised(seen), seen.power) == (set(), Power.ONLINE)
    assert seen.facts["poi_status"] == {"GlobalStatus": "Busy"}


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("mute", MUTE),
        ("unplug", GONE),
        ("die_mid_frame", MUTE),
        ("slow:200", MUTE),
    ],
)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_each_fault_is_named_by_the_table_and_is_over_with_its_cause(
    flavour: Flavour, fault: str, kinds: dict[str, str]
) -> None:
    one = bench(flavour)
    one.run(5)
    one.tell(f"fault={fault}")
    assert raised(one.run(3 * ROUND_S)[-1]) == {kinds[flavour]}
    one.tell("fault=none")
    assert raised(one.run(2 * ROUND_S)[-1]) == set()
