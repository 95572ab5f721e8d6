"""Card readers over real links: a pty, and USB by sockets from another thread's simulator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers import registry
from drivers.api import Deadline, Driver, Observation, Occasion, Power, Setup, SystemClock
from drivers.link import make
from drivers.link.usb.take import CHILD
from tests.harness import raised
from tests.simulator.serving import ServedDevice, served

pytestmark = pytest.mark.system

CLOCK = SystemClock()
POLL_S = 0.1
WITHIN_S = 8.0
AT = Occasion("T-0001", "2026-07-01 10:00")


@dataclass(frozen=True)
class Place:
    """One model behind one door, and how the agent gets there; `{}` is the test's folder."""

    model: str
    door: str
    link: str
    serial: str
    silent: str  #: what it is called when it says nothing
    knob: str = ""
    kind: str = ""


PLACES = [
    Place(
        "ccid",
        "usb:unix:{}/bus",
        "usb:04e6:5116?backend=unix:{}/bus",
        "SIM0000002",
        "frozen",
        "reader=hardware_error",
        "hardware_error",
    ),
    Place(
        "vivotech",
        "tty:{}/tty",
        "serial:{}/tty",
        b"522T1234567".hex().upper(),
        "silent",
        "tamper=yes",
        "tamper",
    ),
    Place(
        "vivotech",
        "usb:unix:{}/bus",
        "hid:0acd:4450?backend=unix:{}/bus",
        b"522T1234567".hex().upper(),
        "frozen",
        "sam=error",
        "sam_error",
    ),
    Place("magtek", "usb:unix:{}/bus", "hid:0801:0002?backend=unix:{}/bus", "B0ABCD1", "frozen"),
]


@contextmanager
def driving(place: Place, folder: Path) -> Iterator[Driver]:
    spec = registry.spec(place.model)
    link = make(place.link.format(folder), spec.usb_class)
    driver = spec.make(Setup(device="reader", link=link, clock=CLOCK, memory={}, poll_s=POLL_S, reply_s=0.2))
    try:
        yield driver
    finally:
        driver.close()
        CHILD.stop()


def until(driver: Driver, reached: Callable[[Observation], bool]) -> Observation:
    ends_s = time.monotonic() + WITHIN_S
    while True:
        seen = driver.poll(Deadline.after(CLOCK, 1.0))
        if reached(seen):
            return seen
        assert time.monotonic() < ends_s, (raised(seen), seen.power, seen.facts)
        driver.listen(Deadline.after(CLOCK, POLL_S))


def well(seen: Observation) -> bool:
    return seen.power is Power.ONLINE and not raised(seen)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.model}-{place.link.partition(':')[0]}")
def test_a_reader_is_known_watched_lost_and_back(place: Place, tmp_path: Path) -> None:
    with (
        served(tmp_path, place.door.format(tmp_path), model=place.model) as device,
        driving(place, tmp_path) as driver,
    ):
        first = until(driver, lambda seen: well(seen) and "serial" in seen.identity)
        assert first.identity["serial"].endswith(place.serial)
        if place.knob:
            device.tell(place.knob)
            until(driver, lambda seen: raised(seen) == {place.kind})
            name = place.knob.partition("=")[0]
            device.tell(f"{name}={'no' if name == 'tamper' else 'ok'}")
            until(driver, well)
        for fault, kind in (("mute", place.silent), ("unplug", "unplugged")):
            device.tell(f"fault={fault}")
            lost = until(driver, lambda seen, kind=kind: raised(seen) == {kind})  # type: ignore[misc]
            assert lost.identity == first.identity
            device.tell("fault=none")
            until(driver, well)
        assert_nothing_was_done(device)


def assert_nothing_was_done(device: ServedDevice) -> None:
    state = device.tell()
    assert not state.get("powered_on")
    assert not state.get("signals")


def test_a_card_that_comes_is_told_at_once_by_a_notice(tmp_path: Path) -> None:
    with served(tmp_path, f"usb:unix:{tmp_path / 'bus'}", model="ccid") as device:
        with driving(PLACES[0], tmp_path) as driver:
            until(driver, lambda seen: seen.facts.get("card") == "absent")
            device.tell("card=present")
            heard = None
            ends_s = time.monotonic() + 2
            while heard is None:
                assert time.monotonic() < ends_s
                heard = driver.listen(Deadline.after(CLOCK, 1))
            assert heard.facts["card"] == "present"
            steps = {s.name: s for s in driver.selftest("external", AT, Deadline.after(CLOCK, 10))}
            assert steps["card"].detail == "the card answers with 2 bytes"
        assert device.tell()["powered_on"] == 1
