"""The driver over a real tty and a real socket, against the simulator in its own process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers.api import Deadline, Driver, Observation, Power, Setup, SystemClock
from drivers.link import make
from drivers.printer.escpos.driver import SPEC
from simulator.control import tell
from tests.harness import raised

pytestmark = pytest.mark.system

CLOCK = SystemClock()
POLL_S, REPLY_S = 0.3, 0.1
LINKS = ("tty", "tcp held", "tcp asked")


@contextmanager
def printer(folder: Path) -> Iterator[Path]:
    control = folder / "ctl"
    command = [sys.executable, "-m", "simulator.cli", "serve", "escpos", "--control", str(control)]
    process = subprocess.Popen(
        [*command, "--at", f"tty:{folder}/tty", "--at", "tcp:127.0.0.1:0"], stdout=subprocess.DEVNULL
    )
    try:
        ends_s = time.monotonic() + 10
        while not control.exists():
            assert time.monotonic() < ends_s, "the simulator does not start"
            time.sleep(0.02)
        yield control
    finally:
        process.terminate()
        process.wait(5)


@contextmanager
def driver(folder: Path, control: Path, kind: str) -> Iterator[Driver]:
    doors = tell(control, [])["doors"]
    assert isinstance(doors, list)
    address = f"serial:{folder}/tty"
    if kind != "tty":
        address = next(str(door) for door in doors if str(door).startswith("tcp:"))
        address += "?hold=1" if kind == "tcp held" else ""
    made = SPEC.make(
        Setup(
            device="receipt",
            link=make(address),
            clock=CLOCK,
            memory={},
            profile="epson-tm",
            poll_s=POLL_S,
            reply_s=REPLY_S,
        )
    )
    try:
        yield made
    finally:
        made.close()


def until(watched: Driver, wanted: Callable[[Observation], bool], within_s: float) -> Observation:
    """Poll and listen, as a worker does, until an observation is as wanted."""
    ends_s, due_s = time.monotonic() + within_s, 0.0
    last: Observation | None = None
    while time.monotonic() < ends_s:
        if time.monotonic() >= due_s:
            due_s = time.monotonic() + POLL_S
            last = watched.poll(Deadline.after(CLOCK, 3.0))
        else:
            last = watched.listen(Deadline(CLOCK, due_s)) or last
        if last is not None and wanted(last):
            return last
    pytest.fail(f"not seen in {within_s} s; last: {last}")


@pytest.mark.parametrize("kind", LINKS)
def test_conditions_silence_and_return(short_path: Path, kind: str) -> None:
    silent = {"silent"} if kind == "tty" else {"frozen"}
    gone = {"unplugged"} if kind == "tty" else {"unreachable"}
    with printer(short_path) as control, driver(short_path, control, kind) as watched:
        until(watched, lambda o: o.power is Power.ONLINE and not raised(o), 5)
        for settings, kinds, back in (
            (["paper=end"], {"paper_end", "paper_near_end"}, ["paper=ok"]),
            (["cover=open"], {"cover_open"}, ["cover=closed"]),
            (["fault=mute"], silent, ["fault=none"]),
            (["fault=unplug"], gone, ["fault=none"]),
        ):
            tell(control, settings)
            until(watched, lambda o, kinds=kinds: raised(o) == kinds, 10)  # type: ignore[misc]
            tell(control, back)
            until(
                watched,
                lambda o: (
                    o.power is Power.ONLINE and not raised(o) and o.conditions["cover_open"].value is False
                ),
                10,
            )
