"""The display drivers against the simulated displays, on a turned clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.api import Deadline, Driver, HearsTechnician, Level, Occasion, Power, Step, Verdict
from drivers.display.text import PATTERN
from tests.fast_forward import Forward
from tests.harness import Bench, Flavour, raised, values

WRITE_ONLY = ("aedex", "cd5220", "logic_controls")
ANSWERING = ("dmd", "ncr597x")
ALL = (*WRITE_ONLY, *ANSWERING)
TEXT = "Welcome\nOpen until 20:00"
LINES = ["Welcome", "Open until 20:00"]
TILLS = {"aedex": b"!#1Total\r", "cd5220": b"\x1bQATotal\r"}
OCCASION = Occasion("T-0001", "2026-01-01 12:00:00")
LONGEST_S = 30.0


def bench(
    name: str, *settings: str, text: str | None = TEXT, flavour: Flavour = "serial", seed: int = 1
) -> Bench:
    options = {} if text is None else {"text": text}
    return Bench(
        settings,
        profile="plain",
        driver_name=name,
        baud=9600,
        options=options,
        flavour=flavour,
        seed=seed,
    )


def shown(on: Bench) -> list[str]:
    lines = on.device.facts()["shown"]
    assert isinstance(lines, list)
    return [line.rstrip() for line in lines[:2]]


def selftest(on: Bench, level: Level) -> dict[str, Step]:
    return {step.name: step for step in steps(on, level)}


def steps(on: Bench, level: Level) -> Iterator[Step]:
    return on.driver.selftest(level, OCCASION, Deadline.after(on.clock, LONGEST_S))


def hears(driver: Driver) -> HearsTechnician:
    assert isinstance(driver, HearsTechnician)
    return driver


def traffic(on: Bench) -> list[bytes]:
    """What leaves for the device from now on."""
    sent: list[bytes] = []
    send = on.door.send

    def noted(data: bytes) -> int:
        sent.append(data)
        return send(data)

    on.door.send = noted  # type: ignore[method-assign]  # a tap on the line
    return sent


# -- polls -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("dmd", {"model": "DM-D70", "manufacturer": "EPSON", "serial": "DMDX012345", "firmware": "1.02"}),
        ("ncr597x", {"model": "7454", "manufacturer": "NCR", "part": "008-0221552", "firmware": "V1.00.01"}),
    ],
)
def test_a_display_that_answers_says_who_it_is(name: str, identity: dict[str, str]) -> None:
    last = bench(name).run(5)[-1]
    assert (last.power, last.identity, raised(last)) == (Power.ONLINE, identity, set())


@pytest.mark.parametrize("name", WRITE_ONLY)
def test_a_poll_of_a_display_that_cannot_answer_sends_nothing(name: str) -> None:
    on = bench(name, text=None)
    sent = traffic(on)
    last = on.run(20)[-1]
    assert (sent, last.power, raised(last), last.heard) == ([], Power.UNKNOWN, set(), False)
    assert values(last)["wrong_text"] is None


@pytest.mark.parametrize("name", ALL)
def test_the_text_is_shown_after_opening_and_once(name: str) -> None:
    on = bench(name)
    on.run(1)
    assert shown(on) == LINES
    before = on.device.facts()["shown_bytes"]
    on.run(60)
    assert on.device.facts()["shown_bytes"] == before


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_sent_during_a_sale_and_the_text_stands_there_after_it(name: str) -> None:
    on = bench(name)
    on.run(5)
    on.sale = "yes"
    sent = traffic(on)
    on.door.send(TILLS.get(name, b"Total"))
    sent.clear()
    during = on.run(20)
    assert sent == []
    assert shown(on) != LINES
    assert {frozenset(raised(o)) for o in during} == {frozenset()}
    on.sale = "no"
    seen = on.run(10)
    assert shown(on) == LINES
    assert {frozenset(raised(o)) for o in seen} == {frozenset()}


@pytest.mark.parametrize("name", ANSWERING)
def test_a_sale_that_begins_while_the_display_answers_is_not_written_over(name: str) -> None:
    on = bench(name)
    sent = traffic(on)
    send = on.door.send

    def asked(data: bytes) -> int:
        on.sale = "yes"
        return send(data)

    on.door.send = asked  # type: ignore[method-assign]  # the first question of all
    on.run(10)
    assert sent
    assert on.device.facts()["shown_bytes"] == 0


@pytest.mark.parametrize("name", ALL)
def test_a_sale_from_the_start_leaves_the_display_alone(name: str) -> None:
    on = bench(name)
    on.sale = "yes"
    sent = traffic(on)
    on.run(10)
    for level in ("internal", "external", "interactive"):
        found = selftest(on, level)
        assert not any(step.verdict == "passed" for step in found.values()), found
    assert sent == []


@pytest.mark.parametrize("name", ANSWERING)
def test_a_display_that_was_exchanged_during_a_sale_is_noticed(name: str) -> None:
    on = bench(name)
    on.run(5)
    on.sale = "yes"
    on.run(5)
    on.tell("serial=DMDX777777" if name == "dmd" else "model=5972")
    on.sale = "unknown"
    assert raised(on.run(20)[-1]) == {"identity_changed"}


def test_another_display_is_noticed() -> None:
    for name, knob in (("dmd", "serial=DMDX777777"), ("ncr597x", "model=5972")):
        on = bench(name)
        on.run(5)
        on.tell("fault=unplug")
        on.run(3)
        on.tell(knob, "fault=none")
        assert raised(on.run(20)[-1]) == {"identity_changed"}


def test_a_display_that_cannot_tell_who_it_is_is_unknown() -> None:
    last = bench("dmd", "answers=none").run(20)[-1]
    assert (last.power, raised(last)) == (Power.UNKNOWN, set())


# -- what it shows -----------------------------------------------------------------------------------


def test_a_wrong_text_is_a_fault_and_ends_with_it() -> None:
    forward = Forward(bench("ncr597x"))
    assert forward.run(10) == []
    forward.tell("shows=nonsense")
    assert forward.run(10) == ["raised receipt/wrong_text"]
    forward.tell("shows=told")
    assert forward.run(10) == ["cleared receipt/wrong_text"]


@pytest.mark.parametrize("name", ALL)
def test_what_can_never_be_known_is_left_out_and_who_can_know_is_told(name: str) -> None:
    last = bench(name).run(5)[-1]
    by_answers = {"frozen", "silent", "garbled"}
    assert by_answers.intersection(values(last)) == (by_answers if name in ANSWERING else set())
    witness = "readback" if name == "ncr597x" else "operator"
    assert last.conditions["wrong_text"].verified_by == witness


def test_the_evidence_of_a_wrong_text_has_no_text() -> None:
    on = bench("ncr597x", "shows=nonsense")
    last = on.run(10)[-1]
    assert raised(last) == {"wrong_text"}
    assert last.conditions["wrong_text"].verified_by == "readback"
    evidence = last.evidence["wrong_text"]
    assert evidence["line"] == evidence["column"] == 1
    assert "elcome" not in str(evidence)
    assert "drypz" not in str(evidence)


def test_a_text_that_was_lost_is_written_again() -> None:
    on = bench("ncr597x")
    on.run(5)
    on.door.send(b"\x1b\x02")  # somebody erased it
    seen = on.run(10)
    assert shown(on) == LINES
    assert {frozenset(raised(o)) for o in seen} == {frozenset()}


@pytest.mark.parametrize("name", ANSWERING)
def test_a_display_that_was_off_shows_its_text_again(name: str) -> None:
    on = bench(name)
    on.run(5)
    on.tell("power=off")
    assert raised(on.run(20)[-1]) == {"power_off"}
    on.tell("power=on")
    assert raised(on.run(10)[-1]) == set()
    assert shown(on) == LINES


@pytest.mark.parametrize("model", ["5972", "5977"])
def test_what_does_not_read_back_is_not_compared(model: str) -> None:
    on = bench("ncr597x", f"model={model}", "shows=nonsense")
    last = on.run(20)[-1]
    assert values(last)["wrong_text"] is None
    assert last.identity["model"] == model


def test_without_a_text_nothing_is_compared() -> None:
    on = bench("ncr597x", "shows=nonsense", text=None)
    last = on.run(20)[-1]
    assert values(last)["wrong_text"] is None
    assert on.device.facts()["shown_bytes"] == 0


# -- silence -----------------------------------------------------------------------------------------

# settings, fault, link -> what holds then, and the power
SILENCE: list[tuple[str, str, Flavour, str, Power]] = [
    ("dsr=wired", "fault=mute", "serial", "frozen", Power.OFFLINE),
    ("dsr=none", "fault=mute", "serial", "silent", Power.OFF_OFFLINE),
    ("dsr=wired", "power=off", "serial", "power_off", Power.OFF),
    ("dsr=none", "power=off", "serial", "silent", Power.OFF_OFFLINE),
    ("dsr=none", "fault=unplug", "serial", "unplugged", Power.OFF_OFFLINE),
    ("dsr=none", "fault=babble", "serial", "garbled", Power.UNKNOWN),
]
USB: list[tuple[str, str, Flavour, str, Power]] = [
    ("power=on", "fault=mute", "usb", "frozen", Power.OFFLINE),
    ("power=on", "power=off", "usb", "unplugged", Power.OFF_OFFLINE),
    ("power=on", "fault=unplug", "usb", "unplugged", Power.OFF_OFFLINE),
    ("power=on", "fault=babble", "usb", "garbled", Power.UNKNOWN),
]
CASES = [(name, *case) for name in ANSWERING for case in SILENCE] + [("dmd", *case) for case in USB]


@pytest.mark.parametrize(("name", "setting", "fault", "flavour", "kind", "power"), CASES)
def test_silence(name: str, setting: str, fault: str, flavour: Flavour, kind: str, power: Power) -> None:
    on = bench(name, setting, flavour=flavour)
    on.run(5)
    on.tell(fault)
    seen = on.run(15)
    assert {frozenset(raised(o)) for o in seen} <= {frozenset(), frozenset({kind})}
    assert (raised(seen[-1]), seen[-1].power) == ({kind}, power)
    on.tell("power=on", "fault=none")
    back = on.run(15)[-1]
    assert (raised(back), back.power) == (set(), Power.ONLINE)
    assert shown(on) == LINES


@pytest.mark.parametrize("name", WRITE_ONLY)
def test_a_display_that_cannot_answer_is_missed_when_it_is_gone(name: str) -> None:
    on = bench(name, "dsr=none")
    on.run(5)
    on.tell("fault=unplug")
    gone = on.run(5)[-1]
    assert (raised(gone), gone.power) == ({"unplugged"}, Power.OFF_OFFLINE)
    on.tell("fault=none")
    assert raised(on.run(5)[-1]) == set()
    assert shown(on) == LINES
    for fault in ("mute", "babble", "slow:3", "stall"):
        on.tell(f"fault={fault}")
        assert {frozenset(raised(o)) for o in on.run(20)} == {frozenset()}
        on.tell("fault=none")


@pytest.mark.parametrize("name", WRITE_ONLY)
def test_a_wired_line_shows_that_it_is_off(name: str) -> None:
    forward = Forward(bench(name, "dsr=wired"))
    assert forward.run(10) == []
    forward.tell("power=off")
    assert forward.run(15) == ["raised receipt/power_off"]
    forward.tell("power=on")
    assert forward.run(10) == ["cleared receipt/power_off"]
    assert shown(forward.bench) == LINES


FAULTS = ("slow:0.8", "slow:2.5", "drip:1", "drop:0.05", "die_mid_frame", "mute")
LONG = ("babble", "stall", "flap:3")  #: cost more to run


@pytest.mark.parametrize(
    "fault", [*FAULTS, *(pytest.param(fault, marks=[pytest.mark.slow]) for fault in LONG)]
)
@pytest.mark.parametrize("name", ANSWERING)
def test_the_driver_recovers_when_the_line_does_and_takes_no_answer_for_another(
    name: str, fault: str
) -> None:
    on = bench(name)
    before = on.run(10)[-1].identity
    on.tell(f"fault={fault}")
    own = {"wrong_text", "identity_changed"}
    during = on.run(120)
    assert not any(raised(o) & own for o in during)
    assert all(o.identity == before for o in during)
    on.tell("fault=none")
    last = on.run(30)[-1]
    assert (raised(last), last.power, last.identity) == (set(), Power.ONLINE, before)
    assert shown(on) == LINES


# -- knobs -------------------------------------------------------------------------------------------

# model, link, a knob turned and turned back -> what it raises
KNOBS: list[tuple[str, Flavour, str, str, set[str]]] = [
    *[(name, "serial", "power=off", "power=on", {"power_off"}) for name in ALL],
    *[(name, "serial", "shows=nonsense", "shows=told", set()) for name in (*WRITE_ONLY, "dmd")],
    *[(name, "serial", "dsr=none", "dsr=wired", set()) for name in ALL],
    ("ncr597x", "serial", "shows=nonsense", "shows=told", {"wrong_text"}),
    ("ncr597x", "serial", "model=5972", "model=7454", {"identity_changed"}),
    ("ncr597x", "serial", "firmware=V2.0", "firmware=V1.00.01", set()),
    *[
        case
        for flavour in ("serial", "usb")
        for case in (
            ("dmd", flavour, "serial=DMDX777777", "serial=DMDX012345", {"identity_changed"}),
            ("dmd", flavour, "firmware=2.00", "firmware=1.02", set()),
            ("dmd", flavour, "answers=none", "answers=all", {"frozen"}),
        )
    ],
    ("dmd", "usb", "power=off", "power=on", {"unplugged"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "flavour", "turned", "back", "kinds"), KNOBS)
def test_each_knob_raises_and_clears_its_own_fault_and_no_other(
    name: str, flavour: Flavour, turned: str, back: str, kinds: set[str]
) -> None:
    on = bench(name, flavour=flavour)
    on.run(5)
    on.tell(turned)
    seen = on.run(90)
    assert {frozenset(raised(o)) for o in seen} <= {frozenset(), frozenset(kinds)}
    assert raised(seen[-1]) == kinds
    on.tell(back)
    assert raised(on.run(90)[-1]) == set()


# -- self-tests --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_internal_changes_nothing(name: str) -> None:
    on = bench(name)
    on.run(5)
    seen = ("shown", "shown_bytes", "brightness_pct")
    before = {name: on.device.facts()[name] for name in seen}
    selftest(on, "internal")
    on.run(1)
    assert {name: on.device.facts()[name] for name in seen} == before


@pytest.mark.parametrize("name", WRITE_ONLY)
def test_internal_says_what_to_ask_for(name: str) -> None:
    on = bench(name)
    assert "--level interactive" in selftest(on, "internal")["show"].detail
    assert "answer" not in selftest(on, "interactive"), "a technician's eye stands for it"


@pytest.mark.parametrize("text", [TEXT, None], ids=["text", "none"])
@pytest.mark.parametrize("name", ALL)
def test_external_shows_a_pattern_and_puts_everything_back(name: str, text: str | None) -> None:
    on = bench(name, text=text)
    on.run(5)
    looks = []
    for step in steps(on, "external"):
        on.clock.advance(0.1)  # what was written arrives
        on.door.receive()
        looks.append((step.name, step.verdict, shown(on)))
    assert ("show", "passed", list(PATTERN)) in looks
    assert looks[-1] == ("restore", "passed", LINES if text else ["", ""])
    assert all(verdict != "failed" for _name, verdict, _shown in looks)
    assert on.device.facts()["brightness_pct"] == 100


def test_external_reads_back_where_that_can_be() -> None:
    on = bench("ncr597x")
    on.run(5)
    assert selftest(on, "external")["read back"].verdict == "passed"
    on.tell("shows=nonsense")
    failed = selftest(on, "external")["read back"]
    assert (failed.verdict, "line 1, column 1" in failed.detail) == ("failed", True)


def test_a_dmd_runs_its_own_test_and_its_ready_line_follows() -> None:
    on = bench("dmd")
    on.run(5)
    found = selftest(on, "external")
    assert (found["own test"].verdict, found["handshake"].verdict) == ("passed", "passed")
    assert on.device.facts()["self_tests"] == 1
    assert "handshake" not in selftest(bench("dmd", "dsr=none"), "external")
    on.tell("fault=stall")
    stalled = selftest(on, "external")
    assert stalled["own test"].verdict != "passed"


@pytest.mark.parametrize("name", ALL)
def test_what_the_technician_saw_is_published_as_the_operators_word(name: str) -> None:
    forward = Forward(bench(name))
    on = forward.bench
    forward.run(5)

    def interactive(verdict: Verdict) -> None:
        def job(driver: Driver) -> None:
            names = [s.name for s in driver.selftest("interactive", OCCASION, Deadline.after(on.clock, 30))]
            assert names[-1] == "looks"

        forward.worker.submit(job, limit_s=30)
        forward.run(10)
        assert shown(on) == list(PATTERN)
        forward.worker.submit(lambda driver: hears(driver).answered("looks", verdict), limit_s=5)

    interactive("failed")
    assert forward.run(5) == ["raised receipt/wrong_text"]
    assert shown(on) == LINES
    condition = forward.broker.on("device/receipt")[-1]["conditions"]["wrong_text"]
    assert (condition["value"], condition["verified_by"]) == (True, "operator")
    interactive("passed")
    assert forward.run(5) == ["cleared receipt/wrong_text"]
    condition = forward.broker.on("device/receipt")[-1]["conditions"]["wrong_text"]
    assert condition["verified_by"] == ("readback" if name == "ncr597x" else "operator")


@pytest.mark.slow
def test_a_pattern_that_nobody_answers_for_goes_after_a_while() -> None:
    for name in ALL:
        on = bench(name)
        on.run(5)
        selftest(on, "interactive")
        on.run(60)
        assert shown(on) == list(PATTERN)
        on.run(300)
        assert shown(on) == LINES


def test_a_sale_ends_a_pattern_and_the_answer_counts_no_more() -> None:
    for name in ALL:
        on = bench(name)
        on.run(5)
        selftest(on, "interactive")
        on.sale = "yes"
        on.run(3)
        sent = traffic(on)
        hears(on.driver).answered("looks", "failed")
        assert sent == []
        on.sale = "no"
        assert values(on.run(5)[-1])["wrong_text"] in (None, False)
        assert shown(on) == LINES


def test_a_sale_that_begins_within_a_test_ends_it() -> None:
    for name in ALL:
        on = bench(name)
        on.run(5)
        sent = traffic(on)
        for step in steps(on, "external"):
            if step.name == "show":
                on.sale = "yes"
                sent.clear()
        assert sent == []


def test_bytes_that_do_not_leave_fail() -> None:
    for name in WRITE_ONLY:
        on = bench(name, text=None)
        on.run(5)
        on.door.send = lambda data: len(data) // 2  # type: ignore[method-assign]  # the line takes half
        found = selftest(on, "external")
        assert found["show"].verdict == "failed"
        assert "flow control" in found["show"].detail
