"""The pass-through beside nothing at all: what it adds to a till's bytes and questions, and what it costs."""

from __future__ import annotations

import random
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import serial

from tests.bench.processes import Cost, at_rest
from tests.bench.report import Budget, Cell, Table
from tests.bench.section import Size
from tests.brokers import mosquitto_broker
from tests.counter import until
from tests.pass_through import SharedPrinter

DATA_MS, STATUS_MS, JOB_MS = 2.0, 5.0, 20.0
THROUGHPUT_PCT = 95.0
POLL_S = 2.0
BUSY_POLL_S = 0.1  #: so that many jobs begin while a question is on its way
MARK, CUT, ASK = b"zzzz", b"\x1dV\x00", b"\x10\x04\x01"
JOB = b"a job" * 30 + ASK + b"and its end" + MARK + CUT
BAUD_BYTES_S = 11_520
WAIT_S = 20.0


class Till:
    """One that keeps its port or connection open."""

    def __init__(self, at: str | int) -> None:
        self._at: serial.Serial | socket.socket
        if isinstance(at, str):
            self._at = serial.Serial(at, 115200, timeout=2)
        else:
            self._at = socket.create_connection(("127.0.0.1", at), timeout=20)
            self._at.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.write(ASK)  # a printer may need a moment to notice who came
        assert self.answer(), "no answer"

    def write(self, data: bytes) -> None:
        if isinstance(self._at, socket.socket):
            self._at.sendall(data)
        else:
            self._at.write(data)

    def answer(self) -> bytes:
        return self._at.recv(1) if isinstance(self._at, socket.socket) else bytes(self._at.read(1))

    def close(self) -> None:
        self._at.close()


@dataclass(slots=True)
class Measured:
    """Milliseconds each; `bytes_s` of one long job."""

    data_ms: list[float]
    status_ms: list[float]
    job_ms: list[float]
    bytes_s: float = 0.0
    cost: Cost | None = None


def measure(folder: Path, size: Size) -> Table:
    with mosquitto_broker(folder, options={"log_type": "error"}) as broker:
        runs = {
            (door, through): _run(folder / f"{door}{through:d}", broker.url, door, size, through=through)
            for door in ("tty", "tcp")
            for through in (False, True)
        }
    rows: list[tuple[Cell, ...]] = []
    budgets: list[Budget] = []
    for door in ("tty", "tcp"):
        direct, ours = runs[door, False], runs[door, True]
        for what, limit_ms, pick in _TIMES:
            without, with_us = sorted(pick(direct)), sorted(pick(ours))
            usual_ms = statistics.median(without)
            rows.append((
                f"{door}: {what}, ms",
                str(len(with_us)),
                *(_percentile(without, percent) for percent in (50, 99)),
                *(_percentile(with_us, percent) for percent in (50, 99)),
                with_us[-1],
            ))  # fmt: skip
            if limit_ms == JOB_MS:
                name, added_ms = "longest delay of a job", with_us[-1] - usual_ms
            else:
                name, added_ms = f"{what}, added p99", _percentile(with_us, 99) - usual_ms
            budgets.append(Budget(f"{door}, {name}", max(0.0, added_ms), limit_ms, "ms"))
        rows.append((f"{door}: kB/s", "1", direct.bytes_s / 1000, None, ours.bytes_s / 1000, None, None))
        lost_pct = 100 - 100 * ours.bytes_s / direct.bytes_s
        budgets.append(Budget(f"{door}, throughput lost", max(0.0, lost_pct), 100 - THROUGHPUT_PCT, "%"))
    for door in ("tty", "tcp"):
        cost = runs[door, True].cost
        assert cost is not None
        what = f"{door}: memory of {cost.processes} processes, PSS MiB"
        rows.append((what, "1", None, None, cost.pss_mib, None, None))
        rows.append((f"{door}: the same, alone", "1", None, None, cost.alone_mib, None, None))
    return Table(
        title="pass-through: a till's bytes and questions, directly and with us between",
        columns=("", "samples", "direct p50", "p99", "through p50", "p99", "max"),
        rows=rows,
        budgets=budgets,
        notes=[
            f"data: from write to printer; status: from DLE EOT to answer; polled each {POLL_S:.0f} s",
            f"job: 200 bytes and a question, begun at any moment; polled each {BUSY_POLL_S} s",
            "added: beyond the median of the direct run",
            "tty: 115200 baud; tcp: a printer that takes 1 MB/s, its connection held",
        ],
    )


