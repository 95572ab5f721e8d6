"""The MagTek driver against the simulated reader and scripted ones."""

from __future__ import annotations

import pytest

from drivers.api import Deadline, Occasion, Power, Setup
from drivers.reader.magtek.driver import COUNTER, SPEC
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.fast_forward import Forward
from tests.harness import Bench, raised, values

AT = Occasion("T-0001", "2026-07-01 10:00")


def bench(*settings: str, seed: int = 1) -> Bench:
    return Bench(settings, driver_name="magtek", flavour="hid", profile="plain", seed=seed)


def test_who_it_is_and_how_often_a_card_was_swiped() -> None:
    made = bench()
    first = made.run(3)[-1]
    assert first.identity == {"serial": "B0ABCD1", "firmware": "21042812D01"}
    assert first.statistics[COUNTER] == 0
    made.tell("swipe=ONE")
    made.tell("swipe=TWO")
    assert made.run(3)[-1].statistics[COUNTER] == 2
    assert Forward(made).run(10) == []


def test_no_swipe_is_fetched_and_nothing_is_open_when_it_happens() -> None:
    made = bench()
    made.run(5)
    assert not made.link.is_open()
    made.tell("swipe=SECRET")
    seen = made.run(10)
    assert not any("SECRET" in repr(o) for o in seen)
    assert any(b"SECRET" in notice for notice in made.served.notices(made.clock.monotonic_s()))


def test_a_reader_without_a_serial_number() -> None:
    made = bench("serial=none")
    assert made.run(10)[-1].identity == {"firmware": "21042812D01"}


def test_another_reader_is_noticed() -> None:
    made = bench()
    made.run(5)
    made.tell("fault=unplug")
    made.run(10)
    made.tell("serial=B0ABCD2", "fault=none")
    seen = made.run(10)[-1]
    assert raised(seen) == {"identity_changed"}
    assert seen.identity["serial"] == "B0ABCD2"


SILENCE = [
    ("fault=mute", "fault=none", "frozen", Power.OFFLINE),
    ("fault=die_mid_frame", "fault=none", "frozen", Power.OFFLINE),
    ("fault=mute,babble", "fault=none", "garbled", Power.UNKNOWN),
    ("fault=unplug", "fault=none", "unplugged", Power.OFF_OFFLINE),
    ("power=off", "power=on", "unplugged", Power.OFF_OFFLINE),
]


@pytest.mark.parametrize(("fault", "end", "kind", "power"), SILENCE)
def test_silence(fault: str, end: str, kind: str, power: Power) -> None:
    made = bench()
    made.run(6)
    made.tell(fault)
    seen = made.run(14)
    assert {frozenset(raised(o)) for o in seen} <= {frozenset(), frozenset({kind})}
    assert (raised(seen[-1]), seen[-1].power) == ({kind}, power)
    made.tell(end)
    back = made.run(8)[-1]
    assert (raised(back), back.power) == (set(), Power.ONLINE)


@pytest.mark.parametrize(
    "fault", ["slow:0.3", "slow:2.5", "drip:1", "drop:0.05", "flap:3", "stall", "babble"]
)
def test_it_recovers_and_takes_no_answer_for_another(fault: str) -> None:
    made = bench()
    made.run(10)
    made.tell(f"fault={fault}")
    seen = made.run(120)
    assert not any("identity_changed" in raised(o) for o in seen)
    assert {o.statistics.get(COUNTER) for o in seen} <= {0.0, None}
    made.tell("fault=none")
    last = made.run(20)[-1]
    assert (raised(last), last.power) == (set(), Power.ONLINE)


@pytest.mark.slow
def test_an_hour_of_corruption_shows_nothing_the_reader_did_not_have() -> None:
    seen = bench("fault=corrupt:0.01").run(3600)
    # A flipped bit may make a reset of the command, and then the reader does leave the bus.
    assert {frozenset(raised(o)) for o in seen} <= {frozenset(), frozenset({"unplugged"})}
    assert len({o.identity["firmware"] for o in seen if o.identity}) == 1


def scripted(answers: dict[int, bytes]) -> tuple[ScriptedLink, Setup]:
    clock = TurnedClock()
    link = ScriptedLink(clock, scheme="hid", held=False, proves_power=True)

    def answer(asked: bytes) -> bytes | None:
        found = answers.get(asked[2])
        return None if found is None else found + bytes(24 - len(found))

    link.answer = answer
    return link, Setup(device="reader", link=link, clock=clock, memory={})


SOFTWARE = b"\x00\x0b21042812D01"


def test_a_reader_of_the_older_line_has_neither_counter_nor_device_serial() -> None:
    link, setup = scripted({0x00: SOFTWARE, 0x01: b"\x00\x03123", 0x20: b"\x02\x00", 0x21: b"\x02\x00"})
    seen = SPEC.make(setup).poll(Deadline.after(setup.clock, 2.5))
    assert seen.identity == {"serial": "123", "firmware": "21042812D01"}
    assert COUNTER not in seen.statistics
    assert {data[:2] for data in link.written} == {b"\x00\x01"}, "properties are read, never set"
    steps = [*SPEC.make(setup).selftest("interactive", AT, Deadline.after(setup.clock, 60))]
    assert [(s.name, s.verdict) for s in steps] == [
        ("answer", "passed"),
        ("identity", "passed"),
        ("counter", "untested"),
        ("swipe", "untested"),
    ]


def test_a_serial_number_that_is_not_set_is_all_zeros_and_looks_like_silence() -> None:
    link, setup = scripted({0x00: SOFTWARE, 0x21: b"\x00\x04\x07\0\0\0"})
    driver = SPEC.make(setup)
    for _ in range(20):
        seen = driver.poll(Deadline.after(setup.clock, 2.5))
        driver.listen(Deadline.after(setup.clock, 1.5))
    assert seen.identity == {"firmware": "21042812D01"}
    assert (seen.power, seen.statistics[COUNTER]) == (Power.ONLINE, 7)
    asked = link.written.count(b"\x00\x01\x20")
    driver.poll(Deadline.after(setup.clock, 2.5))
    assert link.written.count(b"\x00\x01\x20") == asked, "not asked again till an hour is over"


def test_an_answer_that_is_late_for_its_question_is_no_garbage() -> None:
    made = bench("fault=slow:1.2")
    seen = made.run(60)
    assert {observation.statistics["GarbledAnswerCount"] for observation in seen} == {0}
    made.tell("fault=none")
    last = made.run(20)[-1]
    assert (raised(last), last.power) == (set(), Power.ONLINE)


def test_garbage_is_garbled() -> None:
    _, setup = scripted(dict.fromkeys((0, 1, 0x20, 0x21), b"\xc1\x16junk"))
    driver = SPEC.make(setup)
    for _ in range(3):
        seen = driver.poll(Deadline.after(setup.clock, 2.5))
    assert values(seen)["garbled"] is True
