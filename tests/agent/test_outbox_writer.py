from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.messages import AgentEvent, Stamper
from agent.outbox.outbox import Batch, Outbox, Prepared, Row
from agent.outbox.storage import StorageError, StorageFull
from agent.outbox.writer import Writer
from tests.clock import TurnedClock

SOON_S = 5.0


class Fragile(Outbox):
    """An outbox whose disk can be made to fail, or to take its time."""

    def __init__(self, path: Path) -> None:
        self.failure: StorageError | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.groups: list[int] = []
        clock = TurnedClock()
        super().__init__(
            path, stamper=Stamper(site="", boot="", clock=clock, up_s=lambda: 0.0, synced=lambda: True)
        )

    def commit_all(self, batches: Sequence[Prepared]) -> int:
        self.entered.set()
        assert self.gate.wait(SOON_S)
        self._fail()
        self.groups.append(len(batches))
        return super().commit_all(batches)

    def settle(self) -> None:
        self._fail()
        super().settle()

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    def row(self, detail: str) -> Row:
        return self.event(AgentEvent(agent="storage_failed", detail=detail))

    def details(self) -> list[str]:
        return [json.loads(r.payload)["detail"] for r in self.head(0, 1000)]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Fragile]:
    outbox = Fragile(tmp_path / "o.sqlite")
    yield outbox
    outbox.failure = None
    outbox.close()


@pytest.fixture
def make(outbox: Fragile) -> Iterator[Callable[..., Writer]]:
    made: list[Writer] = []

    def make(**options: Any) -> Writer:
        writer = Writer(outbox, settle_s=0.01, retry_s=(0.01,), **options)
        made.append(writer)
        writer.start()
        return writer

    yield make
    outbox.failure = None
    outbox.gate.set()
    for writer in made:
        writer.stop()


