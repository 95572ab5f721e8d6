"""The pass-through, end to end: real ttys and sockets, a simulated printer, and processes that are killed."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.counter import end, start, until
from tests.pass_through import SharedPrinter

pytestmark = pytest.mark.system

Make = Callable[..., SharedPrinter]

RECEIPT = b"\x1b@" + b"one line of a receipt\n" * 30 + b"\x1dV\x00"
LONG = b"\x1b@" + b"0123456789abcdef" * 600 + b"\n\x1dV\x00"
ASK = b"\x10\x04\x01"
FINE = b"\x12"


@pytest.fixture
def make(short_path: Path) -> Iterator[Make]:
    made: list[SharedPrinter] = []

    def new(**how: Any) -> SharedPrinter:
        made.append(SharedPrinter(short_path, **how))
        made[-1].start_printer()
        made[-1].start()
        return made[-1]

    yield new
    for one in made:
        one.close()


@pytest.mark.parametrize("door", ["tty", "tcp"])
def test_a_receipt_over_the_tty_comes_byte_for_byte_and_questions_are_answered(make: Make, door: str) -> None:
    printer = make(door=door)
    with printer.open_tty() as till:
        till.write(RECEIPT + ASK + RECEIPT)
        assert till.read(1) == FINE
        printer.wait_received(RECEIPT + ASK + RECEIPT)
    with printer.open_tty() as till:  # and again
        till.write(RECEIPT)
        printer.wait_received(RECEIPT + ASK + RECEIPT * 2)


@pytest.mark.parametrize(("door", "hold"), [("tty", False), ("tcp", False), ("tcp", True)])
def test_the_same_over_tcp_each_receipt_in_its_connection(make: Make, door: str, *, hold: bool) -> None:
    printer = make(door=door, till="tcp", hold=hold)
    for count in range(1, 4):
        with printer.connect() as till:
            till.sendall(RECEIPT + ASK)
            assert till.recv(10) == FINE
            till.shutdown(socket.SHUT_WR)
            assert till.recv(10) == b"", "its end is passed on, and the printer's end comes back"
        printer.wait_received((RECEIPT + ASK) * count)


def test_a_till_that_writes_and_hangs_up_at_once_loses_nothing(make: Make) -> None:
    printer = make(door="tcp", till="tcp", knobs=("rate=20000",))
    for _ in range(3):
        with printer.connect() as till:
            till.sendall(LONG)
    printer.wait_received(LONG * 3)


def test_the_second_connection_waits_for_the_first(make: Make) -> None:
    printer = make(till="tcp")
    with printer.connect() as first, printer.connect() as second:
        second.sendall(ASK)
        second.settimeout(0.3)
        with pytest.raises(TimeoutError):
            second.recv(1)
        first.close()
        second.settimeout(3)
        assert second.recv(1) == FINE


def test_what_a_till_did_not_read_is_not_for_the_next_one(make: Make) -> None:
    printer = make()
    with printer.open_tty() as till:
        till.write(ASK)
        time.sleep(0.2)  # the answer is there, and stays unread
    time.sleep(0.1)
    with printer.open_tty() as till:
        till.timeout = 0.2
        assert till.read(1) == b""


def test_a_killed_worker_is_replaced_and_the_till_keeps_its_tty(make: Make) -> None:
    printer = make()
    with printer.open_tty() as till:
        for count in range(1, 4):
            till.write(RECEIPT + ASK)
            assert till.read(1) == FINE
            printer.wait_received((RECEIPT + ASK) * count)
            printer.kill_worker()
    with printer.open_tty() as till:
        till.write(ASK)
        assert till.read(1) == FINE


def test_what_waits_in_the_tty_outlives_the_worker(make: Make) -> None:
    """What is lost is a beginning of what was in flight, at most 4096 bytes: the rest comes, in order."""
    printer = make(baud=38400)
    with printer.open_tty(38400) as till:
        data = b"".join(b"%07d\n" % n for n in range(1500))
        till.write(data)
        until(lambda: len(printer.received()) > 2000, "the job to have begun")
        printer.kill_worker()
        until(lambda: printer.received().endswith(data[-8:]), "its end", within_s=20)
    came = printer.received()
    start = next(n for n in range(len(came)) if came[: n + 1] != data[: n + 1]) if came != data else len(came)
    assert data.endswith(came[start:])
    assert len(data) - len(came) <= 4096


def test_a_worker_that_hangs_is_replaced(make: Make) -> None:
    printer = make()
    hanging = printer.worker()
    hanging.suspend()
    until(lambda: printer.worker().pid != hanging.pid, "another worker", within_s=12)
    with printer.open_tty() as till:
        till.write(ASK)
        assert till.read(1) == FINE


def test_a_killed_supervisor_takes_its_worker_along_and_another_begins_within_a_second(make: Make) -> None:
    printer = make()
    with printer.open_tty() as till:
        till.write(RECEIPT)
        printer.wait_received(RECEIPT)
    worker = printer.worker()
    worker.suspend()  # even one that is stopped
    began_s = time.monotonic()
    printer.kill("pass-through")
    printer.start()
    with printer.open_tty() as till:
        till.write(ASK)
        assert till.read(1) == FINE
    assert time.monotonic() - began_s < 1.0
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "the worker to end")


def test_a_clean_end_writes_what_it_has_and_takes_its_doors_away(make: Make) -> None:
    printer = make()
    with printer.open_tty() as till:
        till.write(RECEIPT)
        printer.wait_received(RECEIPT)
    assert printer.stop("pass-through") == 0
    assert [path.name for path in (printer.folder / "till").iterdir()] == ["receipt.ledger"]


def test_an_unplugged_printer_stops_the_till_and_goes_on_when_it_is_back(make: Make) -> None:
    printer = make()
    with printer.open_tty() as till:
        till.write(ASK)
        assert till.read(1) == FINE
        printer.tell("fault=unplug")
        time.sleep(0.3)
        till.write(RECEIPT)
        printer.tell("fault=none")
        printer.wait_received(ASK + RECEIPT)


def test_a_full_printer_stops_the_till_as_it_did_before(make: Make) -> None:
    printer = make(door="tcp", till="tcp", knobs=("rate=16000",))
    assert isinstance(printer.direct, int)
    taken = [fill(printer, printer.direct)]
    for _ in range(2):
        printer.tell("rate=unlimited")
        until(lambda: len(printer.received()) == sum(taken), "the printer to be empty")
        printer.tell("rate=16000")
        taken.append(fill(printer, printer.port))
    printer.tell("rate=unlimited")
    until(lambda: printer.received() == b"x" * sum(taken), "all of it")
    # The least of two, since the kernel now and then lets a socket hold more.
    assert min(taken[1:]) <= taken[0] + 65536


def fill(printer: SharedPrinter, port: int) -> int:
    """How much a till can write until it is stopped."""
    sent = 0
    with printer.connect(port) as till:
        till.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        till.settimeout(0.4)
        with contextlib.suppress(TimeoutError):
            while sent < 1_000_000:
                sent += till.send(b"x" * 4096)
    return sent


def test_a_till_that_reads_nothing_blocks_nobody(make: Make) -> None:
    printer = make()
    with printer.open_tty() as till:
        for _ in range(20):
            till.write(b"\x1dI\x43" * 100)
        till.write(RECEIPT)
        until(lambda: printer.received().endswith(RECEIPT), "the receipt", within_s=20)


def test_an_unreachable_printer_resets_the_till(make: Make) -> None:
    printer = make(door="tcp", till="tcp")
    printer.process("printer").terminate()
    printer.process("printer").wait()
    with pytest.raises(ConnectionResetError), printer.connect() as till:  # or while it connects
        till.recv(1)


def test_the_speed_that_the_till_sets_is_the_lines(make: Make) -> None:
    """At another speed than the printer's, nothing of it can be read; at its own, all."""
    printer = make(baud=9600)
    with printer.open_tty(19200) as till:
        till.timeout = 0.5
        till.write(ASK)
        assert till.read(1) != FINE
        till.baudrate = 9600
        till.timeout = 2
        till.reset_input_buffer()
        till.write(ASK)
        assert till.read(1) == FINE


