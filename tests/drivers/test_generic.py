"""A printer that tells nothing: only its way is judged, and its port status where it has one."""

from __future__ import annotations

import pytest

from drivers.api import Deadline, Level, Occasion, Power, Setup
from drivers.errors import HeldByOther, NoPermission
from drivers.printer.generic.driver import SPEC
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.fast_forward import Forward
from tests.harness import Bench, Flavour, raised, values

OCCASION = Occasion(terminal="T-0001", at="2026-01-02 03:04:05")


def bench(flavour: Flavour, *settings: str, hold: bool = True) -> Bench:
    return Bench(settings, profile="plain", driver_name="generic", model="escpos", flavour=flavour, hold=hold)


@pytest.mark.parametrize(
    ("flavour", "fault", "kind", "power"),
    [
        ("serial", "unplug", "unplugged", Power.UNKNOWN),
        ("usb", "unplug", "unplugged", Power.ONLINE),
        ("tcp", "unplug", "unreachable", Power.ONLINE),
    ],
)
def test_that_it_is_gone_is_told_though_it_never_said_a_word(
    flavour: Flavour, fault: str, kind: str, power: Power
) -> None:
    printer = bench(flavour, "answers=none", hold=False)
    last = printer.run(10)[-1]
    assert (raised(last), last.power) == (set(), power)
    assert values(last)[kind] is False
    printer.tell(f"fault={fault}")
    last = printer.run(10)[-1]
    assert (raised(last), last.power) == ({kind}, Power.OFF_OFFLINE)
    printer.tell("fault=none")
    last = printer.run(6)[-1]
    assert (raised(last), last.power) == (set(), power)


def test_unplugged_it_is_a_fault_also_over_a_restart() -> None:
    forward = Forward(bench("serial", "answers=none"))
    assert forward.run(20) == []
    forward.tell("fault=unplug")
    assert forward.run(20) == ["raised receipt/unplugged"]
    forward.restart()
    assert forward.run(20) == []
    assert forward.conditions()["unplugged"] is True
    forward.tell("fault=none")
    assert forward.run(20) == ["cleared receipt/unplugged"]
    forward.tell("fault=mute,stall,slow:3")
    assert forward.run(60) == []


@pytest.mark.parametrize("flavour", ["serial", "tcp"])
@pytest.mark.parametrize(
    "fault", ["mute", "stall", "slow:1", "drip:1", "babble", "drop:0.1", "corrupt:0.1", "die_mid_frame"]
)
def test_what_it_does_with_its_answers_is_no_fault(flavour: Flavour, fault: str) -> None:
    printer = bench(flavour, f"fault={fault}")
    assert not any(raised(seen) for seen in printer.run(30))
    assert printer.served.state()["printed_bytes"] == 0


def test_nothing_is_ever_sent_unasked() -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock)
    driver = SPEC.make(Setup(device="receipt", link=link, clock=clock, memory={}))
    for _ in range(5):
        observation = driver.poll(Deadline.after(clock, 2))
    assert link.written == []
    assert values(observation) == {
        "unplugged": False,
        "power_off": None,
        "held_by_other": False,
        "no_permission": False,
    }


@pytest.mark.parametrize(("error", "kind"), [(HeldByOther, "held_by_other"), (NoPermission, "no_permission")])
def test_who_may_not_open_it_is_told_why(error: type[HeldByOther | NoPermission], kind: str) -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, fail_open=error("no"))
    driver = SPEC.make(Setup(device="receipt", link=link, clock=clock, memory={}))
    assert raised(driver.poll(Deadline.after(clock, 2))) == {kind}


@pytest.mark.parametrize(
    ("knob", "kind"),
    [("paper=end", "paper_end"), ("error=unrecoverable", "printer_error"), ("cover=open", "printer_offline")],
)
def test_the_port_status_of_usb_is_believed(knob: str, kind: str) -> None:
    printer = bench("usb", "answers=none")
    last = printer.run(10)[-1]
    assert (raised(last), last.power) == (set(), Power.ONLINE)
    assert None not in values(last).values()
    assert last.identity["manufacturer"]
    printer.tell(knob)
    assert raised(printer.run(5)[-1]) == {kind}
    printer.tell("paper=ok", "error=none", "cover=closed")
    assert raised(printer.run(5)[-1]) == set()


@pytest.mark.slow
def test_an_hour_on_a_corrupting_bus_shows_nothing_the_printer_did_not_have() -> None:
    printer = bench("usb", "answers=none", "fault=corrupt:0.01")
    assert {frozenset(raised(seen)) for seen in printer.run(3600)} == {frozenset()}


@pytest.mark.parametrize("level", ["internal", "external", "interactive"])
def test_the_slip_is_taken_and_nobody_claims_more(level: Level) -> None:
    printer = bench("serial", "answers=none")
    printer.run(3)
    steps = list(printer.driver.selftest(level, OCCASION, Deadline.after(printer.clock, 30)))
    names = {"internal": ["answer"], "external": ["answer", "print"], "interactive": ["print", "slip"]}[level]
    assert [step.name for step in steps] == names, "a technician's eye stands for an answer"
    assert {step.verdict for step in steps} <= {"passed", "untested"}
    printer.run(3)
    printed = printer.served.state()["printed_bytes"]
    assert bool(printed) is (level != "internal")


def test_without_paper_no_slip_is_sent() -> None:
    printer = bench("usb", "answers=none", "paper=end")
    printer.run(3)
    steps = list(printer.driver.selftest("external", OCCASION, Deadline.after(printer.clock, 30)))
    assert [(step.name, step.verdict) for step in steps][-1] == ("print", "untested")
    assert printer.served.state()["printed_bytes"] == 0


def test_a_full_printer_fails_the_test() -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, room=40)
    driver = SPEC.make(Setup(device="receipt", link=link, clock=clock, memory={}))
    steps = list(driver.selftest("external", OCCASION, Deadline.after(clock, 30)))
    assert (steps[-1].name, steps[-1].verdict) == ("print", "failed")
