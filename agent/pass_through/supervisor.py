"""The supervisor: opens what must outlive a worker, forks the worker, replaces one that died or hangs.

It starts no thread and touches no byte of the till's, so that little can go wrong in it.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent import sdnotify
from agent.pass_through import worker
from agent.pass_through.lane import STOP_S
from agent.pass_through.ledger import Ledger
from agent.pass_through.seat import Seat
from agent.pass_through.tcp import TcpTill
from agent.pass_through.till import Till
from agent.pass_through.tty import TtyTill
from agent.pass_through.worker import Place
from drivers import junction
from drivers.errors import TillwatchError
from drivers.link import address as addresses

HANGS_S = 5.0  #: a lane turns at least once a second
LIVED_S = 5.0  #: a worker that lived so long died of something new
PAUSES_S = (0.0, 0.1, 0.2, 0.5, 0.8)  #: back within a second, whatever happens
END_S = STOP_S + 2
NO_LINE_BAUD = 115200  #: what the till finds on a tty whose device has no line speed
_SIGNALS = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGINT})

log = logging.getLogger("tillwatch.pass-through")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One device to share, as the configuration and its driver have it."""

    device: str  #: its id
    link: str
    till: str
    junction: str


class Supervisor:
    """`run` returns when told to stop."""

    def __init__(self, folder: Path, devices: Sequence[Shared]) -> None:
        """Opens the doors, and seats for the daemon in `folder`; raises TillwatchError if none can be."""
        self._places: list[Place] = []
        self._worker = 0
        self._started_s = 0.0
        self._died = 0  # in a row, each soon after its start
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        # The worker holds the reading end: it ends with this process, whatever becomes of it.
        self._lifeline, self._life = os.pipe()
        try:
            self._open_all(folder, devices)
        except BaseException:
            self._close()
            raise

    def _open_all(self, folder: Path, devices: Sequence[Shared]) -> None:
        """One door that stays shut must not keep the other tills from printing."""
        refused: list[Exception] = []
        for device in devices:
            try:
                self._places.append(_open(folder, device))
            except (TillwatchError, OSError) as error:
                hint = getattr(error, "hint", "")
                what = f"{error}{f' ({hint})' if hint else ''}"
                log.error("%s is not shared: %s; restart this when that is mended", device.device, what)  # noqa: TRY400 - no bug of ours
                refused.append(error)
        if refused and not self._places:
            raise refused[0]

    def run(self) -> None:
        try:
            self._start()
            sdnotify.notify("READY=1")
            log.info("passing through: %s", ", ".join(place.device for place in self._places))
            while not self._told_to_stop():
                sdnotify.notify("WATCHDOG=1")
            sdnotify.notify("STOPPING=1")
            self._end_worker()
        finally:
            self._close()

    def _told_to_stop(self) -> bool:
        """A second's watch over the worker."""
        came = signal.sigtimedwait(_SIGNALS, 1.0)
        if came is not None and came.si_signo in (signal.SIGTERM, signal.SIGINT):
            return True
        oldest_s = max(place.ledger.age_s() for place in self._places)
        if oldest_s > HANGS_S:
            log.error("the worker hangs: no turn for %.0f s; another takes over", oldest_s)
            os.kill(self._worker, signal.SIGKILL)
            os.waitpid(self._worker, 0)
            self._replace()
        elif os.waitpid(self._worker, os.WNOHANG) != (0, 0):
            self._replace()
        return False

    def _replace(self) -> None:
        lived_s = time.monotonic() - self._started_s
        self._died = self._died + 1 if lived_s < LIVED_S else 0
        log.error("the worker ended after %.1f s; another takes over", lived_s)
        time.sleep(PAUSES_S[min(self._died, len(PAUSES_S) - 1)])
        self._start()

    def _start(self) -> None:
        for place in self._places:
            place.till.renew()
        doubts = [
            # A worker takes a TCP till's connection along; the tty is ours.
            place.ledger.begin(door_lost=not self._worker or place.till.each_connects)
            for place in self._places
        ]
        self._started_s = time.monotonic()
        gc.freeze()  # what is there now stays shared between the two processes
        self._worker = os.fork()
        if self._worker == 0:
            worker.run(self._places, doubts, self._lifeline, self._life)

    def _end_worker(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._worker, signal.SIGTERM)
        ends_s = time.monotonic() + END_S
        while os.waitpid(self._worker, os.WNOHANG) == (0, 0):
            if time.monotonic() >= ends_s:
                os.kill(self._worker, signal.SIGKILL)
                os.waitpid(self._worker, 0)
                return
            signal.sigtimedwait({signal.SIGCHLD}, 0.1)

    def _close(self) -> None:
        for place in self._places:
            place.close()
        os.close(self._lifeline)
        os.close(self._life)


def _open(folder: Path, device: Shared) -> Place:
    """Ledger first: it is the lock that keeps a second pass-through away from all the rest."""
    with contextlib.ExitStack() as opened:
        ledger = Ledger(folder / f"{device.device}.ledger")
        opened.callback(ledger.close)
        till = _door(device)
        opened.callback(till.close)
        seat = Seat(folder / f"{device.device}.sock")
        opened.callback(seat.close)
        make = junction.maker(device.junction)
        opened.pop_all()
    return Place(device.device, device.link, till, seat, ledger, make)


def _door(device: Shared) -> Till:
    place, link = addresses.parse_till(device.till), addresses.parse(device.link)
    if isinstance(place, addresses.TillTcp):
        return TcpTill(place)
    return TtyTill(place, link.baud if isinstance(link, addresses.SerialAddress) else NO_LINE_BAUD)
