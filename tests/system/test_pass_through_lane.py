"""One lane of the pass-through, with a real tty for the till: at rest, at its end, after a till that died."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.pass_through import lane as lanes
from agent.pass_through.lane import Lane
from agent.pass_through.ledger import Ledger
from agent.pass_through.news import STUCK_S, Flow
from agent.pass_through.printer import Printer
from agent.pass_through.seat import Seat
from agent.pass_through.till import Line
from agent.pass_through.tty import TtyTill
from drivers.errors import LinkLost
from drivers.link.address import TillTty
from drivers.printer.escpos.junction import Junction
from tests.counter import until

pytestmark = pytest.mark.system


class Counted(Lane):
    turns = 0

    def _turn(self, ready: dict[int, int]) -> dict[int, int]:
        self.turns += 1
        return super()._turn(ready)


@contextlib.contextmanager
def running(folder: Path, link: str) -> Iterator[Counted]:
    till, seat, ledger = (
        TtyTill(TillTty(path=f"{folder}/till"), 9600),
        Seat(folder / "s"),
        Ledger(folder / "l"),
    )
    printer = Printer("receipt", link)
    lane = Counted("receipt", printer, till, seat, ledger, Junction, in_doubt=False)
    thread = threading.Thread(target=lane.run)
    thread.start()
    try:
        yield lane
    finally:
        lane.stop()
        thread.join(10)
        os.close(lane._wake)
        lane._watch.close()
        for part in (till, seat, ledger):
            part.close()
    assert not thread.is_alive()


def test_a_till_that_only_holds_its_tty_open_costs_no_turns(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "IDLE_S", 0.1)
    printer = socket.create_server(("127.0.0.1", 0))
    with printer, running(short_path, f"tcp:127.0.0.1:{printer.getsockname()[1]}") as lane:
        slave = os.open(short_path / "till", os.O_RDWR | os.O_NOCTTY)
        os.write(slave, b"\x1b@hello\n\x1dV\x00")
        peer, _ = printer.accept()
        peer.settimeout(5)
        while peer.recv(100):
            pass  # up to its end: the connection is idle
        peer.close()
        before = lane.turns
        time.sleep(0.5)
        assert lane.turns - before < 10
        os.close(slave)


def test_a_clean_end_lets_what_was_written_leave_over_the_line(short_path: Path) -> None:
    master, slave = os.openpty()
    with running(short_path, f"serial:{os.ttyname(slave)}?baud=1200"):
        till = os.open(short_path / "till", os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(till, termios.TIOCEXCL)
        speed = termios.tcgetattr(till)
        speed[4] = speed[5] = termios.B1200
        termios.tcsetattr(till, termios.TCSANOW, speed)
        os.write(till, b"x" * 120)
        assert os.read(master, 1) == b"x"
        began_s = time.monotonic()
    assert time.monotonic() - began_s > 0.5, "120 bytes take a second"
    for descriptor in (till, master, slave):
        os.close(descriptor)


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
def test_a_till_that_dies_with_its_tty_locked_gets_another(short_path: Path) -> None:
    """TIOCEXCL outlives the till on a pty, and root alone may open it then."""
    folder, path = short_path / "n", short_path / "n" / "till"
    folder.mkdir()
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    short_path.chmod(0o755)
    master, printer = os.openpty()
    os.chown(os.ttyname(printer), pwd.getpwnam("nobody").pw_uid, -1)
    shared = {"device": "receipt", "link": f"serial:{os.ttyname(printer)}", "till": f"tty:{path}"}
    shared["junction"] = "drivers.printer.escpos.junction:Junction"
    process = subprocess.Popen(
        [sys.executable, "-m", "agent.pass_through", "warning", str(folder), json.dumps([shared])],
        user="nobody",
        stderr=subprocess.PIPE,
    )
    try:
        until(path.is_symlink, "the door", process)
        first = path.readlink()
        till = os.open(path, os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(till, termios.TIOCEXCL)
        time.sleep(0.6)  # it was seen
        assert path.readlink() == first
        os.close(till)
        until(lambda: path.is_symlink() and path.readlink() != first, "another tty", process)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=10)
        os.close(master)
        os.close(printer)
    assert b"left its tty locked" in said
    assert b"Traceback" not in said


class Broken:
    """A line that has just hung up."""

    def is_open(self) -> bool:
        return True

    def waiting_bytes(self) -> int:
        raise LinkLost("gone")

    def set_line(self, **_: object) -> None:
        raise LinkLost("gone")


def test_a_line_that_breaks_while_the_till_sets_its_speed_is_left_to_the_next_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printer = Printer("receipt", "serial:/dev/ttyS0?baud=9600")
    monkeypatch.setattr("agent.pass_through.printer.SerialLink", Broken)
    printer._link = Broken()  # type: ignore[assignment]
    assert printer.waiting_bytes() == 0
    assert printer.follows(Line(19200), 0.0)


def test_a_device_is_stuck_when_nothing_moves_although_something_waits() -> None:
    flow = Flow()
    assert not flow.stuck(0, 0, 100, 50.0)
    assert not flow.stuck(0, 0, 100, 50.0 + 10 * STUCK_S), "nothing waits"
    at_s = 50.0 + 10 * STUCK_S
    assert not flow.stuck(9, 0, 100, at_s + STUCK_S - 0.1)
    assert flow.stuck(20, 0, 100, at_s + STUCK_S), "that the till brings more is no progress"
    assert not flow.stuck(20, 0, 101, at_s + STUCK_S)
    assert not flow.stuck(0, 50, 121, at_s + STUCK_S + 1)
    assert flow.stuck(0, 50, 121, at_s + 2 * STUCK_S + 1), "nor what the system holds"