_TIMES: Sequence[tuple[str, float, Callable[[Measured], list[float]]]] = (
    ("data", DATA_MS, lambda run: run.data_ms),
    ("status", STATUS_MS, lambda run: run.status_ms),
    ("job", JOB_MS, lambda run: run.job_ms),
)


def _run(folder: Path, url: str, door: str, size: Size, *, through: bool) -> Measured:
    folder.mkdir()
    run = Measured([], [], [])
    with _printer(folder / "rest", url, door, POLL_S, through=through) as (printer, at):
        till = Till(at)
        try:
            _single(printer, till, run, size.passed_probes, through=through)
            run.bytes_s = _long(printer, till, size.passed_s * (BAUD_BYTES_S if door == "tty" else 1e6))
        finally:
            till.close()
        if through:
            run.cost = at_rest({"us": printer.process("pass-through").pid}, 0.1)["us"]
    with _printer(folder / "busy", url, door, BUSY_POLL_S, through=through) as (printer, at):
        till = Till(at)
        try:
            _jobs(printer, till, run, size.passed_jobs, through=through)
        finally:
            till.close()
    return run


@contextmanager
def _printer(
    folder: Path, url: str, door: str, poll_s: float, *, through: bool
) -> Iterator[tuple[SharedPrinter, str | int]]:
    """A printer, and where a till finds it; with the pass-through and the daemon, or without."""
    folder.mkdir()
    printer = SharedPrinter(
        folder,
        door=door,
        till=door,
        hold=True,
        url=url,
        poll_s=poll_s,
        knobs=("rate=1000000",) if door == "tcp" else (),
    )
    with ExitStack() as stack:
        stack.callback(printer.close)
        printer.start_printer()
        if not through:
            yield printer, printer.direct
            return
        printer.start()
        printer.start_daemon()
        until(lambda: printer.received().count(b"\x10\x04") > 8, "the daemon to ask")
        yield printer, str(printer.tty) if door == "tty" else printer.port


def _single(printer: SharedPrinter, till: Till, run: Measured, count: int, *, through: bool) -> None:
    """A few bytes, then a question, at any moment."""
    began: list[float] = []
    for _ in range(count):
        time.sleep(random.uniform(0.0, 0.09) if through else 0.005)
        began.append(time.monotonic())
        till.write(MARK + CUT)
        time.sleep(random.uniform(0.005, 0.03))
        asked_s = time.monotonic()
        till.write(ASK)
        assert till.answer(), "no answer"
        run.status_ms.append(1000 * (time.monotonic() - asked_s))
    run.data_ms += _delays_ms(printer, began)


def _jobs(printer: SharedPrinter, till: Till, run: Measured, count: int, *, through: bool) -> None:
    began: list[float] = []
    for _ in range(count):
        time.sleep(random.uniform(0.05, 0.15) if through else 0.005)
        began.append(time.monotonic())
        till.write(JOB)
        assert till.answer(), "no answer"
    run.job_ms += _delays_ms(printer, began)


def _delays_ms(printer: SharedPrinter, began: Sequence[float]) -> list[float]:
    """From each beginning to its mark at the printer."""
    until(lambda: len(_marks(printer)) >= len(began), "all marks", within_s=WAIT_S)
    marks = _marks(printer)
    assert len(marks) == len(began), "more marks than were sent"
    return [1000 * (came_s - at_s) for came_s, at_s in zip(marks, began, strict=True)]


def _marks(printer: SharedPrinter) -> list[float]:
    """When the last byte of each mark came."""
    marks, run = [], 0
    for at_s, data in _came(printer):
        for byte in data:
            run = run + 1 if byte == MARK[0] else 0
            if run == len(MARK):
                marks.append(at_s)
    return marks


def _long(printer: SharedPrinter, till: Till, size: float) -> float:
    """Bytes a second of one long job."""
    data = bytes(range(0x30, 0x60)) * (int(size) // 48)
    before = len(printer.received())
    began_s = time.monotonic()
    till.write(data)
    until(lambda: len(printer.received()) >= before + len(data), "the long job", within_s=WAIT_S)
    ended_s = next(at_s for at_s, piece in reversed(_came(printer)) if len(piece) > 4)
    return len(data) / (ended_s - began_s)


def _came(printer: SharedPrinter) -> list[tuple[float, bytes]]:
    """What came in at the printer, and when."""
    lines = printer.transcript.read_text(encoding="ascii").rpartition("\n")[0].splitlines()
    parts = [line.split(" ", 2) for line in lines]
    return [(float(at), bytes.fromhex(data)) for at, way, data in parts if way == ">"]


def _percentile(ordered: list[float], percent: int) -> float:
    return statistics.quantiles(ordered, n=100, method="inclusive")[percent - 1]
