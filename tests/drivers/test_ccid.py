"""The CCID driver against the simulated reader, and against scripted ones."""

from __future__ import annotations

import re

import pytest

from drivers.api import Deadline, Observation, Occasion, Power, Setup, Step
from drivers.errors import LinkLost
from drivers.reader.ccid.consts import Command
from drivers.reader.ccid.driver import SPEC
from drivers.reader.ccid.wire import get_slot_status, power_off, power_on
from drivers.usb_control import Control
from drivers.usb_identity import release, string_text
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.fast_forward import Forward
from tests.harness import Bench, raised, values

OWN = ("hardware_error", "over_current")
AT = Occasion("T-0001", "2026-07-01 10:00")


def bench(*settings: str, seed: int = 1) -> Bench:
    return Bench(settings, driver_name="ccid", flavour="usb", profile="plain", seed=seed)


def own(observation: Observation) -> dict[str, bool | None]:
    return {kind: values(observation)[kind] for kind in OWN}


def powered_on(made: Bench) -> object:
    return made.device.facts()["powered_on"]


@pytest.mark.parametrize(
    ("knob", "kind"),
    [
        ("reader=hardware_error", "hardware_error"),
        ("reader=over_current", "over_current"),
        ("reader=short_circuit", "over_current"),
    ],
)
def test_each_knob_raises_and_clears_its_own_fault_alone(knob: str, kind: str) -> None:
    made = bench("card=present")
    forward = Forward(made)
    assert forward.run(6) == []
    made.tell(knob)
    assert forward.run(6) == [f"raised receipt/{kind}"]
    made.tell("reader=ok")
    assert forward.run(6) == [f"cleared receipt/{kind}"]
    assert powered_on(made) == 0


def test_a_card_is_a_fact_told_at_once_and_never_a_fault() -> None:
    made = bench()
    forward = Forward(made)
    assert forward.run(5) == []
    assert made.run(3)[-1].facts["card"] == "absent"
    for word in ("present", "absent", "mute"):
        made.tell(f"card={word}")
        seen = made.run(0.2)
        assert seen
        assert seen[-1].facts["card"] == ("absent" if word == "absent" else "present")
        assert raised(seen[-1]) == set()
    assert forward.run(5) == []
    assert powered_on(made) == 0


def test_more_time_is_alive() -> None:
    made = bench("answer=time_extension", "extension=4")
    seen = made.run(60)
    assert seen[-1].power is Power.ONLINE
    assert all(o.heard for o in seen)
    assert not any(raised(o) for o in seen)
    made.tell("extension=20")
    seen = made.run(120)
    assert {(o.power, frozenset(raised(o))) for o in seen} == {(Power.ONLINE, frozenset())}
    assert seen[-1].facts["busy"] is True
    made.tell("answer=prompt")
    assert made.run(60)[-1].facts["busy"] is False


SILENCE = [
    ("fault=mute", "fault=none", "frozen", Power.OFFLINE),
    ("fault=die_mid_frame", "fault=none", "frozen", Power.OFFLINE),
    pytest.param("fault=babble", "fault=none", "garbled", Power.UNKNOWN, marks=pytest.mark.slow),
    ("fault=mute,babble", "fault=none", "garbled", Power.UNKNOWN),
    ("fault=unplug", "fault=none", "unplugged", Power.OFF_OFFLINE),
    ("power=off", "power=on", "unplugged", Power.OFF_OFFLINE),
]


@pytest.mark.parametrize(("fault", "end", "kind", "power"), SILENCE)
def test_silence(fault: str, end: str, kind: str, power: Power) -> None:
    made = bench("card=present")
    made.run(6)
    made.tell(fault)
    seen = made.run(14)
    assert {frozenset(raised(o)) for o in seen} <= {frozenset(), frozenset({kind})}
    assert (raised(seen[-1]), seen[-1].power) == ({kind}, power)
    assert own(seen[-1]) == dict.fromkeys(OWN)
    made.tell(end)
    back = made.run(8)[-1]
    assert (raised(back), back.power) == (set(), Power.ONLINE)
    assert own(back) == dict.fromkeys(OWN, False)


