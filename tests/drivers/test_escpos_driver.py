"""The driver against the simulated printer, in fast-forward."""

from __future__ import annotations

import pytest

from drivers.api import Deadline, Observation, Occasion, Power, Setup, Step
from drivers.errors import HeldByOther, LinkUnusable, NoPermission
from drivers.printer.escpos.driver import SPEC
from drivers.printer.escpos.status import CONDITIONS
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.harness import Bench, Flavour, raised, values

KNOBS = {
    "paper=near_end": {"paper_near_end"},
    "paper=end": {"paper_end", "paper_near_end"},
    "cover=open": {"cover_open"},
    "cutter=jam": {"cutter_error"},
    "head=hot": {"head_hot"},
    "error=recoverable": {"error_recoverable"},
    "error=unrecoverable": {"error_unrecoverable"},
    "drawer=open": set(),
}
FINE = ("paper=ok", "cover=closed", "cutter=ok", "head=ok", "error=none", "drawer=closed")
ANSWERS = ("all", "eot", "asb")


def first_s(seen: list[Observation], kinds: set[str], since_s: float) -> float:
    """How long it took until exactly these held."""
    return next(o.at_s for o in seen if raised(o) == kinds) - since_s


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("knob", KNOBS)
def test_each_knob_raises_exactly_its_condition_and_clears_it(knob: str, answers: str) -> None:
    bench = Bench(settings=(f"answers={answers}",))
    assert raised(bench.run(10)[-1]) == set()
    for setting, kinds in ((knob, KNOBS[knob]), (None, set[str]())):
        since_s = bench.clock.monotonic_s()
        bench.tell(*([setting] if setting else FINE))
        seen = bench.run(4)
        assert {frozenset(raised(o)) for o in seen} <= {frozenset(kinds), frozenset(KNOBS[knob]), frozenset()}
        assert raised(seen[-1]) == kinds
        assert all(o.power is Power.ONLINE for o in seen)
        limit_s = 2.1 if answers == "eot" else 0.05
        assert not kinds or first_s(seen, kinds, since_s) < limit_s


def test_a_change_waits_for_no_chore_that_nothing_answers() -> None:
    bench = Bench(settings=("answers=eot",), poll_s=1)
    waited: list[float] = []
    for turn in range(20):
        bench.tell(("paper=end", "paper=ok")[turn % 2])
        since_s = bench.clock.monotonic_s()
        kinds = set[str]() if turn % 2 else {"paper_end", "paper_near_end"}
        told_s = next(
            bench.clock.monotonic_s() for _ in range(30) for seen in bench.run(0.1) if raised(seen) == kinds
        )
        waited.append(told_s - since_s)
    assert max(waited) < 1.1 + 0.1  # the bench looks each 0.1 s


def test_an_open_cover_hides_what_is_below_it_and_keeps_when_it_was_known() -> None:
    bench = Bench()
    before = bench.run(5)[-1]
    bench.tell("cover=open", "paper=end")
    after = bench.run(5)[-1]
    assert values(after)["paper_end"] is None
    assert after.conditions["paper_end"].wall_s == pytest.approx(before.conditions["paper_end"].wall_s, abs=2)
    bench.tell("cover=closed")
    assert raised(bench.run(3)[-1]) == {"paper_end", "paper_near_end"}


@pytest.mark.parametrize(("level", "drawer"), [("high", "open"), ("low", "closed")])
def test_the_drawer_is_a_fact(level: str, drawer: str) -> None:
    bench = Bench(settings=("drawer=open",), options={"drawer_open_level": level})
    facts = bench.run(3)[-1].facts
    assert (facts["pin3"], facts["drawer"]) == ("high", drawer)


