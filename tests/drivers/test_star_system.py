"""Star and generic printers over a real tty, a real socket and USB, against the simulator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers import registry
from drivers.api import Deadline, Driver, Observation, Occasion, Power, Setup, SystemClock
from drivers.link import make
from tests.harness import raised
from tests.simulator.serving import ServedDevice, served

pytestmark = pytest.mark.system

CLOCK = SystemClock()
POLL_S, REPLY_S = 0.3, 0.1
KINDS = ("tty", "tcp", "usb")
GONE = {"tty": "unplugged", "tcp": "unreachable", "usb": "unplugged"}


@contextmanager
def counter(folder: Path, name: str, kind: str, *settings: str) -> Iterator[tuple[ServedDevice, Driver]]:
    """A served printer, and its driver over the real link."""
    door = {"tty": f"tty:{folder}/tty", "tcp": "tcp:127.0.0.1:0", "usb": f"usb:unix:{folder}/usb"}[kind]
    model = "star" if name == "star" else "escpos"
    with served(folder, door, settings=settings, model=model) as device:
        spec = registry.spec(name)
        doors = device.tell()["doors"]
        assert isinstance(doors, list)
        ids = "0519:0001" if model == "star" else "04b8:0202"
        link = {
            "tty": f"serial:{folder}/tty",
            "tcp": f"{doors[0]}?hold=1",
            "usb": f"usb:{ids}?backend=unix:{folder}/usb",
        }[kind]
        driver = spec.make(
            Setup(
                device="receipt",
                link=make(link, usb_class=spec.usb_class),
                clock=CLOCK,
                memory={},
                profile=spec.profiles[min(1, len(spec.profiles) - 1)],
                poll_s=POLL_S,
                reply_s=REPLY_S,
            )
        )
        try:
            yield device, driver
        finally:
            driver.close()


def until(driver: Driver, done: Callable[[Observation], bool], limit_s: float = 8.0) -> Observation:
    """Poll and listen as a worker does, until an observation fits."""
    ends_s = time.monotonic() + limit_s
    while time.monotonic() < ends_s:
        seen = driver.poll(Deadline.after(CLOCK, 1.0))
        if done(seen):
            return seen
        heard = driver.listen(Deadline.after(CLOCK, POLL_S))
        if heard is not None and done(heard):
            return heard
    pytest.fail(f"not seen in time; last {raised(seen)}, {seen.power}, {seen.facts}")


def holds(*kinds: str) -> Callable[[Observation], bool]:
    return lambda seen: raised(seen) == set(kinds)


@pytest.mark.parametrize("kind", KINDS)
def test_star(tmp_path: Path, kind: str) -> None:
    with counter(tmp_path, "star", kind) as (device, driver):
        until(driver, lambda seen: seen.power is Power.ONLINE and not raised(seen))
        device.tell("cover=open")
        until(driver, holds("cover_open"))
        device.tell("cover=closed")
        until(driver, holds())
        occasion = Occasion(terminal="T-0001", at="2026-11-22 12:00:00")
        steps = list(driver.selftest("external", occasion, Deadline.after(CLOCK, 10)))
        assert {step.verdict for step in steps} == {"passed"}, steps
        assert "TILLWATCH SELF-TEST" in device.text()
        device.tell("fault=unplug")
        until(driver, holds(GONE[kind]))
        device.tell("fault=none")
        until(driver, lambda seen: seen.power is Power.ONLINE and not raised(seen))


@pytest.mark.parametrize("kind", KINDS)
def test_generic(tmp_path: Path, kind: str) -> None:
    with counter(tmp_path, "generic", kind, "answers=none") as (device, driver):
        power = Power.UNKNOWN if kind == "tty" else Power.ONLINE
        until(driver, lambda seen: seen.power is power and not raised(seen))
        device.tell("fault=unplug")
        until(driver, holds(GONE[kind]))
        device.tell("fault=none")
        until(driver, lambda seen: seen.power is power and not raised(seen))
        assert device.text() == ""
