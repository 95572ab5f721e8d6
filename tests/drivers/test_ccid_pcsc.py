"""The CCID driver where pcscd holds the reader: lines of JSON, as the `pcsc:` link brings them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from drivers.api import Deadline, Json, Level, Observation, Occasion, Power, Setup, Step
from drivers.errors import ServiceDown, Stuck
from drivers.reader.ccid.driver import SPEC
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.harness import raised, values

AT = Occasion("T-0001", "2026-07-01 10:00")
STATUS: dict[str, Json] = {
    "state": ["empty"],
    "present": False,
    "mute": False,
    "in_use": False,
    "atr_present": False,
    "vendor": "Identive",
    "firmware": "5.20",
    "serial": None,
}


class Service:
    """The link's other end: `status` is what a status brings, `powered` what a power_on does."""

    def __init__(self, **status: Json) -> None:
        self.status: dict[str, Json] = {**STATUS, **status}
        self.powered: dict[str, Json] = {"atr_bytes": 13}
        self.asked: list[str] = []
        self.clock = TurnedClock()
        self.link = ScriptedLink(self.clock, answer=self._answer, scheme="pcsc", proves_power=True)
        self.driver = SPEC.make(Setup(device="reader", link=self.link, clock=self.clock, memory={}))

    def _answer(self, line: bytes) -> bytes:
        asked = json.loads(line)["ask"]
        self.asked.append(asked)
        said = {"status": self.status, "power_on": self.powered}.get(asked, {})
        return json.dumps(said).encode() + b"\n"

    def poll(self, count: int = 1) -> Observation:
        for _ in range(count):
            seen = self.driver.poll(Deadline.after(self.clock, 2.5))
        return seen

    def steps(self, level: Level) -> dict[str, Step]:
        return {s.name: s for s in self.driver.selftest(level, AT, Deadline.after(self.clock, 60))}


def test_a_status_is_told_and_the_readers_own_errors_are_unknown() -> None:
    service = Service(present=True, in_use=True)
    seen = service.poll()
    assert seen.power is Power.ONLINE
    assert seen.identity == {"manufacturer": "Identive", "firmware": "5.20"}
    assert (seen.facts["card"], seen.facts["in_use"]) == ("present", True)
    assert not {"hardware_error", "over_current"}.intersection(values(seen)), "pcscd never tells"
    assert values(seen)["card_service_down"] is False
    assert raised(seen) == set()


@pytest.mark.parametrize(
    ("status", "card"),
    [
        ({"present": True}, "present"),
        ({"present": True, "mute": True}, "mute"),
        ({"present": False}, "absent"),
        ({"present": None}, None),
    ],
)
def test_a_card_is_a_fact(status: dict[str, Json], card: str | None) -> None:
    assert Service(**status).poll().facts["card"] == card


def test_internal_powers_no_card() -> None:
    service = Service(present=True)
    service.poll(5)
    assert "card" not in service.steps("internal")
    assert set(service.asked) == {"status"}


def test_external_powers_a_card_and_takes_the_power_off_again() -> None:
    service = Service(present=True)
    step = service.steps("external")["card"]
    assert (step.verdict, step.detail) == ("passed", "the card answers with 13 bytes")
    assert service.asked[-2:] == ["power_on", "power_off"]


@pytest.mark.parametrize(
    ("status", "powered", "verdict", "why"),
    [
        ({}, {}, "untested", "insert a test card"),
        ({"present": True, "in_use": True}, {}, "untested", "another program uses the card"),
        ({"present": True}, {"error": "Card is unresponsive"}, "failed", "Card is unresponsive"),
        ({"present": True}, {"atr_bytes": 0}, "failed", "does not answer"),
    ],
)
def test_external_says_why_not(
    status: dict[str, Json], powered: dict[str, Json], verdict: str, why: str
) -> None:
    service = Service(**status)
    service.powered = powered
    step = service.steps("external")["card"]
    assert step.verdict == verdict
    assert why in step.detail
    assert ("power_on" in service.asked) == (verdict == "failed")


@pytest.mark.parametrize(("error", "kind"), [(ServiceDown, "card_service_down"), (Stuck, "driver_stuck")])
def test_the_service_gone_or_hung_is_named_and_it_recovers(
    error: Callable[[str], ServiceDown | Stuck], kind: str
) -> None:
    service = Service()
    service.poll(3)
    service.link.fail = service.link.fail_open = error("pcsc: no")
    seen = service.poll(3)
    assert (raised(seen), seen.power) == ({kind}, Power.UNKNOWN)
    service.link.fail = service.link.fail_open = None
    back = service.poll(3)
    assert (raised(back), back.power, back.facts["card"]) == (set(), Power.ONLINE, "absent")


def test_silence_of_the_reader_is_frozen_and_rubbish_is_garbled() -> None:
    service = Service()
    service.poll(3)
    service.status = {"error": "Transaction failed"}
    assert raised(service.poll(3)) == {"frozen"}
    service.link.answer = lambda _line: b"[1]\nrubbish\n"
    assert raised(service.poll(3)) == {"garbled"}
    service.link.answer = lambda _line: b"x" * 5000
    assert raised(service.poll(3)) == {"frozen"}


def test_a_line_in_pieces() -> None:
    service = Service(present=True)
    whole = json.dumps(service.status).encode() + b"\n"

    def answer(_line: bytes) -> None:
        for at in range(0, len(whole), 7):
            service.link.push(whole[at : at + 7], 0.001)

    service.link.answer = answer
    assert service.poll().facts["card"] == "present"