# settings, fault and its end, link -> what holds then, and the power
SILENCE: list[tuple[str, str, str, Flavour, str, Power]] = [
    ("dsr=wired", "fault=mute", "fault=none", "serial", "frozen", Power.OFFLINE),
    ("dsr=none", "fault=mute", "fault=none", "serial", "silent", Power.OFF_OFFLINE),
    ("dsr=wired", "power=off", "power=on", "serial", "power_off", Power.OFF),
    ("dsr=none", "power=off", "power=on", "serial", "silent", Power.OFF_OFFLINE),
    ("dsr=wired", "fault=unplug", "fault=none", "serial", "unplugged", Power.OFF_OFFLINE),
    ("dsr=none", "fault=mute", "fault=none", "tcp", "frozen", Power.OFFLINE),
    ("dsr=none", "power=off", "power=on", "tcp", "unreachable", Power.OFF_OFFLINE),
    ("dsr=none", "fault=unplug", "fault=none", "tcp", "unreachable", Power.OFF_OFFLINE),
    ("dsr=none", "fault=babble", "fault=none", "serial", "garbled", Power.UNKNOWN),
    ("dsr=none", "fault=babble", "fault=none", "tcp", "garbled", Power.UNKNOWN),
    ("dsr=none", "fault=mute", "fault=none", "usb", "frozen", Power.OFFLINE),
    ("dsr=none", "fault=die_mid_frame", "fault=none", "usb", "frozen", Power.OFFLINE),
    ("dsr=none", "power=off", "power=on", "usb", "unplugged", Power.OFF_OFFLINE),
    ("dsr=none", "fault=unplug", "fault=none", "usb", "unplugged", Power.OFF_OFFLINE),
    ("dsr=none", "fault=babble", "fault=none", "usb", "garbled", Power.UNKNOWN),
]


@pytest.mark.parametrize("hold", [True, False], ids=["held", "asked"])
@pytest.mark.parametrize(("settings", "fault", "end", "link", "kind", "power"), SILENCE)
def test_silence(
    settings: str, fault: str, end: str, link: Flavour, kind: str, power: Power, hold: bool
) -> None:
    bench = Bench(settings=(settings,), flavour=link, hold=hold)
    bench.run(4)
    bench.tell(fault)
    seen = bench.run(9)
    assert {frozenset(raised(o)) for o in seen} == {frozenset(), frozenset({kind})} - (
        {frozenset()} if kind == "unplugged" else set()
    )
    assert seen[-1].power is power
    assert [values(seen[-1])[own] for own in CONDITIONS] == [None] * len(CONDITIONS)
    assert not any(o.heard for o in seen[-2:])
    bench.tell(end)
    back = bench.run(5)[-1]
    assert (raised(back), back.power) == (set(), Power.ONLINE)
    assert values(back)["cover_open"] is False


def test_a_device_that_never_answered_is_unknown() -> None:
    last = Bench(settings=("answers=none",)).run(20)[-1]
    assert last.power is Power.UNKNOWN
    assert raised(last) == set()
    assert last.last_heard_wall_s is None
    assert last.conditions["paper_end"].wall_s == 0


def test_a_wrong_baud_rate_is_garbled_also_if_it_never_answered() -> None:
    bench = Bench()
    bench.door.host_baud = 38400
    seen = bench.run(60)
    assert {frozenset(raised(o)) for o in seen} <= {frozenset(), frozenset({"garbled"})}
    bench.door.host_baud = 115200
    assert raised(bench.run(10)[-1]) == set()


def test_unplugged_is_told_at_once_and_back_within_half_a_second() -> None:
    bench = Bench()
    bench.run(3)
    bench.run(0.7)
    since_s = bench.clock.monotonic_s()
    bench.tell("fault=unplug")
    assert first_s(bench.run(1), {"unplugged"}, since_s) < 0.01
    bench.run(3)
    since_s = bench.clock.monotonic_s()
    bench.tell("fault=none")
    assert first_s(bench.run(1), set(), since_s) < 0.5


@pytest.mark.parametrize("how", ["esc @", "power"])
def test_automatic_status_lost_without_a_word(how: str) -> None:
    bench = Bench()
    bench.run(5)
    if how == "esc @":
        bench.door.send(b"\x1b@")
        bench.run(0.01)
    else:
        bench.tell("power=off")
        bench.tell("power=on")
    since_s = bench.clock.monotonic_s()
    bench.tell("paper=near_end")
    assert first_s(bench.run(4), {"paper_near_end"}, since_s) < 2.1
    since_s = bench.clock.monotonic_s()
    bench.tell("cover=open")
    assert first_s(bench.run(4), {"cover_open"}, since_s) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["plain", "epson-tm"])
