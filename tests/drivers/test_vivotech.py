"""The ViVOtech2 driver against the simulated reader, serial and HID, and against scripted ones."""

from __future__ import annotations

import pytest

from drivers.api import Deadline, Level, Occasion, Power, Setup, Step
from drivers.reader.vivotech.consts import TAG, Ask
from drivers.reader.vivotech.driver import SPEC, conditions, word
from drivers.reader.vivotech.wire import request
from simulator.devices.reader.vivotech_frame import response
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.fast_forward import Forward
from tests.harness import Bench, Flavour, raised, values

OWN = ("tamper", "sam_error", "secure_interface_failed")
AT = Occasion("T-0001", "2026-07-01 10:00")
FLAVOURS: tuple[Flavour, ...] = ("serial", "hid")


def bench(*settings: str, flavour: Flavour = "serial", seed: int = 1, poll_s: float = 2.0) -> Bench:
    return Bench(settings, driver_name="vivotech", flavour=flavour, profile="plain", seed=seed, poll_s=poll_s)


def steps(made: Bench, level: Level) -> dict[str, Step]:
    return {step.name: step for step in made.driver.selftest(level, AT, Deadline.after(made.clock, 60))}


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(
    ("knob", "end", "kind"),
    [
        ("tamper=yes", "tamper=no", "tamper"),
        ("sam=error", "sam=ok", "sam_error"),
        ("secure=failed", "secure=ok", "secure_interface_failed"),
    ],
)
def test_each_knob_raises_and_clears_its_own_fault_alone(
    knob: str, end: str, kind: str, flavour: Flavour
) -> None:
    made = bench(flavour=flavour)
    forward = Forward(made)
    assert forward.run(6) == []
    made.tell(knob)
    assert forward.run(6) == [f"raised receipt/{kind}"]
    made.tell(end)
    assert forward.run(6) == [f"cleared receipt/{kind}"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_who_it_is(flavour: Flavour) -> None:
    made = bench("firmware=VP5300-FW-v2.00", flavour=flavour, poll_s=30)
    identity = made.run(3)[-1].identity
    assert identity["firmware"] == "VP5300-FW-v2.00"
    assert identity["serial"].endswith(b"522T1234567".hex().upper())
    made.tell("tamper=yes")
    seen = made.run(3700)[-1]
    assert seen.identity == identity, "a reader that answers with an error is still the same"
    made.tell("tamper=no", "fault=unplug")
    made.run(90)
    made.tell("serial=522T7654321", "fault=none")
    assert values(made.run(90)[-1])["identity_changed"] is True


def test_versions_are_asked_for_at_opening_and_each_hour() -> None:
    clock = TurnedClock()
    asked: list[bytes] = []

    def answer(data: bytes) -> bytes:
        asked.append(data[10:12])
        text = bytes(16) if data[11] == 0x17 else b"v1"
        return response(data[10], 0, b"" if data[10] == 0x18 else text)

    link = ScriptedLink(clock, answer=answer)
    driver = SPEC.make(Setup(device="reader", link=link, clock=clock, memory={}))
    for _ in range(1000):
        driver.poll(Deadline.after(clock, 2.5))
        clock.advance(2)
    versions = asked.count(bytes.fromhex("29 00"))
    assert versions == 3, "till they are believed"
    for _ in range(900):
        driver.poll(Deadline.after(clock, 2.5))
        clock.advance(2)
    assert asked.count(bytes.fromhex("29 00")) == 2 * versions


SILENCE: list[tuple[str, str, Flavour, str, Power]] = [
    ("fault=mute", "fault=none", "serial", "silent", Power.OFF_OFFLINE),
    ("fault=mute", "fault=none", "hid", "frozen", Power.OFFLINE),
    ("fault=die_mid_frame", "fault=none", "serial", "silent", Power.OFF_OFFLINE),
    ("fault=babble", "fault=none", "serial", "garbled", Power.UNKNOWN),
    ("fault=mute,babble", "fault=none", "serial", "garbled", Power.UNKNOWN),
    ("fault=unplug", "fault=none", "serial", "unplugged", Power.OFF_OFFLINE),
    ("fault=unplug", "fault=none", "hid", "unplugged", Power.OFF_OFFLINE),
    ("power=off", "power=on", "serial", "silent", Power.OFF_OFFLINE),
    ("power=off", "power=on", "hid", "unplugged", Power.OFF_OFFLINE),
]


@pytest.mark.parametrize(("fault", "end", "flavour", "kind", "power"), SILENCE)
def test_silence(fault: str, end: str, flavour: Flavour, kind: str, power: Power) -> None:
    made = bench(flavour=flavour)
    made.run(6)
    made.tell(fault)
    seen = made.run(12)
    assert {frozenset(raised(o)) for o in seen} <= {frozenset(), frozenset({kind})}
    assert (raised(seen[-1]), seen[-1].power) == ({kind}, power)
    assert [values(seen[-1])[own] for own in OWN] == [None] * 3
    made.tell(end)
    back = made.run(8)[-1]
    assert (raised(back), back.power) == (set(), Power.ONLINE)
    assert [values(back)[own] for own in OWN] == [False] * 3


def test_at_a_wrong_baud_rate_it_understands_nothing_and_says_nothing() -> None:
    made = bench()
    made.door.host_baud = 9600
    assert (raised(made.run(20)[-1]), made.device.facts()["signals"]) == (set(), 0)
    made.door.host_baud = 115200
    assert made.run(8)[-1].power is Power.ONLINE


@pytest.mark.slow
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_hour_of_corruption_shows_nothing_the_reader_did_not_have(flavour: Flavour) -> None:
    seen = bench("fault=corrupt:0.01", flavour=flavour).run(3600)
    assert {frozenset(raised(o)) for o in seen} == {frozenset()}
    assert len({o.identity["firmware"] for o in seen if o.identity}) == 1


# -- the self-test -----------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_internal_makes_no_sound_and_sets_nothing(flavour: Flavour) -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, answer=lambda data: response(data[10], 0))
    setup = Setup(device="reader", link=link, clock=clock, memory={})
    assert all(SPEC.make(setup).selftest("internal", AT, Deadline.after(clock, 60)))
    assert set(link.written) == {request(ask) for ask in Ask if ask is not Ask.BEEP}
    assert all(data[12:14] == b"\0\0" for data in link.written), "without data nothing is set"
    made = bench(flavour=flavour)
    made.run(5)
    done = steps(made, "internal")
    assert [done[name].verdict for name in ("answer", "status", "identity", "self_check")] == ["passed"] * 4
    assert done["self_check"].detail.endswith("02:30 UTC")
    assert ("beep" in done, made.device.facts()["signals"]) == (False, 0)


@pytest.mark.parametrize("level", ["external", "interactive"])
def test_external_beeps_once_and_interactive_asks(level: Level) -> None:
    made = bench()
    done = steps(made, level)
    assert done["beep"].verdict == "passed"
    assert (done["buzzer"].question if "buzzer" in done else None) == (
        "Did the card reader beep?" if level == "interactive" else None
    )
    assert made.device.facts()["signals"] == 1


@pytest.mark.parametrize(
    ("status", "verdict"), [(0x0B, "untested"), (0x03, "untested"), (0x0A, "failed"), (None, "failed")]
)
def test_a_reader_that_does_not_beep(status: int | None, verdict: str) -> None:
    clock = TurnedClock()

    def answer(data: bytes) -> bytes | None:
        if data[10] != 0x0B:
            return response(data[10], 0)
        return None if status is None else response(0x0B, status)

    setup = Setup(device="reader", link=ScriptedLink(clock, answer=answer), clock=clock, memory={})
    done = {s.name: s for s in SPEC.make(setup).selftest("external", AT, Deadline.after(clock, 60))}
    assert done["beep"].verdict == verdict


# -- scripted readers --------------------------------------------------------------------------------


def test_answers_that_come_in_reports_filled_with_zeros() -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, scheme="hid", held=False, proves_power=True)

    def answer(data: bytes) -> None:
        text = {0x29: b"VP5300 " * 12, 0x09: b"FW,1,\r\nHW,2,\r\n"}.get(data[10], b"")
        if data[11] == 0x17:
            text = bytes(range(16))
        frame = response(data[10], 0, text)
        frame += bytes(-len(frame) % 63)
        for start in range(0, len(frame), 63):
            link.push(frame[start : start + 63], 0.002)

    link.answer = answer
    driver = SPEC.make(Setup(device="reader", link=link, clock=clock, memory={}))
    seen = driver.poll(Deadline.after(clock, 2.5))
    assert seen.identity["modules"] == "FW,1; HW,2"
    assert seen.identity["firmware"].startswith("VP5300 VP5300")
    assert seen.identity["serial"] == bytes(range(16)).hex().upper()
    assert values(seen)["tamper"] is False


def test_what_comes_unasked_is_passed_over() -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, answer=lambda data: response(data[10], 0))
    driver = SPEC.make(Setup(device="reader", link=link, clock=clock, memory={}))
    driver.poll(Deadline.after(clock, 2.5))
    link.push(response(0x02, 0x1D, b"4111111111111111"), 0.5)
    link.push(response(0x18, 0x1D), 0.6)
    assert driver.listen(Deadline.after(clock, 0.55)) is None
    seen = driver.poll(Deadline.after(clock, 2.5))
    assert raised(seen) == set()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x00, (False, False, False)),
        (0x1D, (True, None, None)),
        (0x20, (None, True, None)),
        (0x21, (None, True, None)),
        (0x12, (None, None, True)),
        (0x0A, (None, None, None)),
    ],
)
def test_what_a_status_means(status: int, expected: tuple[bool | None, ...]) -> None:
    assert tuple(conditions(status)[kind] for kind in OWN) == expected


def test_a_status_has_its_word_or_its_number() -> None:
    assert (word(0x0B), word(0x77)) == ("command_not_allowed", "77")
    assert request(Ask.PING).startswith(TAG)