@pytest.mark.parametrize("fault", ["slow:0.8", "slow:2.5", "drip:1", "drop:0.05", "flap:3", "stall", "mute"])
def test_it_recovers_and_takes_no_answer_for_another(fault: str) -> None:
    made = bench("card=present")
    made.run(10)
    made.tell(f"fault={fault}")
    seen = made.run(60)
    assert not any(raised(o) & set(OWN) for o in seen)
    if fault in ("slow:0.8", "stall"):
        assert not any(raised(o) for o in seen)
    made.tell("fault=none")
    last = made.run(20)[-1]
    assert (raised(last), last.power) == (set(), Power.ONLINE)
    assert powered_on(made) == 0


@pytest.mark.slow
def test_an_hour_of_corruption_shows_nothing_the_reader_did_not_have() -> None:
    made = bench("card=present", "fault=corrupt:0.01")
    seen = made.run(3600)
    assert {frozenset(raised(o)) for o in seen} == {frozenset()}
    assert {o.facts.get("card") for o in seen} <= {None, "present"}
    assert powered_on(made) == 0


# -- the self-test -----------------------------------------------------------------------------------


def steps(made: Bench, level: str) -> dict[str, Step]:
    deadline = Deadline.after(made.clock, 60)
    return {step.name: step for step in made.driver.selftest(level, AT, deadline)}  # type: ignore[arg-type]


def test_internal_powers_no_card() -> None:
    made = bench("card=present")
    done = steps(made, "internal")
    assert {name: done[name].verdict for name in ("answer", "status")} == {
        "answer": "passed",
        "status": "passed",
    }
    assert "card" not in done
    asked = made.device.facts()["asked"]
    assert isinstance(asked, dict)
    assert set(asked) == {"GetSlotStatus"}


@pytest.mark.parametrize("level", ["external", "interactive"])
def test_external_powers_a_test_card_for_a_moment(level: str) -> None:
    made = bench("card=present")
    done = steps(made, level)
    assert (done["card"].verdict, done["card"].detail) == ("passed", "the card answers with 2 bytes")
    assert done["power_off"].verdict == "passed"
    assert (powered_on(made), made.device.facts()["card_active"]) == (1, False)


@pytest.mark.parametrize(
    ("settings", "verdict", "why"),
    [
        ("card=absent", "untested", "insert a test card"),
        ("card=mute", "failed", "does not answer"),
        ("card=present answer=time_extension extension=2", "passed", "2 bytes"),
        ("card=present reader=short_circuit", "failed", "short circuit"),
    ],
)
def test_external_says_why_not(settings: str, verdict: str, why: str) -> None:
    made = bench(*settings.split())
    done = steps(made, "external")
    assert done["card"].verdict == verdict
    assert why in done["card"].detail
    assert made.device.facts()["card_active"] is False


def test_a_card_that_somebody_uses_is_left_alone() -> None:
    made = bench("card=present")
    made.run(1)
    made.door.send(bytes.fromhex("62 00 00 00 00 00 77 00 00 00"))  # another host's power-on
    done = steps(made, "external")
    assert done["card"].verdict == "untested"
    assert made.device.facts()["card_active"] is True


# -- scripted readers --------------------------------------------------------------------------------


class UsbLink(ScriptedLink):
    """With a default pipe and an interrupt pipe: `descriptors` by wValue, `said` what is noticed next."""

    descriptors: dict[int, bytes]
    said: bytes = b""

    def control(self, request: Control, deadline: Deadline) -> bytes | None:
        assert (request.request_type, request.request) == (0x80, 6)
        found = self.descriptors.get(request.value)
        return None if found is None else found[: request.length]

    def notice(self, deadline: Deadline) -> bytes:
        said, self.said = self.said, b""
        if not said:
            self.clock.turn_to(deadline.at_s)
        return said


def text(word: str) -> bytes:
    raw = word.encode("utf-16-le")
    return bytes((2 + len(raw), 3)) + raw