def test_an_hour_on_a_corrupting_line_shows_nothing_the_printer_did_not_have(profile: str) -> None:
    bench = Bench(profile=profile, settings=("fault=corrupt:0.01",))
    seen = bench.run(3600)
    assert {frozenset(raised(o)) for o in seen} == {frozenset()}
    assert sum(None in (values(o)[own] for own in CONDITIONS) for o in seen) < 5


@pytest.mark.parametrize(
    "fault", ["slow:0.8", "slow:2.5", "drip:1", "drop:0.05", "babble", "die_mid_frame", "mute", "flap:3"]
)
@pytest.mark.parametrize(
    "answers", ["all", *(pytest.param(kind, marks=[pytest.mark.slow]) for kind in ("eot", "asb"))]
)
def test_the_driver_recovers_when_the_line_does_and_takes_no_answer_for_another(
    fault: str, answers: str
) -> None:
    # With the drawer's pin high, an answer taken for another question's would open the cover.
    bench = Bench(settings=("drawer=open", f"answers={answers}"))
    bench.run(10)
    bench.tell(f"fault={fault}")
    assert not any(raised(o) & set(CONDITIONS) for o in bench.run(60))
    bench.tell("fault=none")
    last = bench.run(20)[-1]
    assert (raised(last), last.power) == (set(), Power.ONLINE)
    assert values(last)["cover_open"] is False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "flavour", "hold", "poll_s"),
    [
        ("drip:1.57", "serial", True, 2.0),
        ("slow:3.37,drip:3.66", "serial", True, 2.0),
        ("drip:2.12", "serial", True, 2.0),
        ("slow:5.29", "tcp", True, 2.0),
        ("slow:2.34", "tcp", False, 1.0),
        ("slow:5.84", "tcp", False, 1.0),
    ],
)
def test_late_answers_of_an_hour_are_taken_for_no_other_question(
    fault: str, flavour: Flavour, hold: bool, poll_s: float
) -> None:
    for seed in (1, 39):
        bench = Bench(("drawer=open",), flavour=flavour, hold=hold, poll_s=poll_s, seed=seed)
        bench.run(10)
        bench.tell(f"fault={fault}")
        seen = bench.run(3600)
        assert not any(raised(o) & set(CONDITIONS) for o in seen)
        assert all(o.facts.get("pin3") != "low" for o in seen)
        bench.tell("fault=none", "paper=near_end")
        assert raised(bench.run(60)[-1]) == {"paper_near_end"}


def test_a_printer_that_says_the_same_whatever_it_is_asked_says_nothing() -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, answer=lambda _asked: b"\x16")
    driver = SPEC.make(Setup(device="receipt", link=link, clock=clock, memory={}))
    for _ in range(6):
        observation = driver.poll(Deadline.after(clock, 2.5))
    assert observation.power is Power.ONLINE
    assert all(values(observation)[kind] is None for kind in CONDITIONS)


def test_slow_from_the_first_word() -> None:
    bench = Bench(settings=("drawer=open", "fault=slow:2.5"))
    assert not any(raised(o) for o in bench.run(60))


@pytest.mark.slow
@pytest.mark.parametrize("poll_s", [60, 2])
def test_in_a_day_plain_prints_nothing(poll_s: float) -> None:
    bench = Bench(profile="plain", settings=("unknown=print", "answers=eot"), poll_s=poll_s)
    bench.run(86400)
    state = bench.served.state()
    assert state["printed_bytes"] == 0


