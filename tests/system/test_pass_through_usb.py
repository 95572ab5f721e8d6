"""A USB printer behind the pass-through: the kernel's printer node, with a pty in its place."""

from __future__ import annotations

import functools
import os
import pty
import select
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.pass_through import printer as printers
from agent.pass_through.printer import EMPTY_S
from drivers.api import Deadline
from drivers.link.usb.usblp import UsblpLink
from tests.counter import until
from tests.sysfs import Machine
from tests.system.test_pass_through_lane import running

pytestmark = pytest.mark.system


class Node:
    """/dev/usb/lp0 below `root`; plugged in, out, and in again."""

    def __init__(self, root: Path) -> None:
        self._root = root
        machine = Machine(root)
        machine.printer(machine.usb("1-1", "04b8:0e15"), None)
        (root / "dev/usb").mkdir()
        self._node = root / "dev/usb/lp0"
        self.master = -1

    def plug(self) -> None:
        self.master, self._slave = pty.openpty()  # kept: a master without a slave is a hang-up too
        tty.setraw(self._slave)
        self._node.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        self._node.unlink()
        os.close(self.master)
        os.close(self._slave)

    def printed(self, count: int) -> bytes:
        got = b""
        while len(got) < count and select.select([self.master], [], [], 5)[0]:
            got += os.read(self.master, count - len(got))
        return got


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    made = Node(tmp_path)
    made.plug()
    monkeypatch.setattr(printers, "UsblpLink", functools.partial(UsblpLink, root=tmp_path))
    yield made
    made.unplug()


def test_the_till_prints_by_usb_and_hears_its_printer(short_path: Path, node: Node) -> None:
    receipt = b"\x1b@" + bytes(range(32, 127)) * 100 + b"\n\x1dV\x00"
    with running(short_path, "usb:04b8:0e15"):
        till = os.open(short_path / "till", os.O_RDWR | os.O_NOCTTY)
        os.write(till, b"\x10\x04\x01")
        assert node.printed(3) == b"\x10\x04\x01"
        os.write(node.master, b"\x12")
        assert select.select([till], [], [], 5)[0]
        assert os.read(till, 10) == b"\x12"
        os.write(till, receipt)
        assert node.printed(len(receipt)) == receipt
        os.close(till)


def test_a_printer_that_was_unplugged_is_the_tills_again(short_path: Path, node: Node) -> None:
    with running(short_path, "usb:04b8:0e15") as lane:
        until(lambda: lane._printer.is_open, "the printer")
        node.unplug()
        until(lambda: not lane._printer.is_open, "the loss")
        node.plug()
        till = os.open(short_path / "till", os.O_RDWR | os.O_NOCTTY)
        os.write(till, b"hello\n")
        assert node.printed(6) == b"hello\n"
        os.close(till)


def test_a_printer_that_sends_nothing_all_the_time_turns_no_lane_hot(
    short_path: Path, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some answer each question of the bus with an empty transfer; usblp calls each of them readable."""
    reads = 0
    read = UsblpLink.read

    def empty(self: UsblpLink, deadline: Deadline) -> bytes:
        nonlocal reads
        if not select.select([self.fileno()], [], [], 0)[0]:
            return read(self, deadline)
        reads += 1
        self.empty += 1
        return b""

    monkeypatch.setattr(UsblpLink, "read", empty)
    with running(short_path, "usb:04b8:0e15") as lane:
        until(lambda: lane._printer.is_open, "the printer")
        os.write(node.master, b"x")  # it is readable from now on
        until(lambda: reads > 2, "the lane reads")
        before, began_s = reads, time.monotonic()
        till = os.open(short_path / "till", os.O_RDWR | os.O_NOCTTY)
        os.write(till, b"hello\n")
        assert node.printed(6) == b"hello\n"
        os.close(till)
        time.sleep(0.1)
        assert reads - before <= 5 + (time.monotonic() - began_s) / EMPTY_S
