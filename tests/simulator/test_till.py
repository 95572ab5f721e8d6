"""The simulated till: receipts of every kind, printed through a real tty, and what it says of itself."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulator.control import tell
from simulator.loop import Loop
from simulator.station import Plan, Station
from simulator.till.receipts import sale
from simulator.till.till import Till
from tests.counter import until

EACH_S = 0.2


def test_a_sale_is_the_same_for_the_same_seed_and_differs_from_the_next() -> None:
    first = sale(1, random.Random(7), longest_s=4)
    assert first == sale(1, random.Random(7), longest_s=4)
    chance = random.Random(7)
    receipts = [sale(number, chance, longest_s=4).receipt for number in range(1, 7)]
    assert len(set(receipts)) == len(receipts)
    assert all(receipt.startswith(b"\x1b@") and receipt.endswith(b"\x1dV\x42\x00") for receipt in receipts)
    assert any(b"\x1dv0" in receipt for receipt in receipts)
    assert any(b"\x1d(k" in receipt for receipt in receipts)


@contextmanager
def running(loop: Loop) -> Iterator[None]:
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join(5)


@pytest.mark.system
def test_receipts_arrive_as_sent_and_every_sale_is_told(tmp_path: Path, short_path: Path) -> None:
    loop = Loop()
    printed, sent = tmp_path / "printed", bytearray()
    station = Station(Plan(model="escpos", doors=[f"tty:{tmp_path}/port"], printed=printed), loop)
    agent = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    agent.bind(str(short_path / "notify"))
    agent.settimeout(5)
    till = Till(tmp_path / "port", loop, each_s=EACH_S, say=short_path / "notify", sent=sent.extend)
    station.open()
    till.open()
    try:
        with running(loop):
            until(lambda: till.receipts >= 3, "three receipts", within_s=10)
            words = [agent.recv(100) for _ in range(6)]
    finally:
        till.close()
        station.close()
        loop.close()
        agent.close()
    assert words == [b"X_TILLWATCH_BUSY=1\n", b"X_TILLWATCH_BUSY=0\n"] * 3
    assert sent.count(b"\x1dV\x42\x00") >= 3


@pytest.mark.system
def test_a_cut_line_costs_a_receipt_and_the_till_goes_on(tmp_path: Path, short_path: Path) -> None:
    loop = Loop()
    control = short_path / "ctl"
    station = Station(Plan(model="escpos", doors=[f"tty:{tmp_path}/port"], control=control), loop)
    till = Till(tmp_path / "port", loop, each_s=EACH_S)
    station.open()
    till.open()
    try:
        with running(loop):
            until(lambda: till.receipts >= 1, "a receipt", within_s=10)
            tell(control, ["fault=unplug"])
            before = till.receipts
            tell(control, ["fault=none"])
            until(lambda: till.receipts >= before + 2, "receipts after the cut", within_s=10)
    finally:
        till.close()
        station.close()
        loop.close()