def test_capabilities_are_learned_and_kept() -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, answer={b"\x10\x04\x01": b"\x12", b"\x10\x04\x04": b"\x32"}.get)
    memory: dict[str, object] = {}
    for _ in range(2):
        setup = Setup(device="receipt", link=link, clock=clock, memory=memory)  # type: ignore[arg-type]
        driver = SPEC.make(setup)
        for _ in range(4):
            last = driver.poll(Deadline.after(clock, 2.5))
            driver.listen(Deadline.after(clock, 1))
        assert raised(last) == {"paper_end"}
        assert values(last)["cover_open"] is None
        assert last.power is Power.ONLINE
    assert memory["can.dle_eot_2"] is False
    asked = link.written.count(b"\x10\x04\x02")
    driver.poll(Deadline.after(clock, 2.5))
    assert link.written.count(b"\x10\x04\x02") == asked
    clock.advance(86400)
    driver.poll(Deadline.after(clock, 2.5))
    assert link.written.count(b"\x10\x04\x02") == asked + 1


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (HeldByOther("held"), {"held_by_other"}),
        (NoPermission("no"), {"no_permission"}),
        (LinkUnusable("parity"), set()),
    ],
)
def test_what_the_way_says(error: HeldByOther, kinds: set[str]) -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, fail_open=error)
    driver = SPEC.make(Setup(device="receipt", link=link, clock=clock, memory={}))
    last = driver.poll(Deadline.after(clock, 2.5))
    assert (raised(last), last.facts["link"]) == (kinds, error.code)
    assert driver.listen(Deadline.after(clock, 1)) is None


def test_stalled_is_seen_and_cleared() -> None:
    bench = Bench()
    assert values(bench.run(5)[-1])["stalled"] is False
    bench.tell("fault=stall")
    seen = bench.run(120)
    assert raised(seen[-1]) == {"stalled"}
    assert seen[-1].conditions["stalled"].verified_by == "readback", "as a Star printer's"
    assert seen[-1].power is Power.ONLINE
    bench.tell("fault=none")
    assert raised(bench.run(5)[-1]) == set()


@pytest.mark.slow
def test_a_printer_stalled_for_half_a_day_is_not_filled_up_and_is_seen_to_stall_again() -> None:
    bench = Bench()
    bench.run(30)
    for _ in range(2):
        bench.tell("fault=stall")
        bench.run(90)
        assert {frozenset(raised(o)) for o in bench.run(43200)} == {frozenset({"stalled"})}
        waiting = bench.served.state()["waiting_bytes"]
        assert isinstance(waiting, int)
        assert waiting < 512
        bench.tell("fault=none")
        assert raised(bench.run(70)[-1]) == set()


def test_a_printer_slower_than_its_deadline_is_waited_for_before_hanging_up() -> None:
    bench = Bench(("fault=slow:0.7",), profile="plain", flavour="tcp", hold=False)
    seen = bench.run(300)
    assert not any(raised(o) for o in seen)
    assert seen[-1].power is Power.ONLINE


def test_a_printer_out_of_paper_has_not_stalled() -> None:
    bench = Bench()
    bench.run(5)
    bench.tell("paper=end")
    assert not any("stalled" in raised(o) for o in bench.run(200))


def test_identity_and_counters() -> None:
    last = Bench().run(5)[-1]
    assert last.identity["model"] == "TM-T88III"
    assert last.statistics["ReceiptLineFeedCount"] == 0
    assert "PaperCutCount" not in Bench(settings=("answers=eot",)).run(20)[-1].statistics


def test_wake_ends_listening() -> None:
    bench = Bench()
    bench.run(3)
    bench.driver.wake()
    since_s = bench.clock.monotonic_s()
    assert bench.driver.listen(Deadline.after(bench.clock, 10)) is None
    assert bench.clock.monotonic_s() == since_s


def steps(bench: Bench, level: str) -> list[Step]:
    occasion = Occasion(terminal="T-0001", at="2026-11-22 12:00")
    return list(bench.driver.selftest(level, occasion, Deadline.after(bench.clock, 30)))  # type: ignore[arg-type]


