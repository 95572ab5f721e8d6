"""The worker: what the supervisor forks. One thread for each device; it ends as a whole, never in part."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
from dataclasses import dataclass
from typing import NoReturn

from agent.pass_through.lane import STOP_S, Lane
from agent.pass_through.ledger import Ledger
from agent.pass_through.printer import Printer
from agent.pass_through.seat import Seat
from agent.pass_through.till import DoorSpent, Till
from drivers.junction import Maker

BROKE = 70  #: EX_SOFTWARE of sysexits.h
_F_SETSIG = 10  # fcntl(2); the module has no name for it

log = logging.getLogger("tillwatch.pass-through")


@dataclass(slots=True)
class Place:
    """One device as the supervisor holds it: all that outlives a worker."""

    device: str
    link: str
    till: Till
    seat: Seat
    ledger: Ledger
    make: Maker

    def close(self) -> None:
        self.till.close()
        self.seat.close()
        self.ledger.close()


def run(places: list[Place], doubts: list[bool], lifeline: int, life: int) -> NoReturn:
    """In the forked child: serve until SIGTERM; never comes back to what the supervisor was doing.

    `lifeline` is a pipe whose other end, `life`, the supervisor alone holds.
    """
    try:
        os.close(life)
        _die_with_the_supervisor(lifeline)
        _serve_all(places, doubts)
    except BaseException:
        log.exception("the worker broke; another takes over")
        os._exit(BROKE)
    os._exit(0)


def _serve_all(places: list[Place], doubts: list[bool]) -> None:
    lanes = [
        Lane(p.device, Printer(p.device, p.link), p.till, p.seat, p.ledger, p.make, in_doubt=doubt)
        for p, doubt in zip(places, doubts, strict=True)
    ]
    threads = [
        threading.Thread(target=_serve, args=(lane, place.device), name=f"lane-{place.device}", daemon=True)
        for lane, place in zip(lanes, places, strict=True)
    ]
    for thread in threads:
        thread.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})  # blocked since before the fork, so none is missed
    for lane in lanes:
        lane.stop()
    for thread in threads:
        thread.join(STOP_S + 1)
    for place in places:
        place.ledger.end()


def _serve(lane: Lane, device: str) -> None:
    try:
        lane.run()
    except DoorSpent:
        log.warning("%s: the till left its tty locked; it gets another", device)
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException:
        # A mistake of ours: the next worker begins with a clean mind, and the till goes on.
        log.exception("%s: the worker broke; another takes over", device)
        os._exit(BROKE)


def _die_with_the_supervisor(lifeline: int) -> None:
    """The kernel kills us when the pipe's other end closes, even if we are stopped (fcntl(2), O_ASYNC)."""
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
