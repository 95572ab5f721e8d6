"""What must outlive a worker: a page of counts for each device, shared by supervisor and workers.

It lies in a file, so that it outlives the supervisor too, up to the next boot: bytes that a killed process
had taken from the till are told as lost. Nothing is printed from it; no byte of the till's is in it.
"""

from __future__ import annotations

import enum
import fcntl
import mmap
import os
import time
from pathlib import Path

from drivers.errors import HeldByOther

LOCK_S = 2.0  #: a process that was killed a moment ago still holds the lock
_AGAIN_S = 0.05
_MAGIC = 0x7469_6C6C_0001
_PAGE = 4096


class Slot(enum.IntEnum):
    """One 64-bit number each."""

    MAGIC = 0
    RUNNING = enum.auto()  #: a worker runs, or broke off
    BEAT_NS = enum.auto()  #: monotonic, of the lane's last turn
    RESTARTS = enum.auto()
    LOST_BYTES = enum.auto()
    HOLDING = enum.auto()  #: bytes taken from the till and not written to the device yet
    TAKING = enum.auto()  #: bytes being taken this moment
    BUSY = enum.auto()  #: a job of the till's was in progress
    JOBS = enum.auto()
    TILL_BYTES = enum.auto()
    TILL_SETTINGS = enum.auto()
    AGENT_SETTINGS = enum.auto()
    WAITING = enum.auto()  #: bytes of the till's at its door, not taken yet; at least so many
    UNSENT = enum.auto()  #: bytes written that have not left for the device, and will not without us


class Ledger:
    """One device's page. Raises HeldByOther where another pass-through has it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock(path)
            os.ftruncate(self._file, _PAGE)
            self._map = mmap.mmap(self._file, _PAGE)
        except BaseException:
            os.close(self._file)
            raise
        self._numbers = memoryview(self._map).cast("Q")
        if self[Slot.MAGIC] != _MAGIC:
            for slot in Slot:
                self[slot] = 0
            self[Slot.MAGIC] = _MAGIC

    def __getitem__(self, slot: Slot) -> int:
        return self._numbers[slot]

    def __setitem__(self, slot: Slot, number: int) -> None:
        self._numbers[slot] = number

    def begin(self, *, door_lost: bool) -> bool:
        """A worker is about to start; True if the one before broke off inside a job.

        `door_lost`: what waited at the till's door went with it.
        """
        broke_off, in_doubt = bool(self[Slot.RUNNING]), False
        if broke_off:
            lost = self._at_risk() + self[Slot.TAKING] + door_lost * self[Slot.WAITING]
            in_doubt = bool(self[Slot.BUSY] or lost)
            self[Slot.RESTARTS] += 1
            self[Slot.LOST_BYTES] += lost
        self[Slot.RUNNING] = 1
        self._settle()
        self.beat()
        return in_doubt

    def end(self) -> None:
        """The worker ends as it should, and the doors with it; what it still held is lost all the same."""
        self[Slot.LOST_BYTES] += self._at_risk() + self[Slot.WAITING]
        self[Slot.RUNNING] = 0
        self._settle()

    def _at_risk(self) -> int:
        return self[Slot.HOLDING] + self[Slot.UNSENT]

    def _settle(self) -> None:
        for slot in (Slot.HOLDING, Slot.UNSENT, Slot.TAKING, Slot.WAITING):
            self[slot] = 0

    def beat(self) -> None:
        self[Slot.BEAT_NS] = time.monotonic_ns()

    def age_s(self) -> float:
        """Since the last beat."""
        return (time.monotonic_ns() - self[Slot.BEAT_NS]) / 1e9

    def close(self) -> None:
        self._numbers.release()
        self._map.close()
        os.close(self._file)

    def _lock(self, path: Path) -> None:
        ends_s = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > ends_s:
                    raise HeldByOther(
                        f"{path}: another pass-through runs", hint="stop it: one serves all shared devices"
                    ) from None
                time.sleep(_AGAIN_S)
            else:
                return
