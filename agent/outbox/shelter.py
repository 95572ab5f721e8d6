"""Where the outbox lives while its disk takes no writes at the start: full, read-only, not ours.

The daemon watches and reports all the same, out of a small outbox in the runtime directory, which is
memory on an installed terminal. At the first start on a disk that works, what matters moves there.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from agent.messages import Stamper
from agent.outbox import books
from agent.outbox.books import Klass, Limits
from agent.outbox.outbox import Batch, Outbox, Row
from agent.outbox.storage import StorageBusy, StorageError
from drivers.api import Json

LIMITS: Mapping[Klass, Limits] = {
    "event": Limits(rows=2_000, bytes=2_000_000, age_s=86_400.0),
    "result": Limits(rows=200, bytes=200_000, age_s=86_400.0),
}
LEFT_MOST = 10_000

log = logging.getLogger("tillwatch.outbox")


def open_outbox(path: Path, shelter: Path, *, stamper: Stamper) -> tuple[Outbox, StorageError | None]:
    """The outbox at `path`, and None; or one at `shelter`, and why. `StorageBusy` goes through.

    What an earlier run left in the shelter has moved to `path` then; a kill in between moves it twice,
    under the same ids.
    """
    if shelter == path:
        return _open(path, stamper), None
    try:
        if shelter.exists():
            _move_back(shelter, path, stamper)
        return _open(path, stamper), None
    except StorageBusy:
        raise
    except StorageError as error:
        log.warning("%s (%s); events are kept in memory only", error, error.hint)
        outbox = _open(shelter, stamper, LIMITS)
        if not outbox.last_seq and not outbox.faults():
            outbox.commit(_kept(path))
        return outbox, error


def works(path: Path, *, stamper: Stamper) -> bool:
    """Whether an outbox can be opened and written at `path` now."""
    try:
        with closing(_open(path, stamper)) as outbox:
            outbox.commit(Batch())
    except StorageError:
        return False
    return True


def _move_back(shelter: Path, path: Path, stamper: Stamper) -> None:
    """Put open faults, memory and rows not sent yet into the outbox at `path`, and end the shelter."""
    with closing(_open(path, stamper)) as outbox, closing(_open(shelter, stamper, LIMITS)) as left:
        rows = [_row(stored.topic, stored.payload) for stored in left.head(0, LEFT_MOST)]
        gone: dict[str, Json] = dict.fromkeys(outbox.faults())
        outbox.commit(Batch(rows, {**gone, **left.faults()}, left.memory()))
    for file in shelter.parent.glob(f"{shelter.name}*"):
        file.unlink()


def _open(path: Path, stamper: Stamper, limits: Mapping[Klass, Limits] = books.LIMITS) -> Outbox:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"outbox {path}: {error.strerror}") from error
    return Outbox(path, stamper=stamper, limits=limits)


def _kept(path: Path) -> Batch:
    """Open faults and memory, read from a file that cannot be written; nothing where it cannot be read."""
    kept: dict[str, dict[str, Json]] = {"fault": {}, "memory": {}}
    try:
        # Immutable: without it, SQLite wants to write even to read a file in WAL mode.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            for kind, key, value in db.execute("SELECT kind, key, value FROM kept WHERE kind != 'books'"):
                kept[kind][key] = json.loads(value)
    except (sqlite3.Error, ValueError, KeyError) as error:
        log.info("outbox %s: what was open cannot be read: %s", path, error)
    return Batch(faults=kept["fault"], memory=kept["memory"])


def _row(topic: str, payload: str) -> Row:
    """A stored row without its number; it keeps its id and its time."""
    body: dict[str, Json] = json.loads(payload)
    del body["stream"], body["seq"]
    return Row(topic, body, "event" if topic == "event" else "result")
