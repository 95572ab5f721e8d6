"""The simulated payment terminal on a real tty and a real TCP port, asked by a client of a few lines."""

from __future__ import annotations

import os
import socket
import termios
import tty
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.devices.terminal.zvt_line import framed
from tests.simulator.serving import port_of, served

pytestmark = pytest.mark.system
ENQUIRY, TAKEN = bytes.fromhex("05 01 03 00 00 00"), bytes.fromhex("80 00 00")
REFUSED = bytes.fromhex("84 6B 00")
READY = bytes.fromhex("06 0F 0B F0 F0 F7") + b"2.14.15\x00"


def exactly(read: Callable[[int], bytes], count: int) -> bytes:
    heard = b""
    while len(heard) < count:
        part = read(count - len(heard))
        assert part, f"ended after {heard.hex(' ')}"
        heard += part
    return heard


def test_an_enquiry_over_tcp(tmp_path: Path) -> None:
    with served(tmp_path, "tcp:127.0.0.1:0", model="zvt") as device:
        with socket.create_connection(("127.0.0.1", port_of(device)), timeout=5) as till:
            till.sendall(ENQUIRY)
            assert exactly(till.recv, len(TAKEN + READY)) == TAKEN + READY
            till.sendall(TAKEN)
            device.tell("registered=no")
            till.sendall(ENQUIRY)
            assert exactly(till.recv, len(REFUSED)) == REFUSED
        assert device.tell()["asked"] == {"status_enquiry": 2}


def test_an_enquiry_over_a_serial_line(tmp_path: Path) -> None:
    with served(tmp_path, f"tty:{tmp_path}/till?baud=9600", model="zvt") as device:
        till = os.open(tmp_path / "till", os.O_RDWR | os.O_NOCTTY)
        try:
            tty.setraw(till)
            speed = termios.tcgetattr(till)
            speed[4] = speed[5] = termios.B9600
            speed[6][termios.VMIN], speed[6][termios.VTIME] = 0, 50  # five seconds, then b""
            termios.tcsetattr(till, termios.TCSANOW, speed)
            for said, answer in (
                (framed(ENQUIRY), b"\x06" + framed(TAKEN)),
                (b"\x06", framed(READY)),
                (b"\x06" + framed(TAKEN), b"\x06"),
            ):
                os.write(till, said)
                assert exactly(lambda count: os.read(till, count), len(answer)) == answer
        finally:
            os.close(till)
        assert (device.tell()["framing"], device.tell()["doing"]) == ("serial", "")
