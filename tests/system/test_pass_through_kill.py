"""Whatever is killed, stopped, pulled or left without paper while the till prints, none suffers by us."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import serial

from tests.counter import Seen, until
from tests.pass_through import SharedPrinter
from tests.till import OURS, hold_against

pytestmark = pytest.mark.system

Beside = Callable[..., SharedPrinter]

ASK, FINE = b"\x10\x04\x01", b"\x12"
BACK_S = 1.0
VIEW_S = 5.0
HOLDS_BYTES = 4096  #: what a junction may hold, and so what is lost with it


def job(number: int, size: int = 5000) -> bytes:
    """A receipt with a picture of any bytes but DLE, which would be answered."""
    dots = random.Random(number).randbytes(size - 40).replace(b"\x10", b"\x00")
    rows = len(dots) // 40
    head = b"\x1b@receipt %06d\n\x1dv0\x00\x28\x00" % number + rows.to_bytes(2, "little")
    return head + dots[: 40 * rows] + b"\nthank you\n\x1dV\x00"


def restarts_told(seen: Seen) -> list[str]:
    return [event["detail"] for event in seen.events() if event.get("agent") == "pass_through_restarted"]


def wait_told(seen: Seen, times: int) -> None:
    seen.wait(lambda _all: len(restarts_told(seen)) >= times, 10, f"{times} restarts to be told")


# -- the daemon ------------------------------------------------------------------------------------


def test_the_daemon_is_killed_stopped_and_restarted_during_jobs(beside: Beside) -> None:
    _harass_daemon(beside(), 10)


@pytest.mark.soak
def test_the_daemon_is_killed_stopped_and_restarted_a_hundred_times(beside: Beside) -> None:
    _harass_daemon(beside(), 100)


def _harass_daemon(printer: SharedPrinter, times: int) -> None:
    chance = random.Random(times)
    sent, borders = b"", []
    with printer.open_tty() as till, ThreadPoolExecutor(1) as beside:
        for turn in range(times):
            borders.append(len(sent))
            sent += job(turn)
            writing = beside.submit(till.write, job(turn))
            time.sleep(chance.uniform(0.0, 0.4))
            match turn % 4:
                case 0 | 2:
                    printer.process("daemon").send_signal(signal.SIGSTOP)
                    writing.result(10)
                    time.sleep(chance.uniform(0.0, 0.3))
                    printer.process("daemon").send_signal(signal.SIGCONT)
                case 1:
                    printer.kill("daemon")
                    printer.start_daemon()
                case _:
                    assert printer.stop("daemon") == 0
                    printer.start_daemon()
            writing.result(10)
            before = len(printer.received())
            end = job(turn)[-20:]

            def asked_again(end: bytes = end, before: int = before) -> bool:
                _job, came, rest = printer.received()[max(0, before - 5000) :].rpartition(end)
                return bool(came) and bool(OURS.search(rest))

            until(asked_again, "the receipt, and the daemon to ask behind it")
        till.write(ASK)
        assert till.read(1) == FINE
    borders.append(len(sent))
    sent += ASK
    until(lambda: hold_against(printer.received(), sent, borders) >= times, "all receipts")


# -- the pass-through ------------------------------------------------------------------------------


def test_the_worker_is_killed_during_a_job(beside: Beside, seen: Seen) -> None:
    printer = beside()
    _kill_worker(printer, seen, 1)
    with printer.open_tty() as till:
        till.write(job(2))
        until(lambda: job(2) in printer.received(), "the next receipt")


@pytest.mark.soak
def test_the_worker_is_killed_ten_times(beside: Beside, seen: Seen) -> None:
    printer = beside()
    _kill_worker(printer, seen, 10)
    # Nobody knows where in a command the printer is now; that the till has closed its port tells.
    _sell_and_see(printer, seen)


def test_the_tills_automatic_status_outlives_the_worker(beside: Beside) -> None:
    """Its own, and no more than that: the agent's goes on beside it."""
    printer = beside()
    with printer.open_tty() as till:
        till.write(b"\x1da\x08")
        assert till.read(4) == b"\x10\x00\x00\x00"
        printer.kill_worker()
        printer.tell("drawer=open")
        printer.tell("paper=near_end")
        assert till.read(4) == b"\x14\x00\x03\x00", "of the drawer alone nothing comes"
        printer.tell("paper=ok")
        assert till.read(4) == b"\x14\x00\x00\x00"
        till.timeout = 0.3
        assert till.read(1) == b""


