"""The display drivers over a real tty, against served displays."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from drivers import registry
from drivers.api import Deadline, Driver, Observation, Occasion, Power, Sale, Setup, SystemClock
from drivers.display.text import PATTERN
from drivers.link import make
from tests.harness import raised
from tests.simulator.serving import ServedDevice, served

pytestmark = pytest.mark.system

CLOCK = SystemClock()
POLL_S, REPLY_S = 0.2, 0.2
WITHIN_S = 10.0
LINES = ["Welcome", "Open until 20:00"]
ANSWERING = ("dmd", "ncr597x")
POLLED = ("cd5220", *ANSWERING)
TESTED = ("aedex", "logic_controls", "ncr597x")
"""Each once, to save time; all of them on a turned clock, in test_displays.py."""


def driver_of(name: str, folder: Path, sale: Callable[[], Sale]) -> Driver:
    setup = Setup(
        device="pole",
        link=make(f"serial:{folder}/tty?baud=9600"),
        clock=CLOCK,
        memory={},
        poll_s=POLL_S,
        reply_s=REPLY_S,
        options={"text": "\n".join(LINES)},
        sale=sale,
    )
    return registry.spec(name).make(setup)


def shown(device: ServedDevice) -> list[str]:
    lines = device.tell()["shown"]
    assert isinstance(lines, list)
    return [line.rstrip() for line in lines[:2]]


def until(watched: Driver, wanted: Callable[[Observation], bool]) -> Observation:
    """Poll and listen, as a worker does, until an observation is as wanted."""
    ends_s = time.monotonic() + WITHIN_S
    while time.monotonic() < ends_s:
        seen = watched.poll(Deadline.after(CLOCK, 2.0))
        if wanted(seen):
            return seen
        watched.listen(Deadline.after(CLOCK, POLL_S))
    pytest.fail(f"not seen in {WITHIN_S} s; last: {seen}")


@pytest.mark.parametrize("name", POLLED)
def test_a_display_on_a_tty(short_path: Path, name: str) -> None:
    door = f"tty:{short_path}/tty?baud=9600"
    sale: list[Sale] = ["no"]
    answers = name in ANSWERING
    with (
        served(short_path, door, model=name, settings=("dsr=none",)) as device,
        closing(driver_of(name, short_path, lambda: sale[0])) as watched,
    ):
        until(watched, lambda o: shown(device) == LINES and (o.power is Power.ONLINE) is answers)
        silence = [("fault=mute", {"silent"})] if answers else []
        for fault, kinds in (*silence, ("fault=unplug", {"unplugged"})):
            device.tell(fault)
            until(watched, lambda o, kinds=kinds: raised(o) == kinds)  # type: ignore[misc]
            device.tell("fault=none")
            until(watched, lambda o: not raised(o) and shown(device) == LINES)
        sale[0] = "yes"
        before = device.tell()["heard_bytes"]
        for _ in range(3):
            watched.poll(Deadline.after(CLOCK, 1.0))
        assert device.tell()["heard_bytes"] == before


@pytest.mark.parametrize("name", TESTED)
def test_an_external_self_test_on_a_tty(short_path: Path, name: str) -> None:
    door = f"tty:{short_path}/tty?baud=9600"
    with (
        served(short_path, door, model=name) as device,
        closing(driver_of(name, short_path, lambda: "no")) as watched,
    ):
        seen = []
        for step in watched.selftest("external", Occasion("T-1", "now"), Deadline.after(CLOCK, 30)):
            seen.append((step.name, step.verdict))
            if step.name == "show":
                time.sleep(0.2)  # forty bytes at 9600 baud are under way
                assert shown(device) == list(PATTERN)
        assert ("show", "passed") in seen
        assert ("restore", "passed") in seen
        assert all(verdict != "failed" for _name, verdict in seen)
        time.sleep(0.2)  # same
        assert shown(device) == LINES
