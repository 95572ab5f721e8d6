"""In a guest: a printer on the kernel's USB shared with the till, through usblp."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.pass_through.__main__ import main as pass_through
from agent.pass_through.supervisor import Shared
from drivers import registry, shared
from drivers.api import Driver, Setup
from drivers.link.none import NoLink
from tests.inside.bench import CLOCK, DEVICES, LP, OnBus, driver_of, until
from tests.inside.polling import polled, shown, values

FOLDER = Path("/tmp/till")  # noqa: S108 - the guest's own, empty at boot
TTY, SEAT = FOLDER / "receipt", FOLDER / "receipt.sock"
DEVICE = "receipt"
RECEIPT = b"\x1b@" + bytes(range(32, 127)) * 200 + b"\n\x1dV\x00"
EOT_1 = b"\x10\x04\x01"
HOME = "1-1"


def with_the_till(printer: OnBus, at: str) -> dict[str, Any]:
    """The till asks, and prints byte for byte; the agent looks; the printer goes and comes back."""
    until(LP.exists)
    with passing_through(at):
        driver = agents_driver(at)
        till = os.open(TTY, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(till, EOT_1)
            answer = heard(till)
            _write(till, RECEIPT)
            until(lambda: RECEIPT in received(printer))
            printer.tell("paper=end")
            empty = polled(driver, lambda seen: values(seen)["paper_end"] is True)
            unheard = heard(till, 0.0)
            printer.tell("paper=ok", "fault=unplug")
            until(lambda: not (DEVICES / HOME).exists())
            gone = polled(driver, lambda seen: values(seen)["unplugged"] is True)
            printer.tell("fault=none")
            printer.attach(HOME)
            back = polled(driver, lambda seen: values(seen)["paper_end"] is False)
            os.write(till, EOT_1)
            again = heard(till)
        finally:
            os.close(till)
            driver.close()
        kernel_driver = driver_of(HOME)
    return {
        "answer": answer.hex(),
        "empty": shown(empty),
        "unheard": unheard.hex(),
        "gone": shown(gone),
        "back": shown(back),
        "again": again.hex(),
        "kernel_driver": kernel_driver,
    }


@contextmanager
def passing_through(at: str) -> Iterator[None]:
    """The pass-through as it runs beside the daemon."""
    FOLDER.mkdir()
    device = Shared(device=DEVICE, link=at, till=f"tty:{TTY}", junction=registry.spec("escpos").junction)
    pid = os.fork()
    if not pid:
        try:
            pass_through(["warning", str(FOLDER), json.dumps([dataclasses.asdict(device)])])
        finally:
            os._exit(0)
    try:
        until(lambda: SEAT.exists() and TTY.exists())
        yield
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def agents_driver(at: str) -> Driver:
    """As the daemon makes it."""
    setup = Setup(device=DEVICE, link=NoLink(), clock=CLOCK, memory={}, profile="epson-tm", poll_s=0.2)
    return shared.make(setup, registry.spec("escpos"), SEAT, at)


def heard(till: int, within_s: float = 5.0) -> bytes:
    """What the till hears next."""
    return os.read(till, 100) if select.select([till], [], [], within_s)[0] else b""


def received(printer: OnBus) -> bytes:
    """All that came in at the printer."""
    parts = (line.split(" ", 2) for line in printer.traffic.read_text().splitlines())
    return b"".join(bytes.fromhex(part[2]) for part in parts if len(part) == 3 and part[1] == ">")


def _write(till: int, data: bytes) -> None:
    sent = 0
    while sent < len(data):
        sent += os.write(till, data[sent : sent + 2048])
