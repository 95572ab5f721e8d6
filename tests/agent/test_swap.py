"""A printer is swapped for another of its kind: noticed, told once, and counted anew; in fast-forward."""

from __future__ import annotations

import pytest

from drivers.exchange import LASTS_S
from tests.fast_forward import Forward
from tests.harness import Bench, Flavour

SETTLED_S = 100.0
FAULT = "receipt/identity_changed"


@pytest.fixture(params=["serial", "tcp", "tcp not held"])
def forward(request: pytest.FixtureRequest) -> Forward:
    flavour: Flavour = "serial" if request.param == "serial" else "tcp"
    running = Forward(Bench(flavour=flavour, hold=request.param != "tcp not held"))
    assert running.run(SETTLED_S) == []
    return running


def swap(forward: Forward, serial: str) -> None:
    """Power off, another printer in its place, power on."""
    forward.tell("power=off", "fault=unplug")
    forward.run(30)
    forward.tell("fault=none", f"serial={serial}", "power=on")


def test_a_swapped_printer_is_noticed_once_and_for_a_day(forward: Forward) -> None:
    before = forward.broker.on("device/receipt")[-1]["facts"]["counted_since"]
    swap(forward, "SIM0000002")
    changes = forward.run(SETTLED_S)
    assert [change for change in changes if FAULT in change] == [f"raised {FAULT}"]
    report = forward.broker.on("device/receipt")[-1]
    assert report["identity"]["serial"] == "SIM0000002"
    assert report["facts"]["counted_since"] > before
    event = next(event for event in forward.broker.on("event") if event["fault"] == FAULT)
    assert event["evidence"]["before"]["serial"] == "SIM0000001"
    assert event["evidence"]["now"]["serial"] == "SIM0000002"
    assert event["severity"] == "warning"
    forward.restart()
    assert forward.run(SETTLED_S) == [], "a restart neither ends it nor tells it anew"
    forward.clock.advance(LASTS_S)
    assert forward.run(SETTLED_S) == [f"cleared {FAULT}"]
    assert forward.run(SETTLED_S) == []


def test_the_old_one_back_clears_it_and_counts_on(forward: Forward) -> None:
    first = forward.broker.on("device/receipt")[-1]["facts"]["counted_since"]
    swap(forward, "SIM0000002")
    forward.run(SETTLED_S)
    swap(forward, "SIM0000001")
    assert f"cleared {FAULT}" in forward.run(SETTLED_S)
    assert forward.broker.on("device/receipt")[-1]["facts"]["counted_since"] == first


def test_a_printer_swapped_while_the_agent_was_away(forward: Forward) -> None:
    forward.tell("serial=SIM0000009")
    forward.restart()
    assert forward.run(SETTLED_S) == [f"raised {FAULT}"]


def test_new_firmware_or_power_alone_is_no_exchange(forward: Forward) -> None:
    swap(forward, "SIM0000001")
    assert not [change for change in forward.run(SETTLED_S) if FAULT in change]


def test_another_model_that_tells_no_serial_number(forward: Forward) -> None:
    forward = Forward(Bench(settings=("serial=0000", "model=TM-T20")))
    forward.run(SETTLED_S)
    forward.tell("model=TM-m30")
    forward.restart()
    assert forward.run(SETTLED_S) == [f"raised {FAULT}"]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_a_line_that_garbles_answers_raises_nothing(seed: int) -> None:
    forward = Forward(Bench(seed=seed))
    forward.run(SETTLED_S)
    for _ in range(10):
        forward.tell("fault=corrupt:0.05")
        forward.restart()
        forward.run(40)
        forward.tell("fault=none")
        forward.run(70)
    assert not [change for change in forward.broker.changes() if FAULT in change]
