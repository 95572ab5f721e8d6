"""What one transaction of the outbox does to its tables and its books."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from agent.messages import AgentEvent, Dropped, Stamper
from agent.outbox.books import Books, Klass, Limits
from agent.outbox.rows import Line, make_line

DEAD_LETTERS_KEPT = 200


class Transaction:
    """Works on `db`, where a transaction has begun; `books` are what the books are once it is committed."""

    def __init__(
        self, db: sqlite3.Connection, before: Books, *, stamper: Stamper, limits: Mapping[Klass, Limits]
    ) -> None:
        self.books = before.copy()
        self._before = before
        self._db = db
        self._stamper = stamper
        self._limits = limits

    def insert(self, line: Line) -> None:
        books = self.books
        seq = books.last_seq = books.last_seq + 1
        body = line.numbered(books.stream, seq)
        size = len(body.encode())
        at_s = self._stamper.clock.wall_s() if line.synced else None
        self._db.execute(
            "INSERT INTO rows VALUES(?,?,?,?,?,?,?,?)",
            (seq, line.klass, line.topic, body, size, at_s, *(line.names or (None, None))),
        )
        books.count(line.klass, 1, size)

    def delete(self, seqs: Iterable[int]) -> None:
        books = self.books
        for seq in seqs:
            gone = self._db.execute("DELETE FROM rows WHERE seq=? RETURNING klass, bytes", (seq,)).fetchone()
            if gone is not None:  # a full outbox may have dropped it before its acknowledgement came
                books.count(gone[0], -1, -gone[1])

    def bury(self, dead: Mapping[int, str]) -> None:
        books = self.books
        for seq, reason in dead.items():
            row = self._db.execute(
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
            self._db.execute("INSERT OR REPLACE INTO dead VALUES(?,?,?,?)", (seq, topic, body, reason))
            event = AgentEvent(agent="dead_letter", detail=reason, seq_of=seq)
            self.insert(make_line("event", self._stamper.stamp(event), names=(seq, seq)))
        if dead:
            self._db.execute(
                "DELETE FROM dead WHERE seq NOT IN (SELECT seq FROM dead ORDER BY seq DESC LIMIT ?)",
                (DEAD_LETTERS_KEPT,),
            )

    def enforce(self, wall_s: float | None) -> None:
        """Drop the oldest of a class until it fits."""
        books = self.books
        for klass, limits in self._limits.items():
            if wall_s is None and books.of(klass).within(limits):
                continue
            too_old_s = float("-inf") if wall_s is None else wall_s - limits.age_s
            oldest = self._db.execute(
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
            self._db.executemany("DELETE FROM rows WHERE seq=?", dropped)

    def name_gaps(self) -> None:
        """An event for each gap, as far as there is room: naming must never drop anything."""
        books = self.books
        limits = self._limits["event"]
        while books.gaps:
            first, last = books.gaps[0]
            body = Dropped(from_seq=first, to_seq=last, count=last - first + 1)
            line = make_line("event", self._stamper.stamp(body), names=(first, last))
            size = len(line.numbered(books.stream, books.last_seq + 1))
            if not books.of("event").plus(1, size).within(limits):
                return
            books.gaps.pop(0)
            self.insert(line)

    def keep(self, kind: str, values: Mapping[str, str | None]) -> None:
        for key, text in values.items():
            if text is None:
                self._db.execute("DELETE FROM kept WHERE kind=? AND key=?", (kind, key))
            else:
                self._db.execute("INSERT OR REPLACE INTO kept VALUES(?,?,?)", (kind, key, text))

    def keep_books(self) -> None:
        old, books = self._before, self.books
        numbers = {"last_seq": (old.last_seq, books.last_seq), "dead": (old.dead_letters, books.dead_letters)}
        self.keep("books", {key: str(new) for key, (was, new) in numbers.items() if new != was})
        if books.gaps != old.gaps:
            self._db.execute("DELETE FROM gaps")
            self._db.executemany("INSERT INTO gaps VALUES(?,?)", books.gaps)