def _kill_worker(printer: SharedPrinter, seen: Seen, count: int) -> None:
    with printer.open_tty() as till:
        for times in range(1, count + 1):
            lost = _kill_worker_during(printer, till, job(times, 12_000))
            wait_told(seen, times)
            assert 0 <= lost <= HOLDS_BYTES
            assert restarts_told(seen)[-1] in (
                "receipt: no byte of the till's is lost",
                f"receipt: {lost} bytes of the till's may be lost",
            )


def _kill_worker_during(printer: SharedPrinter, till: serial.Serial, data: bytes) -> int:
    """How many bytes did not arrive."""
    before = len(printer.received())
    with ThreadPoolExecutor(1) as beside:
        writing = beside.submit(till.write, data)
        until(lambda: len(printer.received()) > before + 3000, "the job to have begun")
        printer.worker().kill()
        killed_s, came = time.monotonic(), len(printer.received())
        until(lambda: len(printer.received()) > came + 200, "bytes again")
        assert time.monotonic() - killed_s < BACK_S
        writing.result(10)
    until(lambda: data[-20:] in printer.received(), "its end")
    began = printer.received().index(data[:20], before)
    return len(data) - (printer.received().index(data[-20:], began) + 20 - began)


@pytest.mark.parametrize("baud", [pytest.param(115200, marks=pytest.mark.soak), 0])
def test_the_whole_pass_through_is_killed_during_a_job(beside: Beside, seen: Seen, baud: int) -> None:
    """A printer on a line, whose kernel's buffer holds the job; and one in the network, where it waits."""
    printer = beside() if baud else beside(door="tcp", hold=True, knobs=("rate=1000000",))
    data = job(1, 12_000 if baud else 1_500_000)
    with printer.open_tty() as till, ThreadPoolExecutor(1) as writer:
        writing = writer.submit(till.write, data)
        until(lambda: len(printer.received()) > 3000, "the job to have begun")
        printer.kill("pass-through")
        killed_s = time.monotonic()
        time.sleep(0.1)  # as the unit has it
        printer.start()
        with pytest.raises(OSError, match=r"Input/output|returned no data|write failed"):
            _go_on(till, writing)
    with printer.open_tty() as till:
        till.write(ASK)
        assert till.read(1) == FINE
        assert time.monotonic() - killed_s < BACK_S
    wait_told(seen, 1)
    told = restarts_told(seen)[0]
    assert "no byte" in told if baud else int(told.split()[1]) >= HOLDS_BYTES, told
    assert not seen.faults("receipt/pass_through_down")
    if baud:
        _sell_and_see(printer, seen)


def _go_on(till: serial.Serial, writing: Future[int | None]) -> None:
    """As a till whose line has broken: it hears of it, sooner or later."""
    writing.result(10)
    for _ in range(3):
        till.write(ASK)
        till.read(1)


def _sell_and_see(printer: SharedPrinter, seen: Seen) -> None:
    """The next receipt is whole, and the agent is beside it again."""
    before = len(printer.received())
    if printer.port:
        with printer.connect() as till:
            till.sendall(job(99) + ASK)
            assert till.recv(1) == FINE
    else:
        with printer.open_tty() as tty:
            tty.write(job(99) + ASK)
            assert tty.read(1) == FINE
    until(lambda: job(99) + ASK in printer.received()[before:], "a whole receipt")
    printer.tell("cover=open")
    seen.wait_condition("cover_open", value=True, within_s=15)
    printer.tell("cover=closed")
    seen.wait_condition("cover_open", value=False)


def test_the_pass_through_is_killed_while_tills_come_over_tcp(beside: Beside, seen: Seen) -> None:
    printer = beside(door="tcp", till="tcp", hold=True, knobs=("rate=1000000",))
    with printer.connect() as till, ThreadPoolExecutor(1) as writer:
        till.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writing = writer.submit(till.sendall, b"a line of text\n" * 100_000)
        until(lambda: len(printer.received()) > 3000, "the job to have begun")
        printer.kill("pass-through")
        killed_s = time.monotonic()
        time.sleep(0.1)
        printer.start()
        assert isinstance(writing.exception(10), ConnectionError)
    with printer.connect() as till:
        till.sendall(ASK)
        assert till.recv(1) == FINE
    assert time.monotonic() - killed_s < BACK_S
    wait_told(seen, 1)
    assert int(restarts_told(seen)[0].split()[1]) >= HOLDS_BYTES
    assert not seen.faults("receipt/pass_through_down")
    _sell_and_see(printer, seen)


