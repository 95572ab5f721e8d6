"""Whatever happens to it, an outbox accounts for every number it ever gave."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.messages import AgentEvent, Stamper
from agent.outbox.books import Klass, Limits
from agent.outbox.outbox import Batch, Outbox, Row, Stored
from tests.clock import TurnedClock

LIMITS: dict[Klass, Limits] = {
    "event": Limits(rows=5, bytes=2500, age_s=1000.0),
    "result": Limits(rows=2, bytes=1000, age_s=1000.0),
}


class OutboxMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = TurnedClock()
        self.stamper = Stamper(site="s", boot="b", clock=self.clock, up_s=lambda: 0.0, synced=lambda: True)
        self.accounted: set[int] = set()
        self.ids: dict[int, str] = {}
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.folder / "o", stamper=self.stamper, limits=LIMITS)

    def teardown(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.folder)

    @rule(n=st.integers(1, 4), klass=st.sampled_from(["event", "result"]), size=st.integers(0, 400))
    def commit(self, n: int, klass: Klass, size: int) -> None:
        before = self.outbox.last_seq
        body = self.stamper.stamp(AgentEvent(agent="storage_failed", detail="x" * size))
        self.outbox.commit(Batch([Row("event", body, klass) for _ in range(n)]))
        assert self.outbox.last_seq >= before + n

    @rule(which=st.integers(0, 6), count=st.integers(1, 3))
    def deliver(self, which: int, count: int) -> None:
        rows = self.outbox.head(0, 50)[which : which + count]
        for row in rows:
            self.account(row)
        self.outbox.acknowledge(rows)

    def account(self, row: Stored) -> None:
        body = json.loads(row.payload)
        assert body["seq"] == row.seq
        assert row.seq not in self.accounted or self.ids[row.seq] == body["id"]
        self.ids[row.seq] = body["id"]
        self.accounted |= {row.seq, *named(body)}

    @rule(which=st.integers(0, 6))
    def bury(self, which: int) -> None:
        for row in self.outbox.head(0, 50)[which : which + 1]:
            self.outbox.dead_letter(row, "no")

    @rule()
    def settle(self) -> None:
        self.outbox.settle()

    @rule(seconds=st.sampled_from([1.0, 700.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def reopen(self) -> None:
        self.outbox.close()
        self.open()

    @rule()
    def crash(self) -> None:
        """What is not written is forgotten, as by SIGKILL."""
        self.outbox._let_go()
        self.outbox._lock_file.close()
        self.open()

    @invariant()
    def every_number_is_accounted_for(self) -> None:
        rows = self.outbox._reads.execute("SELECT seq, body FROM rows").fetchall()
        stored = {number for seq, body in rows for number in (seq, *named(json.loads(body)))}
        missing = {n for first, last in self.outbox._books.gaps for n in range(first, last + 1)}
        assert self.accounted | stored | missing >= set(range(1, self.outbox.last_seq + 1))

    @invariant()
    def bounds_hold(self) -> None:
        held = self.outbox._reads.execute(
            "SELECT klass, count(*), sum(bytes) FROM rows GROUP BY klass"
        ).fetchall()
        for klass, rows, size in held:
            assert rows <= LIMITS[klass].rows
            assert size <= LIMITS[klass].bytes
            assert (rows, size) == (self.outbox._books.of(klass).rows, self.outbox._books.of(klass).bytes)


def named(body: dict[str, object]) -> set[int]:
    match body:
        case {"agent": "dropped", "from_seq": int(first), "to_seq": int(last)}:
            return set(range(first, last + 1))
        case {"agent": "dead_letter", "seq_of": int(seq)}:
            return {seq}
    return set()


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
