"""The outbox beside bare SQLite: the same rows, WAL and synchronous=FULL, in the same folder."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from agent.messages import encode
from agent.outbox.outbox import Batch, Outbox, Row
from agent.outbox.writer import BATCHES_IN_ONE, Writer
from tests.bench.report import Table
from tests.bench.samples import STAMPER, event
from tests.bench.section import CannotMeasure, Size

LONGEST_S = 60.0


def measure(folder: Path, size: Size) -> Table:
    single = [event() for _ in range(size.single_commits)]
    many = [event() for _ in range(size.grouped_commits)]
    pairs = (
        ("one event a transaction", len(single), _single_s(folder, single), _bare_s(folder, single, 1)),
        (
            f"grouped by the writer, at most {BATCHES_IN_ONE}",
            len(many),
            _grouped_s(folder, many),
            _bare_s(folder, many, BATCHES_IN_ONE),
        ),
    )
    return Table(
        title="outbox: events stored a second, each on disk when counted",
        columns=("", "events", "outbox /s", "bare SQLite /s", "x bare"),
        rows=[
            (name, str(count), count / ours_s, count / bare_s, bare_s / ours_s)
            for name, count, ours_s, bare_s in pairs
        ],
        notes=[
            f"in {folder.parent}; both make the JSON, the outbox also numbers, counts and bounds its rows"
        ],
    )


def _single_s(folder: Path, rows: Sequence[Row]) -> float:
    outbox = Outbox(folder / "single.sqlite", stamper=STAMPER)
    try:
        started_s = time.monotonic()
        for row in rows:
            outbox.commit(Batch([row]))
        return time.monotonic() - started_s
    finally:
        outbox.close()


def _grouped_s(folder: Path, rows: Sequence[Row]) -> float:
    """Submitted as fast as they are stored, so that the writer always finds a full group waiting."""
    outbox = Outbox(folder / "grouped.sqlite", stamper=STAMPER)
    writer = Writer(outbox)
    free = threading.BoundedSemaphore(2 * BATCHES_IN_ONE)
    done = threading.Event()
    try:
        started_s = time.monotonic()
        writer.start()
        for row in rows[:-1]:
            if not free.acquire(timeout=LONGEST_S):
                raise CannotMeasure("the writer stores nothing")
            writer.submit(Batch([row]), lambda _last_seq: free.release())
        writer.submit(Batch([rows[-1]]), lambda _last_seq: done.set())
        if not done.wait(LONGEST_S):
            raise CannotMeasure("the writer stores nothing")
        return time.monotonic() - started_s
    finally:
        writer.stop()
        outbox.close()


def _bare_s(folder: Path, rows: Sequence[Row], in_one: int) -> float:
    db = sqlite3.connect(folder / f"bare-{in_one}.sqlite", isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(
            "CREATE TABLE rows("
            "seq INTEGER PRIMARY KEY, klass TEXT NOT NULL, topic TEXT NOT NULL, body TEXT NOT NULL)"
        )
        started_s = time.monotonic()
        for first in range(0, len(rows), in_one):
            db.execute("BEGIN IMMEDIATE")
            for row in rows[first : first + in_one]:
                db.execute(
                    "INSERT INTO rows VALUES(NULL, ?, ?, ?)", (row.klass, row.topic, encode(dict(row.body)))
                )
            db.execute("COMMIT")
        return time.monotonic() - started_s
    finally:
        db.close()
