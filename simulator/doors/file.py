"""A file that always holds the last whole thing the device said, replaced in one step. Unplugged: removed."""

from __future__ import annotations

import os
from pathlib import Path

from simulator.doors.door import DoorError, Inside


class FileDoor:
    """`simulator.doors.door.Door` for `file:`; nothing comes in through it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = b""
        self._plugged = True

    def open(self, inside: Inside, now_s: float) -> None:  # noqa: ARG002 - a file has no inward side
        if not os.access(self._path.parent, os.W_OK):
            raise DoorError(f"file:{self._path}: its folder cannot be written; choose another path")

    def address(self) -> str:
        return f"file:{self._path}"

    def follow(self, *, plugged: bool, powered: bool, now_s: float) -> None:  # noqa: ARG002
        if plugged == self._plugged:
            return
        self._plugged = plugged
        if plugged:
            self._write()
        else:
            self._path.unlink(missing_ok=True)

    def put(self, data: bytes, now_s: float) -> None:  # noqa: ARG002
        self._last = data
        self._write()

    def _write(self) -> None:
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        beside.write_bytes(self._last)
        beside.replace(self._path)

    def tick(self, now_s: float) -> None:
        """Nothing is ever due here."""

    def next_s(self, now_s: float) -> None:  # noqa: ARG002
        return None

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
