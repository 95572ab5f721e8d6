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

from agent.messages import AgentEvent, Body, Dropped, Stamper, new_id
from agent.uplink import storage
from agent.uplink.books import LIMITS, Books, Klass, Limits, Usage
from agent.uplink.rows import (
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
from agent.uplink.storage import StorageCorrupt, translate
from drivers.api import Json

__all__ = ["Batch", "Outbox", "Prepared", "Row", "Stored", "prepare"]

SYNC_DELAY_VARIABLE = "TILLWATCH_TEST_SYNC_DELAY_S"
"""For tests only: seconds added to every durable commit, as a slow disk would."""

DEAD_LETTERS_KEPT = 200
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
        """Write the notes. Only dead letters and memory are synced: a lost deletion sends a row twice."""
        with self._notes_lock:
            durable = bool(self._dead or self._remembered)
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
        books = self._books.copy()
        faults = merged(batch.faults for batch in batches)
        memory = remembered | merged(batch.memory for batch in batches)
        lines = [line for batch in batches for line in batch.lines]
        try:
            self._writes.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._writes.execute("BEGIN IMMEDIATE")
            for line in lines:
                self._insert(books, line)
            self._keep("fault", faults)
            self._keep("memory", memory)
            self._delete(books, done)
            self._bury(books, dead)
            self._enforce(books, self._wall_s_for_age(lines))
            if done:
                self._name_gaps(books)
            self._keep_books(books)
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

    def _insert(self, books: Books, line: Line) -> None:
        seq = books.last_seq = books.last_seq + 1
        body = line.numbered(books.stream, seq)
        size = len(body.encode())
        at_s = self._stamper.clock.wall_s() if line.synced else None
        self._writes.execute(
            "INSERT INTO rows VALUES(?,?,?,?,?,?,?,?)",
            (seq, line.klass, line.topic, body, size, at_s, *(line.names or (None, None))),
        )
        books.count(line.klass, 1, size)

    def _delete(self, books: Books, seqs: Iterable[int]) -> None:
        for seq in seqs:
            gone = self._writes.execute(
                "DELETE FROM rows WHERE seq=? RETURNING klass, bytes", (seq,)
            ).fetchone()
            if gone is not None:  # a full outbox may have dropped it before its acknowledgement came
                books.count(gone[0], -1, -gone[1])

    def _bury(self, books: Books, dead: Mapping[int, str]) -> None:
        for seq, reason in dead.items():
            row = self._writes.execute(
                "DELETE FROM rows WHERE seq=? RETURNING klass, bytes, topic, body, names_from, names_to",
                (seq,),
            ).fetchone()
            if row is None:
                continue
            klass, size, topic, body, names_from, names_to = row
            books.count(klass, -1, -size)
            books.dead_letters += 1
            if names_from is not None:  # what only names missing numbers is named again, not put away
                books.miss(names_from, names_to)
                books.miss(seq, seq)
                continue
            self._writes.execute("INSERT OR REPLACE INTO dead VALUES(?,?,?,?)", (seq, topic, body, reason))
            event = AgentEvent(agent="dead_letter", detail=reason, seq_of=seq)
            self._insert(books, make_line("event", self._stamper.stamp(event), names=(seq, seq)))
        if dead:
            self._writes.execute(
                "DELETE FROM dead WHERE seq NOT IN (SELECT seq FROM dead ORDER BY seq DESC LIMIT ?)",
                (DEAD_LETTERS_KEPT,),
            )

    def _wall_s_for_age(self, lines: Sequence[Line]) -> float | None:
        """Now, if age is due to be looked at. It counts only between two moments of a trusted clock."""
        now_s = self._stamper.clock.monotonic_s()
        if now_s < self._age_due_s or not any(line.synced for line in lines):
            return None
        self._age_due_s = now_s + AGE_EVERY_S
        return self._stamper.clock.wall_s()

    def _enforce(self, books: Books, wall_s: float | None) -> None:
        """Drop the oldest of a class until it fits."""
        for klass, limits in self._limits.items():
            if wall_s is None and books.of(klass).within(limits):
                continue
            too_old_s = float("-inf") if wall_s is None else wall_s - limits.age_s
            oldest = self._writes.execute(
                "SELECT seq, bytes, at_s, names_from, names_to FROM rows WHERE klass=? ORDER BY seq", (klass,)
            )
            dropped = []
            for seq, size, at_s, names_from, names_to in oldest:
                aged = at_s is not None and at_s < too_old_s
                if not aged and books.of(klass).within(limits):
                    break
                dropped.append((seq,))
                books.count(klass, -1, -size)
                books.miss(seq, seq)
                if names_from is not None:
                    books.miss(names_from, names_to)
            oldest.close()
            self._writes.executemany("DELETE FROM rows WHERE seq=?", dropped)

    def _name_gaps(self, books: Books) -> None:
        """An event for each gap, as far as there is room: naming must never drop anything."""
        limits = self._limits["event"]
        while books.gaps:
            first, last = books.gaps[0]
            body = Dropped(from_seq=first, to_seq=last, count=last - first + 1)
            line = make_line("event", self._stamper.stamp(body), names=(first, last))
            size = len(line.numbered(books.stream, books.last_seq + 1))
            if not books.of("event").plus(1, size).within(limits):
                return
            books.gaps.pop(0)
            self._insert(books, line)

    def _keep(self, kind: str, values: Mapping[str, str | None]) -> None:
        for key, text in values.items():
            if text is None:
                self._writes.execute("DELETE FROM kept WHERE kind=? AND key=?", (kind, key))
            else:
                self._writes.execute("INSERT OR REPLACE INTO kept VALUES(?,?,?)", (kind, key, text))

    def _keep_books(self, books: Books) -> None:
        old = self._books
        numbers = {"last_seq": (old.last_seq, books.last_seq), "dead": (old.dead_letters, books.dead_letters)}
        self._keep("books", {key: str(new) for key, (was, new) in numbers.items() if new != was})
        if books.gaps != old.gaps:
            self._writes.execute("DELETE FROM gaps")
            self._writes.executemany("INSERT INTO gaps VALUES(?,?)", books.gaps)

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

    def _let_go(self) -> None:
        while self._connections:
            self._connections.pop().close()

    def _load(self) -> None:
        kept: dict[str, dict[str, str]] = {"books": {}, "fault": {}, "memory": {}}
        for kind, key, value in self._writes.execute("SELECT kind, key, value FROM kept"):
            kept[kind][key] = value
        stream = kept["books"].get("stream")
        if stream is None:
            stream = new_id()
            self._keep("books", {"stream": stream})
        used = self._writes.execute("SELECT klass, count(*), sum(bytes) FROM rows GROUP BY klass").fetchall()
        self._books = Books(
            stream=stream,
            last_seq=int(kept["books"].get("last_seq", "0")),
            dead_letters=int(kept["books"].get("dead", "0")),
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