@pytest.mark.parametrize("profile", ["plain", "epson-tm"])
def test_selftest_prints_a_slip(profile: str) -> None:
    bench = Bench(profile=profile)
    bench.run(3)
    done = steps(bench, "interactive")
    text = str(bench.served.state()["printed_text"])
    for word in ("TILLWATCH SELF-TEST", "T-0001", "receipt", "2026-11-22 12:00", "passed", "ABCDEF"):
        assert word in text
    verdicts = {step.name: step.verdict for step in done}
    assert verdicts["print"] == verdicts["status after"] == "passed"
    assert verdicts.get("completion") == ("passed" if profile == "epson-tm" else None)
    assert [step.question for step in done if step.question] == ["Is the slip readable, complete and cut?"]
    assert raised(bench.run(5)[-1]) == set()


def test_selftest_internal_changes_nothing() -> None:
    bench = Bench()
    assert {step.verdict for step in steps(bench, "internal")} == {"passed"}
    assert bench.served.state()["printed_bytes"] == 0


@pytest.mark.parametrize("error", ["cutter=jam cutter=freed", "error=recoverable"])
def test_selftest_ends_an_error_whose_cause_is_gone(error: str) -> None:
    bench = Bench()
    bench.run(3)
    bench.tell(*error.split())
    assert ("status", "failed") in [(s.name, s.verdict) for s in steps(bench, "internal")]
    done = steps(bench, "external")
    assert [(s.name, s.verdict) for s in done[:3]] == [
        ("answer", "passed"),
        ("recovery", "passed"),
        ("status", "passed"),
    ]
    assert done[-1].verdict == "passed"


def test_selftest_says_when_the_jam_is_still_there() -> None:
    bench = Bench(settings=("cutter=jam",))
    done = steps(bench, "external")
    assert ("recovery", "failed") in [(s.name, s.verdict) for s in done]
    assert done[-1] == Step("print", "untested", "not printed: cutter error")


@pytest.mark.parametrize("settings", [("cutter=jam", "cover=open"), ("error=unrecoverable", "cutter=jam")])
def test_selftest_recovers_nothing_while_more_is_wrong(settings: tuple[str, ...]) -> None:
    assert "recovery" not in [s.name for s in steps(Bench(settings=settings), "external")]


def test_selftest_sends_no_recovery_to_a_plain_printer() -> None:
    assert "recovery" not in [
        s.name for s in steps(Bench(profile="plain", settings=("cutter=jam",)), "external")
    ]


def test_selftest_does_not_print_onto_an_open_cover() -> None:
    bench = Bench(settings=("cover=open",))
    done = steps(bench, "external")
    assert [(s.name, s.verdict) for s in done if s.verdict != "passed"][:2] == [
        ("status", "failed"),
        ("identity", "untested"),
    ]
    assert done[-1] == Step("print", "untested", "not printed: cover open")
    assert bench.served.state()["printed_bytes"] == 0


@pytest.mark.parametrize(
    ("settings", "step", "verdict"),
    [
        ("power=off", "answer", "failed"),
        ("fault=unplug", "answer", "untested"),
        ("fault=stall", "completion", "failed"),
    ],
)
def test_selftest_of_what_is_broken(settings: str, step: str, verdict: str) -> None:
    bench = Bench()
    bench.run(3)
    bench.tell(settings)
    since_s = bench.clock.monotonic_s()
    assert (step, verdict) in [(s.name, s.verdict) for s in steps(bench, "external")]
    assert bench.clock.monotonic_s() - since_s < 30


@pytest.mark.parametrize("profile", ["plain", "epson-tm"])
def test_selftest_of_a_slow_printer_just_started(profile: str) -> None:
    bench = Bench(settings=("fault=slow:0.3",), profile=profile)
    assert {s.verdict for s in steps(bench, "external")} == {"passed"}


def test_selftest_fails_no_printer_for_a_probe_it_never_answered() -> None:
    bench = Bench(settings=("answers=eot", "unknown=swallow"))
    done = {s.name: s.verdict for s in steps(bench, "external")}
    assert (done["print"], done["completion"], done["status after"]) == ("passed", "untested", "passed")