@pytest.mark.soak
def test_a_worker_that_is_stopped_during_a_job_is_replaced(beside: Beside, seen: Seen) -> None:
    printer = beside()
    with printer.open_tty() as till, ThreadPoolExecutor(1) as writer:
        data = job(1, 12_000)
        writing = writer.submit(till.write, data)
        until(lambda: len(printer.received()) > 3000, "the job to have begun")
        stopped = printer.worker()
        stopped.suspend()
        stopped_s = time.monotonic()
        until(lambda: data[-20:] in printer.received(), "its end", within_s=15)
        assert time.monotonic() - stopped_s < 8, "five seconds until it is taken for hung, and the rest"
        writing.result(10)
    wait_told(seen, 1)
    _sell_and_see(printer, seen)


# -- the printer, and the till ---------------------------------------------------------------------


def test_paper_ends_in_a_job_and_the_till_waits_for_it(beside: Beside, seen: Seen) -> None:
    """A long receipt without ESC @, which would end automatic status until the job is over."""
    printer = beside()
    long = job(1, 12_000)[2:]
    until(lambda: bool(printer.tell()["automatic_status"]), "automatic status to be on")
    with printer.open_tty() as till, ThreadPoolExecutor(1) as writer:
        writing = writer.submit(till.write, long)
        until(lambda: len(printer.received()) > 3000, "the job to have begun")
        printer.tell("paper=end")
        seen.wait_condition("paper_end", value=True, within_s=VIEW_S)
        assert not printer.received().endswith(long[-20:]), "the printer takes no more"
        printer.tell("paper=ok")
        writing.result(10)
        seen.wait_condition("paper_end", value=False, within_s=VIEW_S)
    until(lambda: long in printer.received(), "all of it, with nothing in between")


@pytest.mark.soak
def test_the_printer_is_unplugged_and_back_during_a_job(beside: Beside, seen: Seen) -> None:
    """What was in the cable and in the printer is lost, as it would be without us; the till's tty goes on."""
    printer = beside(door="tcp", hold=True, knobs=("rate=200000",))
    data = job(1, 400_000)
    with printer.open_tty() as till, ThreadPoolExecutor(1) as writer:
        writing = writer.submit(till.write, data)
        until(lambda: len(printer.received()) > 3000, "the job to have begun")
        printer.tell("fault=unplug")
        seen.wait_fault("receipt/unreachable", "raised", within_s=15)
        printer.tell("fault=none")
        until(lambda: data[-20:] in printer.received(), "its end", within_s=15)
        writing.result(10)
        seen.wait_condition("unreachable", value=False, within_s=15)
    assert not restarts_told(seen)
    _sell_and_see(printer, seen)


def test_a_till_that_is_killed_in_a_picture(beside: Beside, seen: Seen) -> None:
    """The printer waits for the rest of it, as it would without us. The agent waits, then looks after it."""
    printer = beside()
    half = job(1, 3000)[:1500]
    program = "import sys,time; f=open(sys.argv[1],'wb',0); f.write(sys.stdin.buffer.read()); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, str(printer.tty)], stdin=subprocess.PIPE) as till:
        assert till.stdin is not None
        till.stdin.write(half)
        till.stdin.close()
        until(lambda: half in printer.received(), "half a picture")
        time.sleep(0.6)
        till.kill()
    assert printer.received().endswith(half), "the agent asks nothing inside of a command"
    printer.tell("cover=open")
    seen.wait_condition("cover_open", value=True, within_s=15)
    printer.tell("cover=closed")
    seen.wait_condition("cover_open", value=False)
    _sell_and_see(printer, seen)


def test_two_tills_at_one_port_print_one_after_the_other(beside: Beside) -> None:
    printer = beside(door="tcp", till="tcp", knobs=("rate=100000",))

    def sell(number: int) -> None:
        for turn in range(4):
            with printer.connect() as till:
                till.sendall(job(10 * number + turn, 3000) + ASK)
                till.settimeout(15)
                assert till.recv(1) == FINE
                till.shutdown(socket.SHUT_WR)
                assert till.recv(1) == b""

    with ThreadPoolExecutor(2) as tills:
        for done in [tills.submit(sell, number) for number in (1, 2)]:
            done.result(30)
    order = sorted(
        (job(10 * number + turn, 3000) + ASK for number in (1, 2) for turn in range(4)),
        key=lambda one: printer.received().find(one),
    )
    starts = [sum(map(len, order[:n])) for n in range(len(order))]
    hold_against(printer.received(), b"".join(order), starts)


def test_a_till_over_tcp_that_reads_nothing(beside: Beside) -> None:
    printer = beside(door="tcp", till="tcp")
    data = b"\x1dIC" * 20_000 + job(1)
    with printer.connect() as till:
        till.settimeout(20)
        till.sendall(data)
        until(lambda: data in printer.received(), "all of it", within_s=20)
    with printer.connect() as till:
        till.sendall(ASK)
        assert till.recv(100) == FINE