def until(condition: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < ends_s, "it did not happen"
        threading.Event().wait(0.002)


def test_what_waits_goes_into_one_transaction(outbox: Fragile, make: Callable[..., Writer]) -> None:
    writer = make()
    outbox.gate.clear()
    heard: list[tuple[str, int]] = []
    writer.submit(Batch([outbox.row("first")]), lambda n: heard.append(("first", n)))
    assert outbox.entered.wait(SOON_S)
    for name in ("second", "third", "fourth"):
        writer.submit(Batch([outbox.row(name)]), lambda n, name=name: heard.append((name, n)))  # type: ignore[misc]
    outbox.gate.set()
    assert writer.stop()
    assert outbox.groups == [1, 3]
    assert outbox.details() == ["first", "second", "third", "fourth"]
    assert heard == [("first", 1), ("second", 4), ("third", 4), ("fourth", 4)]


def test_acknowledged_rows_are_deleted_when_idle(outbox: Fragile, make: Callable[..., Writer]) -> None:
    writer = make()
    writer.submit(Batch([outbox.row("a")]))
    until(lambda: outbox.last_seq == 1)
    outbox.acknowledge(outbox.head(0, 1))
    until(lambda: outbox.notes() == 0)
    assert outbox.view()["waiting"] == 0
    assert writer.stop()


def test_many_notes_are_written_without_waiting(outbox: Fragile) -> None:
    writer = Writer(outbox, settle_s=3600.0)
    writer.start()
    outbox.remember({f"k{n}": n for n in range(300)})
    until(lambda: outbox.notes() == 0)
    assert writer.stop()


def test_stopping_writes_what_is_noted_and_a_writer_never_started_stops(outbox: Fragile) -> None:
    writer = Writer(outbox, settle_s=3600.0)
    assert writer.stop()
    outbox.remember({"k": 1})
    writer = Writer(outbox, settle_s=3600.0)
    writer.start()
    assert writer.stop()
    assert outbox.notes() == 0


def test_what_is_not_json_is_the_callers_trouble(outbox: Fragile, make: Callable[..., Writer]) -> None:
    writer = make()
    bad: Any = {1, 2}
    with pytest.raises(TypeError):
        writer.submit(Batch(memory={"k": bad}))
    writer.submit(Batch([outbox.row("fine")]))
    assert writer.stop()
    assert outbox.details() == ["fine"]


def test_a_follower_that_fails_does_not_stop_the_writer(
    outbox: Fragile, make: Callable[..., Writer], caplog: pytest.LogCaptureFixture
) -> None:
    writer = make()
    writer.submit(Batch([outbox.row("a")]), lambda _n: 1 // 0)  # type: ignore[arg-type]
    writer.submit(Batch([outbox.row("b")]))
    assert writer.stop()
    assert outbox.details() == ["a", "b"]
    assert "what should follow a commit failed" in caplog.text


def test_trouble_is_survived_told_once_and_recorded(
    outbox: Fragile, make: Callable[..., Writer], caplog: pytest.LogCaptureFixture
) -> None:
    followed: list[str] = []
    writer = make()
    outbox.failure = StorageFull("disk full")
    writer.submit(Batch([outbox.row("a")]), lambda _n: followed.append("a"))
    until(lambda: followed == ["a"])  # the state it explains goes out although it cannot be stored
    writer.submit(Batch([outbox.row("b")]), lambda _n: followed.append("b"))
    assert followed == ["a", "b"]
    assert writer.trouble == "storage_full"
    outbox.failure = None
    until(lambda: writer.trouble is None)
    assert writer.stop()
    assert outbox.details() == ["storage_full", "a", "b", "nothing lost"]
    assert followed == ["a", "b"]
    assert [r.levelname for r in caplog.records] == ["ERROR", "WARNING"]


def test_in_trouble_too_what_follows_keeps_its_order(outbox: Fragile, make: Callable[..., Writer]) -> None:
    followed: list[str] = []
    running, slow = threading.Event(), threading.Event()

    def first(_n: int) -> None:
        running.set()
        assert slow.wait(SOON_S)
        followed.append("old")

    writer = make()
    outbox.failure = StorageFull("disk full")
    writer.submit(Batch([outbox.row("a")]), first)
    assert running.wait(SOON_S)
    second = threading.Thread(
        target=writer.submit, args=(Batch([outbox.row("b")]), lambda _n: followed.append("new"))
    )
    second.start()
    second.join(0.1)
    slow.set()
    second.join(SOON_S)
    until(lambda: len(followed) == 2)
    assert followed == ["old", "new"]


def test_a_mistake_while_writing_does_not_stop_the_writer(
    outbox: Fragile, make: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_batches: Sequence[Prepared]) -> int:
        monkeypatch.undo()
        raise RuntimeError("a mistake")

    writer = make()
    monkeypatch.setattr(outbox, "commit_all", broken)
    writer.submit(Batch([outbox.row("a")]))
    until(lambda: len(outbox.details()) == 3)
    assert writer.stop()
    assert outbox.details() == ["storage_failed", "a", "nothing lost"]


def test_a_long_trouble_costs_rows_but_no_fault(outbox: Fragile, make: Callable[..., Writer]) -> None:
    writer = make(waiting_most=2)
    outbox.gate.clear()
    writer.submit(Batch([outbox.row("in hand")]))
    assert outbox.entered.wait(SOON_S)
    for n in range(4):
        writer.submit(Batch([outbox.row(str(n))], faults={f"f{n}": n, "same": n}, memory={"m": n}))
    outbox.failure = StorageError("I/O error")
    outbox.gate.set()
    until(lambda: writer.trouble == "storage_failed")
    outbox.failure = None
    until(lambda: writer.trouble is None)
    assert writer.stop()
    assert outbox.details() == ["storage_failed", "in hand", "2", "3", "rows lost"]
    assert outbox.faults() == {"f0": 0, "f1": 1, "f2": 2, "f3": 3, "same": 3}
    assert outbox.memory() == {"m": 3}


def test_stopping_in_trouble_tries_once_more_and_says_what_is_left(
    outbox: Fragile, make: Callable[..., Writer], caplog: pytest.LogCaptureFixture
) -> None:
    writer = make()
    outbox.failure = StorageError("I/O error")
    writer.submit(Batch([outbox.row("a")]))
    until(lambda: writer._failures > 0)
    assert not writer.stop()
    assert "could not be stored before the end" in caplog.text
