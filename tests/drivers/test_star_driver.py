"""The Star driver against the simulated printer, on a turned clock."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from drivers.api import Deadline, Level, Observation, Occasion, Power, Step
from drivers.printer.star.status import CONDITIONS
from tests.fast_forward import Forward
from tests.harness import Bench, Flavour, raised, values

OCCASION = Occasion(terminal="T-0001", at="2026-11-22 12:00:00")
FLAVOURS: tuple[Flavour, ...] = ("serial", "tcp", "usb")
KNOBS: tuple[tuple[str, str, set[str]], ...] = (
    ("paper=near_end", "paper=ok", {"paper_near_end"}),
    ("paper=end", "paper=ok", {"paper_end", "paper_near_end"}),  # the diagnosis knows which of them counts
    ("cover=open", "cover=closed", {"cover_open"}),
    ("head=hot", "head=ok", {"head_hot"}),
    ("error=unrecoverable", "error=none", {"error_unrecoverable"}),
    ("error=recoverable", "error=none", {"error_recoverable"}),
    ("presenter=jam", "presenter=ok", {"paper_jam"}),
    ("cutter=jam", "cutter=ok", {"cutter_error"}),
    ("drawer=open", "drawer=closed", set()),
    ("switch=offline", "switch=online", set()),
)


def bench(
    *settings: str, profile: str = "star-line", flavour: Flavour = "serial", hold: bool = True, seed: int = 1
) -> Bench:
    return Bench(settings, profile=profile, driver_name="star", flavour=flavour, hold=hold, seed=seed)


def first_s(seen: Sequence[Observation], kinds: set[str], since_s: float) -> float:
    """How long it took until these conditions held."""
    return next(o.at_s for o in seen if raised(o) == kinds) - since_s


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("profile", ["plain", "star-line"])
def test_each_knob_raises_and_clears_its_own_condition(flavour: Flavour, profile: str) -> None:
    printer = bench(profile=profile, flavour=flavour)
    last = printer.run(6)[-1]
    assert (raised(last), last.power) == (set(), Power.ONLINE)
    assert None not in [values(last)[kind] for kind in CONDITIONS]
    for fault, well, kinds in KNOBS:
        printer.tell(fault)
        seen = printer.run(5)
        assert raised(seen[-1]) == kinds, fault
        assert {frozenset(raised(o)) for o in seen} <= {frozenset(kinds), frozenset()}, fault
        printer.tell(well)
        assert raised(printer.run(5)[-1]) == set(), well


def test_an_open_cover_makes_paper_and_head_unknown() -> None:
    printer = bench("cover=open", "paper=end")
    said = values(printer.run(6)[-1])
    assert (said["paper_end"], said["paper_near_end"], said["head_hot"]) == (None, None, None)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_push_is_told_within_50_ms(flavour: Flavour) -> None:
    printer = bench(flavour=flavour)
    printer.run(6)
    for fault, well, kinds in KNOBS[1:4]:
        since_s = printer.clock.monotonic_s()
        printer.tell(fault)
        assert first_s(printer.run(1), kinds, since_s) < 0.05
        printer.tell(well)
        printer.run(3.3)


def test_automatic_status_that_ended_is_armed_again() -> None:
    printer = bench()
    printer.run(6)
    printer.tell("power=off")
    printer.tell("power=on")
    printer.tell("paper=near_end")
    printer.run(30)
    since_s = printer.clock.monotonic_s()
    printer.tell("paper=end")
    assert first_s(printer.run(4), {"paper_end", "paper_near_end"}, since_s) < 0.05


SILENCE = [
    ("mute", "serial", True, "silent"),
    ("mute", "tcp", True, "frozen"),
    ("mute", "usb", True, "frozen"),
    ("die_mid_frame", "serial", True, "silent"),
    ("die_mid_frame", "usb", True, "frozen"),
    ("babble", "serial", True, "garbled"),
    ("babble", "usb", True, "garbled"),
    ("unplug", "serial", True, "unplugged"),
    ("unplug", "usb", True, "unplugged"),
    ("unplug", "tcp", True, "unreachable"),
    ("unplug", "tcp", False, "unreachable"),
]


@pytest.mark.parametrize(("fault", "flavour", "hold", "kind"), SILENCE)
def test_silence_has_its_name_and_ends(fault: str, flavour: Flavour, hold: bool, kind: str) -> None:
    printer = bench("dsr=none", flavour=flavour, hold=hold)
    printer.run(6)
    printer.tell(f"fault={fault}")
    seen = printer.run(30)
    assert raised(seen[-1]) == {kind}
    assert {frozenset(raised(o)) for o in seen} <= {frozenset({kind}), frozenset()}
    assert all(values(seen[-1])[own] is None for own in CONDITIONS)
    printer.tell("fault=none")
    last = printer.run(20)[-1]
    assert (raised(last), last.power) == (set(), Power.ONLINE)


@pytest.mark.parametrize(
    ("settings", "kind"), [(("power=off",), "power_off"), (("fault=mute",), "frozen")], ids=["off", "mute"]
)
def test_a_wired_line_tells_off_from_frozen(settings: tuple[str, ...], kind: str) -> None:
    printer = bench()
    printer.run(6)
    printer.tell(*settings)
    assert raised(printer.run(20)[-1]) == {kind}


@pytest.mark.parametrize("flavour", ["serial", "usb"])
@pytest.mark.parametrize("fault", ["slow:0.3", "slow:0.8", "slow:2.5", "drop:0.05", "flap:3", "corrupt:0.05"])
def test_the_driver_recovers_when_the_line_does(flavour: Flavour, fault: str) -> None:
    printer = bench("drawer=open", flavour=flavour)
    printer.run(10)
    printer.tell(f"fault={fault}")
    assert not any(raised(o) & {*CONDITIONS, "stalled"} for o in printer.run(60))
    printer.tell("fault=none")
    last = printer.run(20)[-1]
    assert (raised(last), last.power) == (set(), Power.ONLINE)
    assert values(last)["cover_open"] is False


@pytest.mark.parametrize(
    ("flavour", "hold"), [("serial", True), ("usb", True), ("tcp", True), ("tcp", False)]
)
def test_a_slow_printer_is_no_silent_one(flavour: Flavour, hold: bool) -> None:
    printer = bench("fault=slow:0.8", flavour=flavour, hold=hold)
    seen = printer.run(60)
    assert not any(raised(o) for o in seen)
    assert seen[-1].power is Power.ONLINE
    assert None not in [values(seen[-1])[kind] for kind in CONDITIONS]


def test_a_stalled_printer_is_named_and_cleared() -> None:
    printer = bench()
    assert values(printer.run(90)[-1])["stalled"] is False
    printer.tell("fault=stall")
    seen = printer.run(120)
    assert raised(seen[-1]) == {"stalled"}
    assert seen[-1].power is Power.ONLINE
    printer.tell("fault=none")
    assert raised(printer.run(10)[-1]) == set()


def test_a_printer_that_is_offline_has_not_stalled() -> None:
    printer = bench()
    printer.run(90)
    printer.tell("cover=open")
    assert not any("stalled" in raised(o) for o in printer.run(600))


def test_a_wrong_baud_rate_is_garbled_also_if_it_never_answered() -> None:
    printer = bench("drawer=open")
    printer.door.host_baud = 38400
    seen = printer.run(60)
    assert {frozenset(raised(o)) for o in seen} <= {frozenset(), frozenset({"garbled"})}
    printer.door.host_baud = 115200
    last = printer.run(20)[-1]
    assert (raised(last), last.power) == (set(), Power.ONLINE)


@pytest.mark.slow
def test_in_an_hour_nothing_is_printed() -> None:
    for profile in ("plain", "star-line"):
        printer = bench(profile=profile)
        printer.run(3600)
        assert printer.served.state()["printed_bytes"] == 0


def test_over_usb_it_says_who_it_is() -> None:
    last = bench(flavour="usb").run(10)[-1]
    assert (last.identity["model"], values(last)["identity_changed"]) == ("TSP700II", False)
    assert "identity_changed" not in bench().run(10)[-1].conditions


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "flavour"), [("plain", "serial"), ("star-line", "serial"), ("star-line", "usb")]
)
def test_an_hour_on_a_corrupting_line_shows_nothing_the_printer_did_not_have(
    profile: str, flavour: Flavour
) -> None:
    printer = bench("fault=corrupt:0.01", profile=profile, flavour=flavour)
    forward = Forward(printer)
    assert forward.run(3600) == []
    told = [report["conditions"] for report in forward.broker.on("device/receipt")]
    assert {kind for report in told for kind, said in report.items() if said["value"]} == set()
    assert sum(None in [report[kind]["value"] for kind in CONDITIONS] for report in told) < 5


def steps(printer: Bench, level: Level) -> list[Step]:
    return list(printer.driver.selftest(level, OCCASION, Deadline.after(printer.clock, 30)))


@pytest.mark.parametrize(
    ("knob", "verdict", "detail"),
    [
        ("paper=ok", "passed", "nothing wrong"),
        ("paper=near_end", "passed", "paper near end"),
        ("cover=open", "failed", "cover open"),
        ("switch=offline", "failed", "offline without a reason"),
    ],
)
def test_what_the_internal_selftest_says_of_the_status(knob: str, verdict: str, detail: str) -> None:
    printer = bench(knob)
    printer.run(4)
    said = {step.name: step for step in steps(printer, "internal")}
    assert (said["status"].verdict, said["status"].detail) == (verdict, detail)


@pytest.mark.parametrize("profile", ["plain", "star-line"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_selftest_prints_a_slip_and_proves_it(profile: str, flavour: Flavour) -> None:
    printer = bench(profile=profile, flavour=flavour, hold=False)
    printer.run(4)
    assert {step.name for step in steps(printer, "internal")} <= {"answer", "status", "identity"}
    assert printer.served.state()["printed_bytes"] == 0
    done = {step.name: step.verdict for step in steps(printer, "interactive")}
    assert (done["print"], done["completion"], done["status after"]) == ("passed", "passed", "passed")
    text = str(printer.served.state()["printed_text"])
    for word in ("TILLWATCH SELF-TEST", "T-0001", "receipt", "2026-11-22 12:00", "passed", "ABCDEF"):
        assert word in text
    assert done["slip"] == "untested"
    assert raised(printer.run(10)[-1]) == set()


def test_a_slip_that_is_not_printed_fails() -> None:
    printer = bench()
    printer.run(4)
    printer.tell("fault=stall")
    done = {step.name: step.verdict for step in steps(printer, "external")}
    assert done["completion"] == "failed"


@pytest.mark.parametrize(("knob", "word"), [("cover=open", "cover open"), ("switch=offline", "offline")])
def test_a_printer_that_cannot_print_is_sent_no_slip(knob: str, word: str) -> None:
    printer = bench(knob)
    printer.run(4)
    last = steps(printer, "external")[-1]
    assert (last.name, last.verdict) == ("print", "untested")
    assert word in last.detail
    printer.tell("cover=closed", "switch=online")
    printer.run(4)
    assert printer.served.state()["printed_bytes"] == 0
