"""The outbox: what must arrive, on disk before any network is touched.

Every row gets the next number of its stream, and every number is accounted for: its row is stored, was
acknowledged, or is named missing by another row (a `dropped` or a `dead_letter` event). Naming waits until
the broker acknowledges something and there is room, so an outbox that overflows offline never fills itself
with apologies. A row that names numbers and is itself lost gives them back to be named again.

Writing (`commit`, `commit_all`, `settle`) is the writer thread's. The rest may be called from any thread and
never waits for a disk sync: what `acknowledge`, `dead_letter` and `remember` note is written by the next
transaction.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from agent.messages import AgentEvent, Body, Stamper, new_id
from agent.outbox import storage
from agent.outbox.books import LIMITS, Books, Klass, Limits, Usage
from agent.outbox.rows import (
    Batch,
    Line,
    Prepared,
    Row,
    Stored,
    apply,
    make_line,
    merged,
    prepare,
    texts,
)
from agent.outbox.storage import StorageCorrupt, translate
from agent.outbox.transaction import Transaction
from drivers.api import Json

__all__ = ["Batch", "Outbox", "Prepared", "Row", "Stored", "prepare"]

SYNC_DELAY_VARIABLE = "TILLWATCH_TEST_SYNC_DELAY_S"
"""For tests only: seconds added to every durable commit, as a slow disk would."""

AGE_EVERY_S = 600.0


class Outbox:
    """Opens or makes the database at `path`; raises `StorageError`s. A broken file is moved aside."""

    def __init__(
        self,
        path: Path,
        *,
        stamper: Stamper,
        limits: Mapping[Klass, Limits] = LIMITS,
        sync_delay_s: float | None = None,
    ) -> None:
        self._path = path
        self._stamper = stamper
        self._limits = limits
        if sync_delay_s is None:
            sync_delay_s = float(os.environ.get(SYNC_DELAY_VARIABLE, "0"))
        self._sync_delay_s = sync_delay_s
        self._listeners: list[Callable[[], None]] = []
        self._write_lock = threading.Lock()
        self._notes_lock = threading.Lock()  # guards what follows, and the reading connection
        self._acknowledged: set[int] = set()
        self._dead: dict[int, str] = {}
        self._remembered: dict[str, str | None] = {}
        self._faults: dict[str, str] = {}
        self._memory: dict[str, str] = {}
        self._books: Books
        self._writes: sqlite3.Connection
        self._reads: sqlite3.Connection
        self._connections: list[sqlite3.Connection] = []
        self._broken: StorageCorrupt | None = None
        self._aside: Path | None = None
        self._age_due_s = float("-inf")
        self._lock_file = storage.lock(path)
        try:
            try:
                self._open()
            except StorageCorrupt as error:
                self._start_anew(error)
        except BaseException:
            self._lock_file.close()
            raise

    # -- from any thread -----------------------------------------------------------------------------

    @property
    def stream(self) -> str:
        return self._books.stream

    @property
    def last_seq(self) -> int:
        return self._books.last_seq

    def listen(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever there is something new: rows to send, or notes to write."""
        self._listeners.append(callback)

    def head(self, after_seq: int, limit: int) -> list[Stored]:
        """The next rows to send, in order; without those acknowledged or found dead meanwhile."""
        with self._notes_lock:
            done = self._acknowledged | self._dead.keys()
            try:
                found = self._reads.execute(
                    "SELECT seq, topic, body FROM rows WHERE seq > ? ORDER BY seq LIMIT ?",
                    (after_seq, limit + len(done)),
                ).fetchall()
            except sqlite3.Error as error:
                raise translate(error, self._path) from error
            stream = self._books.stream
        return [Stored(stream, *row) for row in found if row[0] not in done][:limit]

    def acknowledge(self, rows: Iterable[Stored]) -> None:
        """The broker has these; they are deleted with the next transaction."""
        with self._notes_lock:
            self._acknowledged.update(row.seq for row in rows if row.stream == self._books.stream)
        self._tell()

    def dead_letter(self, row: Stored, reason: str) -> None:
        """The broker will never take this one: it is put away, and an event names it."""
        with self._notes_lock:
            if row.stream == self._books.stream:
                self._dead[row.seq] = reason
        self._tell()

    def remember(self, memory: Mapping[str, Json]) -> None:
        """Change the memory, without a row; None removes."""
        changes = texts(memory)
        with self._notes_lock:
            self._remembered.update(changes)
            apply(self._memory, changes)
        self._tell()

    def faults(self) -> dict[str, Json]:
        with self._notes_lock:
            return {key: json.loads(value) for key, value in self._faults.items()}

    def memory(self) -> dict[str, Json]:
        with self._notes_lock:
            return {key: json.loads(value) for key, value in self._memory.items()}

    def notes(self) -> int:
        """How much `acknowledge`, `dead_letter` and `remember` have left to write."""
        with self._notes_lock:
            return len(self._acknowledged) + len(self._dead) + len(self._remembered)

    def view(self) -> dict[str, Json]:
        """For `tillwatch status`."""
        books = self._books
        return {
            "stream": books.stream,
            "last_seq": books.last_seq,
            "waiting": books.waiting() - len(self._acknowledged),
            "dead_letters": books.dead_letters,
            "unnamed": sum(last - first + 1 for first, last in books.gaps),
        }

    def event(self, body: Body) -> Row:
        """An event of the agent itself, stamped now."""
        return Row("event", self._stamper.stamp(body))

    # -- the writer's --------------------------------------------------------------------------------

    def commit(self, batch: Batch) -> int:
        """Store one batch, on disk when this returns; the last number taken."""
        return self.commit_all([prepare(batch)])

    def commit_all(self, batches: Sequence[Prepared]) -> int:
        """Store batches in one transaction with one sync, along with all notes."""
        return self._write(batches, durable=True)

    def settle(self) -> None:
        """Write the notes. What takes a number or is kept is synced; a lost deletion only repeats a row."""
        with self._notes_lock:
            durable = bool(self._dead or self._remembered or self._books.gaps)
        self._write([], durable=durable)

    def close(self) -> None:
        """Write what is noted, as far as the disk lets us, and let go."""
        try:
            if self.notes():
                self.settle()
        finally:
            self._let_go()
            self._lock_file.close()

    # -- transactions --------------------------------------------------------------------------------

    def _write(self, batches: Sequence[Prepared], *, durable: bool) -> int:
        with self._write_lock:
            if self._broken is not None:
                self._start_anew(self._broken)
            try:
                last_seq = self._transact(batches, durable=durable)
            except StorageCorrupt as error:
                self._start_anew(error)
                last_seq = self._transact(batches, durable=durable)
        if batches:
            self._tell()
        return last_seq

    def _transact(self, batches: Sequence[Prepared], *, durable: bool) -> int:
        with self._notes_lock:
            done, dead, remembered = set(self._acknowledged), dict(self._dead), dict(self._remembered)
        transaction = Transaction(self._writes, self._books, stamper=self._stamper, limits=self._limits)
        books = transaction.books
        faults = merged(batch.faults for batch in batches)
        memory = remembered | merged(batch.memory for batch in batches)
        lines = [line for batch in batches for line in batch.lines]
        try:
            self._writes.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._writes.execute("BEGIN IMMEDIATE")
            for line in lines:
                transaction.insert(line)
            transaction.keep("fault", faults)
            transaction.keep("memory", memory)
            transaction.delete(done)
            transaction.bury(dead)
            transaction.enforce(self._wall_s_for_age(lines))
            if done:
                transaction.name_gaps()
            transaction.keep_books()
            if durable and self._sync_delay_s:
                time.sleep(self._sync_delay_s)
            self._writes.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise translate(error, self._path) from error
        except BaseException:
            self._roll_back()
            raise
        with self._notes_lock:
            self._books = books
            self._acknowledged -= done
            for seq in dead:
                self._dead.pop(seq, None)
            for key, text in remembered.items():
                if self._remembered.get(key) == text:
                    self._remembered.pop(key, None)
            apply(self._faults, faults)
            apply(self._memory, memory | self._remembered)
        return books.last_seq

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after most errors, and then says so.
        with suppress(sqlite3.Error):
            self._writes.execute("ROLLBACK")

    def _wall_s_for_age(self, lines: Sequence[Line]) -> float | None:
        """Now, if age is due to be looked at. It counts only between two moments of a trusted clock."""
        now_s = self._stamper.clock.monotonic_s()
        if now_s < self._age_due_s or not any(line.synced for line in lines):
            return None
        self._age_due_s = now_s + AGE_EVERY_S
        return self._stamper.clock.wall_s()

    # -- the file ------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._writes = storage.open_checked(self._path)
        self._connections.append(self._writes)
        try:
            self._reads = storage.connect(self._path)
            self._connections.append(self._reads)
            self._load()
        except sqlite3.Error as error:
            self._let_go()
            raise translate(error, self._path) from error
        except StorageCorrupt:
            self._let_go()
            raise

    def _let_go(self) -> None:
        while self._connections:
            self._connections.pop().close()

    def _load(self) -> None:
        kept: dict[str, dict[str, str]] = {"books": {}, "fault": {}, "memory": {}}
        try:
            for kind, key, value in self._writes.execute("SELECT kind, key, value FROM kept"):
                kept[kind][key] = value
            last_seq, dead = (int(kept["books"].get(name, "0")) for name in ("last_seq", "dead"))
            for text in (*kept["fault"].values(), *kept["memory"].values()):
                json.loads(text)
        except (KeyError, TypeError, ValueError) as error:  # a bit may tip where SQLite does not look
            raise StorageCorrupt(f"outbox {self._path}: what is kept cannot be read: {error!r}") from error
        stream = kept["books"].get("stream")
        if stream is None:
            stream = new_id()
            self._writes.execute("INSERT INTO kept VALUES('books','stream',?)", (stream,))
        used = self._writes.execute("SELECT klass, count(*), sum(bytes) FROM rows GROUP BY klass").fetchall()
        self._books = Books(
            stream=stream,
            last_seq=last_seq,
            dead_letters=dead,
            usage={klass: Usage(rows, size) for klass, rows, size in used},
            gaps=self._writes.execute("SELECT from_seq, to_seq FROM gaps ORDER BY from_seq").fetchall(),
        )
        self._faults, self._memory = kept["fault"], kept["memory"]

    def _start_anew(self, error: StorageCorrupt) -> None:
        """A new stream in a new file; what is known of faults and memory is carried over. Where even that
        fails, the next transaction tries again."""
        self._broken = error
        with self._notes_lock:
            self._let_go()
            if self._aside is None:
                self._aside = storage.move_aside(self._path)
            faults, memory = self._faults, self._memory
            self._open()
            self._faults, self._memory = faults, memory
            self._acknowledged.clear()
            self._dead.clear()
        event = AgentEvent(agent="outbox_moved_aside", detail=f"{error}; kept as {self._aside.name}")
        line = make_line("event", self._stamper.stamp(event))
        self._transact([Prepared([line], {**faults}, {**memory})], durable=True)
        self._broken = self._aside = None

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
