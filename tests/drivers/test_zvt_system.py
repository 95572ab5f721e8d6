"""The payment terminal's driver over a real tty and a real socket, against the served simulator."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from drivers.api import Deadline, Driver, Observation, Occasion, Sale, Setup, SystemClock
from drivers.link import make
from drivers.terminal.zvt import driver as zvt
from tests.harness import raised, values
from tests.simulator.serving import ServedDevice, served

pytestmark = pytest.mark.system

CLOCK = SystemClock()
DOORS = ("tty:{folder}/tty?baud=9600", "tcp:127.0.0.1:0")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zvt, "LEAST_S", 0.0)
    monkeypatch.setattr(zvt, "AGAIN_S", 0.1)


def driver(folder: Path, terminal: ServedDevice, door: str, sale: Sale) -> Driver:
    doors = terminal.tell()["doors"]
    assert isinstance(doors, list)
    link = f"serial:{folder}/tty?baud=9600"
    if door.startswith("tcp"):
        link = next(str(each) for each in doors if str(each).startswith("tcp:"))
    options = {"status_enquiry_s": 0.2}
    return zvt.SPEC.make(
        Setup(device="card", link=make(link), clock=CLOCK, memory={}, options=options, sale=lambda: sale)
    )


def until(made: Driver, kinds: set[str]) -> Observation:
    ends_s = time.monotonic() + 8
    while raised(seen := made.poll(Deadline.after(CLOCK, 2.5))) != kinds or not seen.identity:
        assert time.monotonic() < ends_s, values(seen)
        made.listen(Deadline.after(CLOCK, 0.05))
    return seen


@pytest.mark.parametrize("door", DOORS)
def test_an_enquiry_a_trouble_and_a_test_that_a_technician_wants(short_path: Path, door: str) -> None:
    with served(short_path, door.format(folder=short_path), model="zvt") as terminal:
        made = driver(short_path, terminal, door, "no")
        try:
            assert until(made, set()).identity == {"firmware": "2.14.15"}
            terminal.tell("reader=defective")
            until(made, {"reader_defective"})
            terminal.tell("reader=ok")
            until(made, set())
            asked = terminal.tell()["asked"]
            assert isinstance(asked, dict)
            assert set(asked) == {"status_enquiry"}
            steps = list(made.selftest("external", Occasion("T-0001", "now"), Deadline.after(CLOCK, 20)))
            assert {step.verdict for step in steps} == {"passed"}
            asked = terminal.tell()["asked"]
            assert isinstance(asked, dict)
            assert set(asked) == {"status_enquiry", "diagnosis", "selftest"}
        finally:
            made.close()


def test_during_a_sale_the_terminals_one_connection_stays_the_tills(short_path: Path) -> None:
    with served(short_path, DOORS[1], model="zvt") as terminal:
        made = driver(short_path, terminal, DOORS[1], "yes")
        for _ in range(5):
            made.poll(Deadline.after(CLOCK, 0.5))
        made.close()
        assert not terminal.tell()["asked"]


def test_a_till_that_stays_connected_is_left_alone_and_that_is_no_fault(short_path: Path) -> None:
    with served(short_path, DOORS[1], model="zvt") as terminal:
        made = driver(short_path, terminal, DOORS[1], "no")
        until(made, set())
        before = terminal.tell()["asked"]
        doors = terminal.tell()["doors"]
        assert isinstance(doors, list)
        port = int(str(doors[0]).rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)):
            for _ in range(5):
                seen = made.poll(Deadline.after(CLOCK, 0.5))
                made.listen(Deadline.after(CLOCK, 0.1))
            assert (raised(seen), terminal.tell()["asked"]) == (set(), before)
            (step,) = made.selftest("external", Occasion("T-0001", "now"), Deadline.after(CLOCK, 5))
            assert (step.verdict, "till is connected" in step.detail) == ("untested", True)
        until(made, set())
        made.close()


def test_one_that_is_switched_off_is_unreachable(short_path: Path) -> None:
    """What keeps its port busy meanwhile is no till, so it is asked on."""
    with served(short_path, DOORS[1], model="zvt") as terminal:
        made = driver(short_path, terminal, DOORS[1], "no")
        try:
            until(made, set())
            terminal.tell("power=off")
            assert until(made, {"unreachable"}).power == "off_offline"
            terminal.tell("power=on")
            until(made, set())
        finally:
            made.close()
