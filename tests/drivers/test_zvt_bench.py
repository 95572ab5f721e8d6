"""The driver and the simulated payment terminal, each written from the manual by itself."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from drivers.api import Power
from drivers.terminal.zvt.meaning import KINDS
from tests.fast_forward import Forward
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


def test_noise_is_garbled_where_no_checksum_tells_it_from_an_answer() -> None:
    """Over a serial line it is between the frames, and does no harm."""
    for flavour, kinds in (("tcp", {"garbled"}), ("serial", set[str]())):
        one = bench(flavour)  # type: ignore[arg-type]
        one.run(5)
        one.tell("fault=babble")
        assert raised(one.run(400)[-1]) == kinds


@pytest.mark.parametrize("fault", ["slow:0.2", "drip:0.01", "drop:0.02", "flap:20"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_what_comes_late_or_in_pieces_is_no_condition_of_the_terminal(flavour: Flavour, fault: str) -> None:
    one = bench(flavour)
    one.run(5)
    one.tell(f"fault={fault}")
    for seen in one.run(600):
        assert not raised(seen) & set(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("flavour", get_args(Flavour)[:2])
@pytest.mark.parametrize("settings", [(), ("diagnosis=required",)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_hour_of_corrupt_bytes_publishes_nothing_that_is_not_so(
    flavour: Flavour, settings: tuple[str, ...], seed: int
) -> None:
    one = bench(flavour, *settings, seed=seed)
    forward = Forward(one)
    forward.run(ROUND_S)
    forward.tell("fault=corrupt:0.01")
    forward.run(3600)
    true = {"diagnosis_required"} if settings else set()
    told = {
        kind
        for report in forward.broker.on("device/receipt")
        for kind, condition in report["conditions"].items()
        if condition["value"] and kind in KINDS
    }
    assert told == true
    faults = {event["kind"] for event in forward.broker.on("event") if event["type"] == "fault"}
    assert faults <= true | {"garbled", "frozen", "silent"}
