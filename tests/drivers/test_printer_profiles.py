"""Profiles: who gets which, and what their quirks make of a printer's answers."""

from __future__ import annotations

import pytest

from drivers.api import Deadline, Setup
from drivers.identity import ieee1284
from drivers.learned import Learned
from drivers.printer.escpos import profiles as escpos
from drivers.printer.escpos.consts import ErrorCause, Query
from drivers.printer.escpos.driver import SPEC
from drivers.printer.escpos.status import conditions, from_answers, from_asb
from drivers.printer.escpos.wire import ask_status
from drivers.printer.profiles import KNOWN, recommend
from drivers.printer.rated import Rated
from drivers.printer.star import profiles as star
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.harness import Bench, raised, values

PROFILES = {"escpos": escpos.PROFILES, "star": star.PROFILES}


@pytest.mark.parametrize(
    ("driver", "id_1284", "profile"),
    [
        ("escpos", "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;", "epson-tm"),
        ("escpos", "MFG:EPSON;CMD:ESC/POS;MDL:TM-T90;", "epson-tm-t90"),
        ("escpos", "MANUFACTURER:SNBC;MODEL:BTP-R580II;", "snbc-btp-r580"),
        ("escpos", "MFG:CITIZEN;MDL:CT-S310;", "citizen"),
        ("escpos", "MFG:CITIZEN;MDL:CT-E651;", "plain"),
        ("escpos", "MFG:XP;MDL:XP-80;", "plain"),
        ("escpos", "", "plain"),
        ("star", "MFG:Star;CMD:STAR;MDL:TSP743II;", "star-tsp700ii"),
        ("star", "MFG:STAR;CMD:STAR;MDL:TSP654 (STR_T-001);", "star-line"),
        ("star", "MFG:Star;CMD:STAR;MDL:TSP143;", "plain"),  # prints raster data only
        ("star", "MFG:EPSON;MDL:TSP654;", "plain"),
        ("generic", "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;", "plain"),
    ],
)
def test_only_what_is_known_is_recommended(driver: str, id_1284: str, profile: str) -> None:
    assert recommend(driver, ieee1284(id_1284)) == profile


def test_all_that_is_recommended_exists() -> None:
    for driver, _, _, profile in KNOWN:
        assert profile in PROFILES[driver]


def test_what_a_bit_means_depends_on_the_model() -> None:
    answers = {Query.OFFLINE_CAUSE: 0x12, Query.ERROR_CAUSE: 0x12 | 0x04 | 0x20 | 0x40}
    said = conditions(from_answers(answers, escpos.PROFILES["snbc-btp-r580"].errors))
    assert (said["error_recoverable"], said["error_unrecoverable"]) == (None, None)
    assert (said["head_hot"], said["cutter_error"]) == (True, False)
    pushed = from_asb(bytes((0x38, 0x0C, 0, 0)), escpos.PROFILES["citizen"].errors)
    said = conditions(pushed)
    assert (said["error_recoverable"], said["cutter_error"]) == (False, True)  # a jam is no other error
    pushed = from_asb(bytes((0x38, 0x04, 0, 0)), escpos.PROFILES["citizen"].errors)
    assert (conditions(pushed)["error_recoverable"], pushed.cutter, pushed.unrecoverable) == (
        None,
        False,
        False,
    )
    assert ErrorCause.UNRECOVERABLE in escpos.PROFILES["plain"].errors


def test_a_model_is_not_asked_what_it_is_known_not_to_answer() -> None:
    clock = TurnedClock()
    answers = {ask_status(Query.PRINTER): b"\x12", ask_status(Query.ROLL_PAPER): b"\x32"}
    link = ScriptedLink(clock, answer=answers.get)
    driver = SPEC.make(Setup(device="d", link=link, clock=clock, memory={}, profile="maxim-mob-58"))
    for _ in range(3):
        observation = driver.poll(Deadline.after(clock, 2.5))
    assert set(link.written) == set(answers)
    assert raised(observation) == {"paper_end"}
    assert values(observation)["cover_open"] is None


def test_what_is_never_answered_is_refused_for_ever() -> None:
    clock = TurnedClock()
    learned = Learned({}, clock, never=["q"])
    learned.answered("q")
    clock.advance(10 * 86400)
    assert learned.refused("q")
    assert not learned.refused("r")


def test_the_rated_life_is_a_fact() -> None:
    assert Rated(head_km=100).facts() == {"rated": {"head_km": 100}}
    bench = Bench(profile="epson-tm-t90")
    assert bench.run(5)[-1].facts["rated"] == {
        "head_km": 150,
        "head_lines": 20_000_000,
        "cutter_cuts": 2_000_000,
    }


@pytest.mark.parametrize("profile", ["plain", "epson-tm"])
def test_over_usb_it_says_who_it_is_and_has_a_second_witness(profile: str) -> None:
    bench = Bench(profile=profile, flavour="usb")
    last = bench.run(30)[-1]
    assert last.identity["manufacturer"] == "EPSON"
    assert values(last)["identity_changed"] is False
    assert str(last.facts["ieee1284"]).startswith("MFG:EPSON;")
    assert last.facts["port_status"] == {"paper_empty": False, "selected": True, "error": False}
    bench.tell("paper=end")
    last = bench.run(70)[-1]
    assert "paper_end" in raised(last)
    assert last.facts["port_status"]["paper_empty"] is False  # type: ignore[index,call-overload] # idle since
    assert "ieee1284" not in Bench(profile=profile).run(30)[-1].facts


def test_enumerated_and_silent_is_frozen() -> None:
    bench = Bench(profile="plain", flavour="usb")
    bench.run(5)
    bench.tell("fault=mute")
    assert raised(bench.run(15)[-1]) == {"frozen"}


@pytest.mark.slow
def test_an_hour_on_a_corrupting_bus_shows_nothing_the_printer_did_not_have() -> None:
    bench = Bench(profile="epson-tm", flavour="usb", settings=("fault=corrupt:0.01",))
    assert {frozenset(raised(seen)) for seen in bench.run(3600)} == {frozenset()}
