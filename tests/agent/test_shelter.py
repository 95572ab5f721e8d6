"""The outbox's shelter: the disk takes no writes at the start, and what happens when it does again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from agent.messages import AgentEvent, Stamper
from agent.outbox import shelter
from agent.outbox.outbox import Batch, Outbox
from agent.outbox.storage import StorageBusy, StorageError, StorageFull
from tests.clock import TurnedClock

STAMPER = Stamper(site="", boot="b", clock=TurnedClock(), up_s=lambda: 1.0, synced=lambda: True)


class Disk:
    """A real folder that can be made to refuse what is opened for writing."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "state" / "outbox.sqlite"
        self.shelter = folder / "run" / "outbox.sqlite"
        self.refuses: StorageError | None = None

        def opened(path: Path, **rest: object) -> Outbox:
            if self.refuses and path == self.path:
                raise self.refuses
            return Outbox(path, **rest)  # type: ignore[arg-type]

        monkeypatch.setattr(shelter, "Outbox", opened)

    def open(self) -> tuple[Outbox, StorageError | None]:
        return shelter.open_outbox(self.path, self.shelter, stamper=STAMPER)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(tmp_path, monkeypatch)


def event(outbox: Outbox, detail: str) -> Batch:
    return Batch([outbox.event(AgentEvent(agent="storage_failed", detail=detail))])


def test_a_disk_that_works_is_used(disk: Disk) -> None:
    outbox, why = disk.open()
    with closing(outbox):
        assert why is None
    assert disk.path.exists()
    assert not disk.shelter.exists()


def test_what_was_open_goes_on_in_the_shelter_and_back(disk: Disk) -> None:
    outbox, _ = disk.open()
    with closing(outbox):
        outbox.commit(Batch(faults={"receipt/paper_end": {"n": 1}, "receipt/cover_open": 2}, memory={"m": 3}))
        stream = outbox.stream
    disk.refuses = StorageError("read-only")
    outbox, why = disk.open()
    with closing(outbox):
        assert why is disk.refuses
        assert outbox.faults() == {"receipt/paper_end": {"n": 1}, "receipt/cover_open": 2}
        assert outbox.memory()["m"] == 3
        assert outbox.stream != stream
        outbox.commit(event(outbox, "told in the shelter"))
        outbox.commit(Batch(faults={"receipt/cover_open": None}, memory={"m": 4}))
        (waiting,) = outbox.head(0, 10)
        assert not shelter.works(disk.path, stamper=STAMPER)
        disk.refuses = None
        assert shelter.works(disk.path, stamper=STAMPER)
    outbox, why = disk.open()
    with closing(outbox):
        assert why is None
        assert not list(disk.shelter.parent.iterdir())
        assert outbox.stream == stream
        assert outbox.faults() == {"receipt/paper_end": {"n": 1}}
        assert outbox.memory()["m"] == 4
        (moved,) = outbox.head(0, 10)
        assert (
            moved.payload.split('"detail"')[0] == waiting.payload.split('"detail"')[0]
        )  # id and time are kept
        assert "told in the shelter" in moved.payload


def test_a_shelter_that_is_in_use_keeps_what_it_has(disk: Disk) -> None:
    disk.refuses = StorageError("read-only")
    outbox, _ = disk.open()
    with closing(outbox):
        outbox.commit(Batch(faults={"f": 1}))
    outbox, _ = disk.open()
    with closing(outbox):
        assert outbox.faults() == {"f": 1}


def test_what_cannot_be_moved_yet_stays_in_the_shelter(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.refuses = StorageError("read-only")
    outbox, _ = disk.open()
    with closing(outbox):
        outbox.commit(event(outbox, "told in the shelter"))
    disk.refuses = None
    full = StorageFull("opens, and takes no writes")

    class Full(Outbox):
        def commit(self, batch: Batch) -> int:
            raise full

    def half_working(path: Path, **rest: object) -> Outbox:
        return (Full if path == disk.path else Outbox)(path, **rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(shelter, "Outbox", half_working)
        outbox, why = disk.open()
        with closing(outbox):
            assert why is full
            assert len(outbox.head(0, 10)) == 1
    outbox, why = disk.open()
    with closing(outbox):
        assert why is None
        assert len(outbox.head(0, 10)) == 1


def test_a_file_that_cannot_be_read_at_all_is_no_obstacle(disk: Disk) -> None:
    disk.path.parent.mkdir()
    disk.path.write_bytes(b"nonsense" * 1000)
    disk.refuses = StorageError("I/O error")
    outbox, _ = disk.open()
    with closing(outbox):
        assert outbox.faults() == {}


def test_another_daemon_is_no_reason_to_take_shelter(disk: Disk) -> None:
    outbox, _ = disk.open()
    with closing(outbox), pytest.raises(StorageBusy):
        disk.open()


def test_there_is_no_shelter_on_the_same_disk(disk: Disk) -> None:
    disk.refuses = StorageError("read-only")
    with pytest.raises(StorageError):
        shelter.open_outbox(disk.path, disk.path, stamper=STAMPER)


def test_a_folder_that_cannot_be_made_is_storage_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outbox, why = shelter.open_outbox(
        tmp_path / "file" / "outbox.sqlite", tmp_path / "run" / "outbox.sqlite", stamper=STAMPER
    )
    with closing(outbox):
        assert isinstance(why, StorageError)
