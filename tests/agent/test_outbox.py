from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.messages import AgentEvent, Stamper
from agent.outbox import storage
from agent.outbox.books import LIMITS, Klass, Limits
from agent.outbox.outbox import SYNC_DELAY_VARIABLE, Batch, Outbox, Row, Stored
from agent.outbox.storage import StorageBusy, StorageCorrupt, StorageError, StorageFull
from agent.outbox.transaction import Transaction
from tests.clock import TurnedClock

DAY_S = 86_400.0


class Desk:
    """An outbox that can be closed and opened again, on one turned clock."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "outbox.sqlite"
        self.clock = TurnedClock()
        self.synced = True
        self.limits: dict[Klass, Limits] = dict(LIMITS)
        self.stamper = Stamper(
            site="shop", boot="b", clock=self.clock, up_s=lambda: 1.0, synced=lambda: self.synced
        )
        self.outbox = self.open()

    def open(self, **options: Any) -> Outbox:
        self.outbox = Outbox(self.path, stamper=self.stamper, limits=self.limits, **options)
        return self.outbox

    def reopen(self) -> Outbox:
        self.outbox.close()
        return self.open()

    def row(self, detail: str = "x", klass: Klass = "event") -> Row:
        body = self.stamper.stamp(AgentEvent(agent="storage_failed", detail=detail))
        return Row("event" if klass == "event" else "result/c1", body, klass)

    def put(self, *details: str, klass: Klass = "event") -> int:
        return self.outbox.commit(Batch([self.row(detail, klass) for detail in details]))

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(row.payload) for row in self.outbox.head(0, 1000)]

    def details(self) -> list[str]:
        return [body.get("detail", body["agent"]) for body in self.bodies()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.outbox.close()


def test_numbers_are_gapless_from_one_and_survive_reopening(desk: Desk) -> None:
    assert desk.put("a", "b") == 2
    stream = desk.outbox.stream
    desk.reopen()
    assert desk.put("c") == 3
    assert [(b["stream"], b["seq"], b["detail"]) for b in desk.bodies()] == [
        (stream, 1, "a"),
        (stream, 2, "b"),
        (stream, 3, "c"),
    ]


def test_a_number_is_not_given_twice_after_everything_left(desk: Desk) -> None:
    desk.put("a", "b")
    desk.outbox.acknowledge(desk.outbox.head(0, 10))
    desk.outbox.settle()
    desk.reopen()
    assert desk.put("c") == 3
    assert desk.details() == ["c"]


def test_faults_and_memory_survive_and_none_removes(desk: Desk) -> None:
    desk.outbox.commit(Batch(faults={"a/x": {"n": 1}, "b/y": {"n": 2}}, memory={"m": [1, 2], "k": True}))
    desk.outbox.commit(Batch(faults={"a/x": None, "never/there": None}, memory={"k": None}))
    assert desk.outbox.faults() == {"b/y": {"n": 2}}
    assert desk.outbox.memory() == {"m": [1, 2]}
    again = desk.reopen()
    assert again.faults() == {"b/y": {"n": 2}}
    assert again.memory() == {"m": [1, 2]}


def test_remembering_shows_at_once_and_is_on_disk_after_the_next_transaction(desk: Desk) -> None:
    desk.outbox.remember({"k": "v"})
    assert desk.outbox.memory() == {"k": "v"}
    assert desk.outbox.notes() == 1
    desk.outbox.settle()
    assert desk.outbox.notes() == 0
    assert desk.reopen().memory() == {"k": "v"}


def test_what_is_remembered_while_a_transaction_runs_is_not_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def during(_s: float) -> None:
        desk.outbox.remember({"k": "later"})

    monkeypatch.setattr("agent.outbox.outbox.time.sleep", during)
    desk.outbox.close()
    desk.open(sync_delay_s=0.01)
    desk.outbox.remember({"k": "before"})
    desk.outbox.settle()
    assert desk.outbox.memory() == {"k": "later"}
    assert desk.outbox.notes() == 1


def test_head_leaves_out_what_is_acknowledged_but_not_deleted_yet(desk: Desk) -> None:
    desk.put("a", "b", "c", "d")
    first, second, *_ = desk.outbox.head(0, 10)
    desk.outbox.acknowledge([second])
    desk.outbox.dead_letter(first, "no")
    assert [row.seq for row in desk.outbox.head(0, 1)] == [3]
    assert [row.seq for row in desk.outbox.head(3, 10)] == [4]


def test_rows_of_another_stream_change_nothing(desk: Desk) -> None:
    desk.put("a")
    stranger = Stored("other", 1, "event", "{}")
    desk.outbox.acknowledge([stranger])
    desk.outbox.dead_letter(stranger, "no")
    assert desk.outbox.notes() == 0


def test_closing_writes_what_is_noted(desk: Desk) -> None:
    desk.put("a", "b")
    desk.outbox.acknowledge(desk.outbox.head(0, 1))
    desk.reopen()
    assert desk.details() == ["b"]


def test_listeners_hear_of_rows_and_of_notes(desk: Desk) -> None:
    heard: list[int] = []
    desk.outbox.listen(lambda: heard.append(desk.outbox.last_seq))
    desk.put("a")
    desk.outbox.acknowledge(desk.outbox.head(0, 1))
    assert heard == [1, 1]


# -- bounds --------------------------------------------------------------------------------------


def test_overflow_drops_the_oldest_and_names_them_once_somebody_listens(desk: Desk) -> None:
    desk.limits["event"] = Limits(rows=3, bytes=10**6, age_s=DAY_S)
    desk.reopen()
    for detail in "abcdef":
        desk.put(detail)
    assert desk.details() == ["d", "e", "f"]
    assert desk.outbox.view()["unnamed"] == 3
    desk.outbox.acknowledge(desk.outbox.head(0, 1))
    desk.outbox.settle()
    names = desk.bodies()[-1]
    assert (names["agent"], names["from_seq"], names["to_seq"], names["count"], names["seq"]) == (
        "dropped",
        1,
        3,
        3,
        7,
    )
    assert desk.outbox.view()["unnamed"] == 0


def test_naming_waits_for_room_and_survives_reopening(desk: Desk) -> None:
    desk.limits["event"] = Limits(rows=1, bytes=10**6, age_s=DAY_S)
    desk.reopen()
    desk.put("a")
    desk.put("b")
    desk.outbox.acknowledge([Stored(desk.outbox.stream, 1, "event", "")])  # gone already: no room yet
    desk.outbox.settle()
    assert desk.details() == ["b"]
    desk.reopen()
    desk.outbox.acknowledge(desk.outbox.head(0, 1))
    desk.outbox.settle()
    assert [(b["from_seq"], b["to_seq"]) for b in desk.bodies()] == [(1, 1)]


def test_a_dropped_name_gives_its_numbers_back(desk: Desk) -> None:
    desk.limits["event"] = Limits(rows=2, bytes=10**6, age_s=DAY_S)
    desk.reopen()
    for detail in "abc":
        desk.put(detail)
    desk.outbox.acknowledge(desk.outbox.head(0, 1))
    desk.outbox.settle()  # b left; c and the name of a remain
    desk.put("d", "e")  # both of these, and the name, make way
    desk.outbox.acknowledge(desk.outbox.head(0, 2))
    desk.outbox.settle()
    named = [(b["from_seq"], b["to_seq"]) for b in desk.bodies() if b["agent"] == "dropped"]
    assert named == [(1, 1), (3, 4)]


def test_bytes_are_a_bound_too(desk: Desk) -> None:
    size = len(desk.outbox.head(0, 1)[0].payload) if desk.put("a") else 0
    desk.limits["event"] = Limits(rows=100, bytes=2 * size + 10, age_s=DAY_S)
    desk.reopen()
    desk.put("b")
    desk.put("c")
    assert desk.details() == ["b", "c"]


def test_results_have_a_quota_of_their_own(desk: Desk) -> None:
    desk.limits["event"] = Limits(rows=1, bytes=10**6, age_s=DAY_S)
    desk.reopen()
    desk.put("r", klass="result")
    for detail in "abc":
        desk.put(detail)
    assert desk.details() == ["r", "c"]
    assert [row.topic for row in desk.outbox.head(0, 9)] == ["result/c1", "event"]


def test_age_counts_between_trusted_moments_only(desk: Desk) -> None:
    desk.limits["event"] = Limits(rows=100, bytes=10**6, age_s=DAY_S)
    desk.synced = False
    desk.reopen()
    desk.put("nobody knows when")
    desk.clock.step_wall(40 * 365 * DAY_S)
    desk.synced = True
    desk.put("old")
    assert desk.details() == ["nobody knows when", "old"]
    desk.outbox.acknowledge(desk.outbox.head(0, 1))
    desk.clock.advance(DAY_S + 1)
    desk.synced = False
    desk.put("clock lost")
    assert desk.details() == ["old", "clock lost"]
    desk.synced = True
    desk.put("new")
    assert [b["detail"] for b in desk.bodies() if "detail" in b] == ["clock lost", "new"]


# -- dead letters --------------------------------------------------------------------------------


def test_a_dead_letter_is_put_away_and_named(desk: Desk) -> None:
    desk.put("poison", "good")
    desk.outbox.dead_letter(desk.outbox.head(0, 1)[0], "refused")
    desk.outbox.settle()
    good, name = desk.bodies()
    assert good["detail"] == "good"
    assert (name["agent"], name["detail"], name["seq_of"]) == ("dead_letter", "refused", 1)
    assert desk.outbox.view()["dead_letters"] == 1
    desk.reopen()
    assert desk.outbox.view()["dead_letters"] == 1


def test_a_dead_letter_that_named_one_does_not_start_a_chain(desk: Desk) -> None:
    desk.put("poison", "good")
    desk.outbox.dead_letter(desk.outbox.head(0, 1)[0], "refused")
    desk.outbox.settle()
    desk.outbox.dead_letter(desk.outbox.head(2, 1)[0], "refused too")
    desk.outbox.settle()
    assert desk.details() == ["good"]
    assert desk.outbox.view()["unnamed"] == 2
    desk.outbox.acknowledge(desk.outbox.head(0, 1))
    desk.outbox.settle()
    assert [(b["from_seq"], b["to_seq"]) for b in desk.bodies()] == [(1, 1), (3, 3)]


def test_a_dead_letter_that_is_gone_already_is_no_event(desk: Desk) -> None:
    desk.put("a")
    row = desk.outbox.head(0, 1)[0]
    desk.outbox.acknowledge([row])
    desk.outbox.settle()
    desk.outbox.dead_letter(row, "late")
    desk.outbox.settle()
    assert desk.bodies() == []


def test_only_the_latest_dead_letters_are_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.outbox.transaction.DEAD_LETTERS_KEPT", 2)
    desk.put("a", "b", "c")
    for row in desk.outbox.head(0, 3):
        desk.outbox.dead_letter(row, "no")
    desk.outbox.settle()
    with closing(sqlite3.connect(desk.path)) as db:
        assert db.execute("SELECT seq FROM dead").fetchall() == [(2,), (3,)]


# -- the file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rubbish", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_file_that_is_no_database_is_moved_aside(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / "outbox.sqlite").write_bytes(rubbish)
    desk = Desk(tmp_path)
    with closing(desk.outbox):
        (body,) = desk.bodies()
        assert (body["agent"], body["seq"]) == ("outbox_moved_aside", 1)
        assert (tmp_path / "outbox.sqlite.corrupt").read_bytes() == rubbish


def test_a_database_of_another_version_is_moved_aside(desk: Desk) -> None:
    stream = desk.outbox.stream
    desk.outbox.close()
    with closing(sqlite3.connect(desk.path)) as db:
        db.execute("PRAGMA user_version = 99")
    desk.open()
    assert desk.outbox.stream != stream
    assert "another version" in desk.bodies()[0]["detail"]


def test_a_damaged_page_is_found_at_opening(desk: Desk) -> None:
    desk.put(*("x" * 3000 for _ in range(20)))
    desk.outbox.close()
    raw = bytearray(desk.path.read_bytes())
    raw[4096 * 2 : 4096 * 4] = b"\xa5" * 8192
    desk.path.write_bytes(raw)
    desk.open()
    assert desk.details()[0].startswith("outbox ")
    assert len(list(desk.path.parent.glob("*.corrupt*"))) == 1


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE kept SET value='{\"a' WHERE kind='fault'",
        "UPDATE kept SET value=x'00' WHERE kind='memory'",
        "UPDATE kept SET value='1w' WHERE key='last_seq'",
        "UPDATE kept SET kind='fbult' WHERE kind='fault'",
    ],
)
def test_a_bit_that_tipped_in_what_is_kept_starts_a_new_stream(desk: Desk, damage: str) -> None:
    desk.outbox.commit(Batch([desk.row("lost")], faults={"f": {"a": 1}}, memory={"m": 2}))
    desk.outbox.close()
    with closing(sqlite3.connect(desk.path)) as db, db:
        assert db.execute(damage).rowcount == 1
    desk.open()
    assert desk.outbox.faults() == {}
    assert "cannot be read" in desk.details()[0]


def test_what_is_no_character_does_not_stop_a_row(desk: Desk) -> None:
    desk.put("name \udcff, 纸")
    assert desk.details() == ["name ?, 纸"]


def corrupt_once(desk: Desk, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    """The next inserts find the file malformed, as a worn flash would have it."""
    real, left = Transaction.insert, [times]

    def insert(self: Transaction, *args: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise StorageCorrupt("database disk image is malformed")
        real(self, *args)

    monkeypatch.setattr(Transaction, "insert", insert)


def test_damage_while_running_starts_a_new_stream_and_keeps_what_is_known(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.outbox.commit(Batch([desk.row("lost")], faults={"f": 1}, memory={"m": 2}))
    old = desk.outbox.head(0, 1)
    stream = desk.outbox.stream
    corrupt_once(desk, monkeypatch)
    assert desk.put("kept") == 2
    assert desk.outbox.stream != stream
    assert [b["agent"] for b in desk.bodies()] == ["outbox_moved_aside", "storage_failed"]
    desk.outbox.acknowledge(old)  # an answer for the old stream must not delete from the new one
    desk.outbox.settle()
    assert len(desk.bodies()) == 2
    desk.reopen()
    assert (desk.outbox.faults(), desk.outbox.memory()) == ({"f": 1}, {"m": 2})


def test_a_new_stream_that_cannot_begin_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.outbox.commit(Batch(faults={"f": 1}))
    corrupt_once(desk, monkeypatch)
    with monkeypatch.context() as broken:

        def refuse(_path: Path) -> Path:
            raise StorageError("read-only file system")

        broken.setattr(storage, "move_aside", refuse)
        with pytest.raises(StorageError, match="read-only"):
            desk.put("a")
    with pytest.raises(StorageError):
        desk.outbox.head(0, 1)
    desk.put("b")
    assert [b["agent"] for b in desk.bodies()] == ["outbox_moved_aside", "storage_failed"]
    assert desk.outbox.faults() == {"f": 1}


def test_a_new_stream_whose_first_event_does_not_fit_is_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.outbox.commit(Batch(faults={"f": 1}))
    corrupt_once(desk, monkeypatch, times=2)
    with pytest.raises(StorageCorrupt):
        desk.put("a")
    desk.put("b")
    assert [b["agent"] for b in desk.bodies()] == ["outbox_moved_aside", "storage_failed"]
    assert desk.outbox.faults() == {"f": 1}


def test_a_second_daemon_is_told_so(desk: Desk) -> None:
    with pytest.raises(StorageBusy, match="another daemon uses it") as caught:
        Outbox(desk.path, stamper=desk.stamper)
    assert "state_dir" in caught.value.hint
    desk.reopen()


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        Desk(tmp_path / "missing")


def test_a_database_that_cannot_be_opened_gives_the_lock_back(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").mkdir()
    with pytest.raises(StorageError, match="unable to open"):
        Desk(tmp_path)
    (tmp_path / "outbox.sqlite").rmdir()
    Desk(tmp_path).outbox.close()


def test_failing_to_load_is_a_storage_error(desk: Desk) -> None:
    desk.outbox.close()
    with closing(sqlite3.connect(desk.path)) as db:
        db.execute("DROP TABLE kept")
    with pytest.raises(StorageError, match="no such table"):
        desk.open()


def test_a_file_that_cannot_be_moved_aside_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"rubbish" * 1000)
    path.with_name("outbox.sqlite.corrupt").mkdir()
    with pytest.raises(StorageError, match="cannot move it aside"):
        Desk(tmp_path)


def test_a_full_disk_changes_nothing_and_is_over_when_there_is_room(desk: Desk) -> None:
    desk.put("a")
    pages = desk.outbox._writes.execute("PRAGMA page_count").fetchone()[0]
    desk.outbox._writes.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageFull, match="full"):
        desk.put("b" * 50_000)
    assert (desk.outbox.last_seq, desk.details()) == (1, ["a"])
    desk.outbox._writes.execute("PRAGMA max_page_count=100000")
    assert desk.put("c") == 2


def test_what_is_not_json_fails_before_the_transaction(desk: Desk) -> None:
    bad: Any = object()
    with pytest.raises(TypeError):
        desk.outbox.commit(Batch([Row("event", {"x": bad})]))
    assert desk.put("a") == 1


def test_a_mistake_of_ours_rolls_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Transaction, "enforce", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            desk.put("a")
    assert desk.put("b") == 1


def test_reading_during_a_slow_commit_does_not_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.outbox.close()
    monkeypatch.setenv(SYNC_DELAY_VARIABLE, "0.25")
    desk.open()
    syncing, seen = threading.Event(), []

    def sleep(_s: float) -> None:
        syncing.set()
        seen.append(len(desk.outbox.head(0, 10)))

    monkeypatch.setattr("agent.outbox.outbox.time.sleep", sleep)
    desk.put("a")
    assert syncing.is_set()
    assert seen == [0]  # nobody reads what is not on disk
    assert len(desk.outbox.head(0, 10)) == 1
