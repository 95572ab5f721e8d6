"""The daemon beside the till, end to end: what it sees and tells, and what it never disturbs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.counter import Seen, end, until
from tests.pass_through import SharedPrinter

pytestmark = pytest.mark.system

RECEIPT = b"\x1b@" + b"one line of a receipt\n" * 30 + b"\x1dV\x00"
LONG = b"\x1b@" + b"0123456789abcdef" * 1000 + b"\n\x1dV\x00"
OURS = re.compile(rb"\x10\x04[\x01-\x04]|\x1da.|\x1dI[ABCDE]|\x1dg2\x00..|\x1d\(H\x06\x0000....", re.DOTALL)
"""What the agent asks of an `epson-tm`; no receipt here has any of it in it."""


def till_s(printer: SharedPrinter) -> bytes:
    """What came in, without the agent's own."""
    return OURS.sub(b"", printer.received())


@pytest.mark.parametrize(
    "how", [{}, {"door": "tcp", "till": "tcp"}, {"door": "tcp", "till": "tcp", "hold": True}]
)
def test_the_view_is_right_while_the_till_prints(
    beside: Callable[..., SharedPrinter], seen: Seen, how: dict[str, Any]
) -> None:
    printer = beside(**how)
    sent = b""
    for knob, kind in (("cover=open", "cover_open"), ("paper=near_end", "paper_near_end")):
        for value in (True, False):
            for _ in range(3):
                sent += RECEIPT
                if how:
                    with printer.connect() as till:
                        till.sendall(RECEIPT)
                else:
                    with printer.open_tty() as till:
                        till.write(RECEIPT)
            printer.tell(knob if value else "cover=closed" if kind == "cover_open" else "paper=ok")
            seen.wait_condition(kind, value=value, within_s=8)
    until(lambda: till_s(printer) == sent, "all of it, and nothing else")
    assert {fault for fault, _ in seen.faults()} <= {"receipt/cover_open", "receipt/paper_near_end"}


def test_a_daemon_that_is_killed_stopped_or_restarted_disturbs_no_receipt(
    beside: Callable[..., SharedPrinter], seen: Seen
) -> None:
    printer = beside()
    sent = b""
    with printer.open_tty() as till:
        for turn in range(3):
            daemon = printer.process("daemon")
            sent += LONG
            till.write(LONG[:8_000])
            match turn % 3:
                case 0:
                    daemon.send_signal(signal.SIGSTOP)
                    till.write(LONG[8_000:])
                    daemon.send_signal(signal.SIGCONT)
                case 1:
                    printer.kill("daemon")
                    till.write(LONG[8_000:])
                    printer.start_daemon()
                case 2:
                    printer.stop("daemon")
                    printer.start_daemon()
                    till.write(LONG[8_000:])
        until(lambda: till_s(printer) == sent, "every receipt", within_s=60)
        till.write(b"\x10\x04\x01")
        assert till.read(1) == b"\x12"
    printer.tell("paper=end")
    seen.wait_condition("paper_end", value=True)


def test_a_restart_is_told_once_and_the_loss_with_it(
    beside: Callable[..., SharedPrinter], seen: Seen
) -> None:
    printer = beside(baud=38400)
    with printer.open_tty(38400) as till:
        till.write(LONG)
        until(lambda: len(printer.received()) > 3000, "the job to have begun")
        printer.kill_worker()

        def told(_messages: object) -> bool:
            return any(event.get("agent") == "pass_through_restarted" for event in seen.events())

        seen.wait(told, 10, "the event")
        event = next(event for event in seen.events() if event.get("agent") == "pass_through_restarted")
        assert re.fullmatch(
            r"receipt: (\d+ bytes of the till's may be|no byte of the till's is lost)", event["detail"]
        )
    printer.kill("daemon")
    printer.start_daemon()
    time.sleep(2)
    assert sum(event.get("agent") == "pass_through_restarted" for event in seen.events()) == 1


def test_without_a_pass_through_the_till_cannot_print_and_that_is_critical(
    beside: Callable[..., SharedPrinter], seen: Seen
) -> None:
    printer = beside()
    printer.kill("pass-through")
    seen.wait_fault("receipt/pass_through_down", "raised")
    printer.start()
    seen.wait_fault("receipt/pass_through_down", "cleared")
    seen.wait_condition("paper_end", value=False)


def test_the_slip_of_a_self_test_never_lands_in_a_receipt(beside: Callable[..., SharedPrinter]) -> None:
    printer = beside()
    command = [sys.executable, "-m", "agent.cli", "selftest", "receipt", "--level", "external"]
    test = subprocess.Popen(
        [*command, "--config", str(printer.config)],
        env=os.environ | printer.environment,
        stdout=subprocess.PIPE,
    )
    sent = 0
    try:
        with printer.open_tty() as till:
            while test.poll() is None and sent < 400:
                till.write(RECEIPT)
                sent += 1
                time.sleep(0.4)
        said, _ = test.communicate(timeout=30)
    finally:
        end(test)
    until(lambda: till_s(printer).count(RECEIPT) == sent, "every receipt whole")
    rest = till_s(printer).replace(RECEIPT, b"")
    assert rest.count(b"TILLWATCH SELF-TEST") == 1
    assert test.returncode == 0, said.decode()
