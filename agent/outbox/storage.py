"""The outbox's file: locked, opened, checked; a broken one moved aside. And what can go wrong with it."""

from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path
from typing import IO

from drivers.errors import TillwatchError

VERSION = 1
ASIDE = ".corrupt"

SCHEMA = f"""
BEGIN;
CREATE TABLE rows(
    seq INTEGER PRIMARY KEY, klass TEXT NOT NULL, topic TEXT NOT NULL, body TEXT NOT NULL,
    bytes INTEGER NOT NULL, at_s REAL, names_from INTEGER, names_to INTEGER);
CREATE TABLE dead(seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, body TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE gaps(from_seq INTEGER PRIMARY KEY, to_seq INTEGER NOT NULL);
CREATE TABLE kept(kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""
"""`rows.at_s` is null where the clock was not to be trusted; `names_*` are missing numbers a row names."""


class StorageError(TillwatchError):
    """The outbox cannot be read or written now; later it may."""

    code = "storage_failed"
    hint = "check the disk below state_dir: mounted read-write, owned by the service's user, healthy"


class StorageFull(StorageError):
    code = "storage_full"
    hint = "free space on the disk that holds state_dir"


class StorageBusy(StorageError):
    code = "storage_busy"
    hint = "stop the other daemon, or give this one a state_dir of its own"


class StorageCorrupt(StorageError):
    code = "storage_corrupt"
    hint = "the broken file is kept beside the new one for inspection; check the disk's health"


_BY_PRIMARY_CODE: dict[int, type[StorageError]] = {
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_CORRUPT: StorageCorrupt,
    sqlite3.SQLITE_NOTADB: StorageCorrupt,
    sqlite3.SQLITE_BUSY: StorageBusy,
}


def translate(error: sqlite3.Error, path: Path) -> StorageError:
    """SQLite's word for it, in ours (result codes: sqlite.org/rescode.html)."""
    primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return _BY_PRIMARY_CODE.get(primary, StorageError)(f"outbox {path}: {error}")


def lock(path: Path) -> IO[bytes]:
    """Hold the outbox for this process until the returned file is closed."""
    try:
        held = path.with_name(path.name + ".lock").open("ab")
    except OSError as error:
        raise StorageError(f"outbox {path}: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise StorageBusy(f"outbox {path}: another daemon uses it") from error
    return held


def connect(path: Path) -> sqlite3.Connection:
    """A connection with explicit transactions, small enough for the memory budget."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=32)
    db.execute("PRAGMA cache_size=-256")
    return db


def open_checked(path: Path) -> sqlite3.Connection:
    """The writing connection, WAL on, its file found sound; raises `StorageCorrupt` where it is not."""
    try:
        db = connect(path)
        try:
            _check(db, path)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA wal_autocheckpoint=500")
            db.execute("PRAGMA journal_size_limit=1048576")
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise translate(error, path) from error
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StorageCorrupt(f"outbox {path}: {found}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(SCHEMA)
    elif version != VERSION:
        raise StorageCorrupt(f"outbox {path}: written by another version ({version}) of this program")


def move_aside(path: Path) -> Path:
    """Put a broken file out of the way; only the latest one is kept."""
    aside = path.with_name(path.name + ASIDE)
    try:
        for suffix in ("-wal", ""):
            source = path.with_name(path.name + suffix)
            if source.exists():
                source.replace(aside.with_name(aside.name + suffix))
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"outbox {path}: cannot move it aside: {error.strerror}") from error
    return aside