def test_a_second_pass_through_is_refused(make: Make) -> None:
    printer = make()
    second = start("agent.cli", "pass-through", "--config", str(printer.config))
    assert second.wait(10) == 4
    with printer.open_tty() as till:
        till.write(ASK)
        assert till.read(1) == FINE


def test_a_door_that_stays_shut_keeps_no_other_till_away(make: Make) -> None:
    printer = make()
    end(printer.process("pass-through"))
    common, _, receipt = printer.config.read_text().partition("[[device]]")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        kitchen = (
            '[[device]]\nid = "kitchen"\ndriver = "escpos"\naccess = "shared"\n'
            f'link = "serial:/dev/nothing"\ntill = "tcp:127.0.0.1:{taken.getsockname()[1]}"\n'
        )
        printer.config.write_text(f"{common}{kitchen}[[device]]{receipt}")
        printer.start()
        with printer.open_tty() as till:
            till.write(ASK)
            assert till.read(1) == FINE
        printer.config.write_text(common + kitchen)
        alone = start("agent.cli", "pass-through", "--config", str(printer.config))
        assert alone.wait(10) == 4


def test_without_a_shared_device_there_is_nothing_to_do(short_path: Path) -> None:
    printer = SharedPrinter(short_path)
    text = printer.config.read_text().replace('access = "shared"\n', "").replace("till = ", "# till = ")
    printer.config.write_text(text)
    process = start("agent.cli", "pass-through", "--config", str(printer.config))
    assert process.wait(10) == 0


def test_ctrl_c_ends_both(make: Make) -> None:
    printer = make()
    worker = printer.worker()
    worker.send_signal(signal.SIGINT)
    printer.process("pass-through").send_signal(signal.SIGINT)
    assert printer.process("pass-through").wait(5) == 0
