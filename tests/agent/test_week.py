"""A week at a shop that switches its printer off each night, and some nights the terminal too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle, pairwise
from zoneinfo import ZoneInfo

import pytest

from drivers.api import ANSWERED_KEY
from tests.fast_forward import CONFIG, Forward
from tests.harness import Bench, Flavour

BERLIN = ZoneInfo("Europe/Berlin")
HOURS = "Mo-Th,Sa 08:00-20:00; Fr 08:00-02:00; Su off"
POLL_S = 60.0
SOAK_POLL_S = 10.0
MIN = 60.0
SWITCHED_OFF_S = 5 * MIN  #: after closing
SWITCHED_ON_S = (-20 * MIN, 0.0, 10 * MIN)  #: beside opening: early, in time, late
SHUT_DOWN_S = 8 * MIN  #: after closing, on some nights
BOOTED_S = -15 * MIN  #: beside opening, with the printer still off
NIGHTS_WITHOUT_TERMINAL = (1, 3, 5)
SPRING, AUTUMN = "2026-03-23", "2026-10-19"  #: Mondays before the Sundays when Berlin's clocks change


@dataclass(frozen=True, slots=True)
class Device:
    """One printer: its link, how it is switched off and on, and what that is if nobody expects it."""

    flavour: Flavour
    off: str
    on: str
    kind: str
    settings: tuple[str, ...] = ()


DEVICES = {
    "serial": Device("serial", "power=off", "power=on", "power_off", ("dsr=wired",)),
    "serial without power line": Device("serial", "power=off", "power=on", "silent", ("dsr=none",)),
    "serial, its adapter too": Device("serial", "fault=unplug", "fault=none", "unplugged"),
    "tcp": Device("tcp", "power=off", "power=on", "unreachable"),
    "tcp, mute": Device("tcp", "fault=mute", "fault=none", "frozen"),
}


def local(day: str, hour: float, *, later: int = 0) -> float:
    """Wall seconds of an hour on Berlin's clocks, so many days later."""
    at = datetime.fromisoformat(day) + timedelta(days=later, hours=hour)
    return at.replace(tzinfo=BERLIN).timestamp()


def days_of(monday: str) -> Iterator[tuple[float, float]]:
    """When the shop opens and closes in that week, and on the Monday after."""
    for day in (0, 1, 2, 3, 4, 5, 7):
        yield local(monday, 8, later=day), local(monday, 26 if day == 4 else 20, later=day)


def at_the_counter(device: Device, monday: str, poll_s: float) -> Forward:
    bench = Bench(flavour=device.flavour, settings=device.settings, poll_s=poll_s, hold=False)
    bench.clock.step_wall(local(monday, 7) - bench.clock.wall_s())
    shop = replace(CONFIG.terminal, hours=HOURS, timezone="Europe/Berlin")
    return Forward(bench, replace(CONFIG, terminal=shop))


class Week:
    """What happens, in the order of time, on the wall's clock."""

    def __init__(self, device: Device, monday: str, poll_s: float = POLL_S) -> None:
        self.device = device
        self.forward = at_the_counter(device, monday, poll_s)
        self.days = list(days_of(monday))

    def till(self, wall_s: float) -> None:
        self.forward.run(wall_s - self.forward.clock.wall_s())

    def night(self, number: int, closed_s: float, opens_s: float, *, left_off: bool = False) -> None:
        """From closing to an hour after opening."""
        self.till(closed_s + SWITCHED_OFF_S)
        self.forward.tell(self.device.off)
        if number in NIGHTS_WITHOUT_TERMINAL:
            self.till(closed_s + SHUT_DOWN_S)
            self.forward.bench.link.close()
            self.forward.clock.advance(opens_s + BOOTED_S - self.forward.clock.wall_s())
            self.forward.bench.memory.pop(ANSWERED_KEY, None)
            self.forward.restart()
            on_s = opens_s + SWITCHED_ON_S[2]
        else:
            on_s = opens_s + SWITCHED_ON_S[number % 3]
        self.till(on_s)
        if not left_off:
            self.forward.tell(self.device.on)
        self.till(opens_s + 3600)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "monday"), [*zip(DEVICES.values(), cycle([AUTUMN, SPRING]), strict=False)], ids=DEVICES
)
def test_a_week_of_nights_is_no_fault(device: Device, monday: str) -> None:
    no_fault_in(Week(device, monday))


@pytest.mark.soak
@pytest.mark.parametrize("monday", [SPRING, AUTUMN])
@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_nor_if_it_is_looked_at_often(device: Device, monday: str) -> None:
    no_fault_in(Week(device, monday, SOAK_POLL_S))


def no_fault_in(week: Week) -> None:
    for number, ((_, closed_s), (opens_s, _)) in enumerate(pairwise(week.days)):
        week.night(number, closed_s, opens_s)
    broker = week.forward.broker
    assert broker.changes() == []
    opened = [message["open"] for message in broker.on("health")]
    turns = sum(before != now for before, now in pairwise(opened))
    assert turns >= 2 * 6, "the hours were followed"
    nights = [m for m in broker.on("health") if m["open"] is False]
    assert {m["level"] for m in nights} <= {"ok", "unknown"}
    assert any(m["devices"]["receipt"] == "unknown" for m in nights), "it was off, and seen to be"
    assert broker.on("health")[-1]["devices"]["receipt"] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_a_printer_that_is_left_off_is_one_fault(device: Device) -> None:
    week = Week(device, AUTUMN)
    (_, closed_s), (opens_s, _) = week.days[:2]
    week.forward.clock.advance(closed_s - 3600 - week.forward.clock.wall_s())
    week.forward.run(600)
    week.night(2, closed_s, opens_s, left_off=True)
    assert week.forward.broker.changes() == [f"raised receipt/{device.kind}"]
    (event,) = week.forward.broker.on("event")
    raised_s = datetime.fromisoformat(event["at"]).timestamp()
    assert opens_s + 15 * MIN <= raised_s <= opens_s + 16 * MIN


@pytest.mark.parametrize("device", ["serial without power line", "tcp"])
def test_noise_of_a_printer_that_goes_off_is_no_fault_of_the_night(device: str) -> None:
    off = DEVICES[device].off
    forward = at_the_counter(DEVICES[device], AUTUMN, 2.0)
    forward.clock.step_wall(local(AUTUMN, 20) + 60 - forward.clock.wall_s())
    forward.run(60)
    forward.tell("fault=babble")
    forward.run(3)
    forward.tell("fault=none", off)
    forward.run(60)
    assert forward.broker.changes() == []


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_without_hours_the_same_night_is_a_fault(device: Device) -> None:
    week = Week(device, AUTUMN)
    week.forward = Forward(week.forward.bench, CONFIG)
    (_, closed_s) = week.days[0]
    week.forward.clock.advance(closed_s - 3600 - week.forward.clock.wall_s())
    week.till(closed_s + SWITCHED_OFF_S)
    week.forward.tell(device.off)
    assert week.forward.run(600) == [f"raised receipt/{device.kind}"]