def scripted(status: str = "01 00 01", **options: int) -> tuple[UsbLink, TurnedClock, Setup]:
    clock = TurnedClock()
    link = UsbLink(
        clock,
        answer=lambda asked: b"\x81\0\0\0\0" + asked[5:7] + bytes.fromhex(status),
        scheme="usb",
        proves_power=True,
    )
    device = bytearray(18)
    device[:2], device[12:14], device[14:17] = b"\x12\x01", b"\x20\x05", b"\x01\x02\x05"
    link.descriptors = {
        0x100: bytes(device),
        0x301: text("Identive"),
        0x302: text("SCR3310"),
        0x305: text("53311440"),
    }
    return link, clock, Setup(device="reader", link=link, clock=clock, memory={}, options=dict(options))


def poll(setup: Setup, count: int = 1) -> Observation:
    driver = SPEC.make(setup)
    for _ in range(count):
        seen = driver.poll(Deadline.after(setup.clock, 2.5))
    return seen


def test_who_it_is_comes_from_its_descriptors() -> None:
    link, _, setup = scripted()
    assert poll(setup).identity == {
        "manufacturer": "Identive",
        "model": "SCR3310",
        "serial": "53311440",
        "firmware": "5.20",
    }
    link.descriptors = {}
    link.close()
    assert poll(setup).identity == {}


def test_another_serial_number_is_another_reader() -> None:
    link, clock, setup = scripted()
    driver = SPEC.make(setup)
    assert values(driver.poll(Deadline.after(clock, 2.5)))["identity_changed"] is False
    link.descriptors[0x305] = text("53311441")
    link.close()
    for _ in range(3):
        clock.advance(2)
        seen = driver.poll(Deadline.after(clock, 2.5))
    assert values(seen)["identity_changed"] is True


def test_all_slots_that_are_configured_are_asked() -> None:
    link, _, setup = scripted(slots=3)
    seen = poll(setup)
    assert {name: seen.facts[name] for name in ("card", "card_1", "card_2")} == dict.fromkeys(
        ("card", "card_1", "card_2"), "present"
    )
    assert {request[5] for request in link.written} == {0, 1, 2}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("42 FB 01", (True, False)),
        ("41 A2 01", (False, True)),
        ("42 FE 01", (False, False)),
        ("42 05 01", (None, None)),  # no such slot: nothing was looked at
        ("42 00 01", (None, None)),
    ],
)
def test_what_an_error_means(status: str, expected: tuple[bool | None, bool | None]) -> None:
    _, _, setup = scripted(status)
    seen = poll(setup)
    assert (values(seen)["hardware_error"], values(seen)["over_current"]) == expected


def test_a_notice_of_over_current_holds_until_the_card_moves_or_half_a_minute() -> None:
    status = "01 00 01"
    link, clock, setup = scripted()
    link.answer = lambda asked: b"\x81\0\0\0\0" + asked[5:7] + bytes.fromhex(status)
    driver = SPEC.make(setup)
    driver.poll(Deadline.after(clock, 2.5))
    link.said = bytes.fromhex("51 00 07 01")
    seen = driver.listen(Deadline.after(clock, 2))
    assert seen is not None
    assert raised(seen) == {"over_current"}
    status = "02 00 01"
    assert raised(driver.poll(Deadline.after(clock, 2.5))) == set()
    link.said = bytes.fromhex("51 00 07 01")
    assert driver.listen(Deadline.after(clock, 2)) is not None
    clock.advance(31)
    assert raised(driver.poll(Deadline.after(clock, 2.5))) == set()


def test_noise_on_the_interrupt_pipe_is_passed_over() -> None:
    link, clock, setup = scripted()
    driver = SPEC.make(setup)
    driver.poll(Deadline.after(clock, 2.5))
    link.said = bytes.fromhex("00 FF 12")
    assert driver.listen(Deadline.after(clock, 2)) is None


@pytest.mark.parametrize("length", [1, 5, 8, 9])
def test_a_broken_answer_is_not_made_whole_by_the_next(length: int) -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, scheme="usb", proves_power=True)
    link.answer = lambda asked: (b"\x81\0\0\0\0" + asked[5:7] + bytes.fromhex("42 FB 00"))[:length]
    driver = SPEC.make(Setup(device="reader", link=link, clock=clock, memory={}))
    for _ in range(6):
        seen = driver.poll(Deadline.after(clock, 2.5))
    assert (own(seen), seen.power) == (dict.fromkeys(OWN), Power.UNKNOWN)


def test_a_stale_answer_is_passed_over_and_the_right_one_waited_for() -> None:
    clock = TurnedClock()
    link = ScriptedLink(clock, scheme="usb", proves_power=True)

    def answer(asked: bytes) -> bytes:
        link.push(b"\x81\0\0\0\0" + asked[5:7] + bytes.fromhex("01 00 01"), 1.4)
        return bytes.fromhex("81 00 00 00 00 00 C8 42 FB 01")

    link.answer = answer
    setup = Setup(device="reader", link=link, clock=clock, memory={})
    driver = SPEC.make(setup)
    for _ in range(6):
        seen = driver.poll(Deadline.after(clock, 2.5))
        assert raised(seen) == set()
    assert values(seen)["hardware_error"] is False


def test_a_reader_that_does_not_choose_the_voltage_is_told_five_volts() -> None:
    link, clock, setup = scripted()

    def answer(asked: bytes) -> bytes:
        head = asked[5:7]
        if asked[0] != 0x62:
            return b"\x81\0\0\0\0" + head + bytes.fromhex("01 00 01")
        if asked[7] == 0:
            return b"\x80\0\0\0\0" + head + bytes.fromhex("41 07 00")
        return b"\x80\x02\0\0\0" + head + bytes.fromhex("00 00 00 3B 00")

    link.answer = answer
    driver = SPEC.make(setup)
    done = {step.name: step for step in driver.selftest("external", AT, Deadline.after(clock, 60))}
    assert done["card"].verdict == "passed"
    assert [request[0] for request in link.written][-3:] == [0x62, 0x62, 0x63]


def test_power_is_taken_off_also_if_the_reader_breaks_off() -> None:
    link, clock, setup = scripted()
    sent: list[int] = []

    def answer(asked: bytes) -> bytes | None:
        sent.append(asked[0])
        return None if asked[0] == 0x62 else b"\x81\0\0\0\0" + asked[5:7] + bytes.fromhex("01 00 01")

    link.answer = answer
    done = {step.name: step for step in SPEC.make(setup).selftest("external", AT, Deadline.after(clock, 60))}
    assert (done["card"].verdict, sent[-1]) == ("failed", 0x63)
    link.fail = LinkLost("usb: gone")
    last = [*SPEC.make(setup).selftest("external", AT, Deadline.after(clock, 60))][-1]
    assert re.search("gone", last.detail)


def test_descriptors_that_are_none() -> None:
    assert string_text(b"") == string_text(b"\x04") == string_text(b"\x09\x03ab") == ""
    assert string_text(b"\x04\x02ab") == ""
    assert string_text(b"\x03\x03a") == "\ufffd"
    assert release(b"\x20\x05") == "5.20"


def test_nothing_that_carries_data_to_a_card_can_be_sent() -> None:
    assert {command.name for command in Command} == {"POWER_ON", "POWER_OFF", "GET_SLOT_STATUS"}
    assert all(len(built) == 10 for built in (get_slot_status(0, 1), power_on(0, 1), power_off(0, 1)))


def test_a_busy_reader_keeps_its_state_but_not_over_a_replug() -> None:
    made = bench("card=present")
    made.run(6)
    made.tell("answer=time_extension", "extension=25")
    seen = made.run(15)[-1]
    assert (seen.facts["busy"], seen.facts["card"]) == (True, "present")
    assert own(seen) == dict.fromkeys(OWN, False)
    made.tell("fault=unplug")
    made.run(4)
    made.tell("fault=none")
    seen = made.run(15)[-1]
    assert (seen.power, own(seen)) == (Power.ONLINE, dict.fromkeys(OWN))
