"""What the daemon is told of how it stands between till and device: when it changed, counts not too often."""

from __future__ import annotations

from dataclasses import replace

from agent.pass_through.ledger import Ledger, Slot
from agent.pass_through.printer import Printer
from agent.pass_through.seat import Seat
from agent.pass_through.till import Till
from drivers.junction import Junction
from drivers.link.shared_wire import State

COUNTS_EACH_S = 1.0
STUCK_S = 15.0  #: longer than a printer takes to cut, or a person to close a cover


class News:
    """For whoever has the seat."""

    def __init__(self, seat: Seat, ledger: Ledger, printer: Printer, till: Till) -> None:
        self._seat = seat
        self._ledger = ledger
        self._printer = printer
        self._till = till
        self._flow = Flow()
        self._told = State()
        self._told_s = 0.0
        self._opened = 0
        self._due = True  # told next time, changed or not

    def answer(self, token: int) -> None:
        """Somebody took the seat (0), or asked for the device to be opened."""
        self._opened, self._due = token, True

    def tell(self, junction: Junction, holding: int, now_s: float) -> None:
        """`holding`: bytes of the till's, taken and not written."""
        stuck = self._flow.stuck(holding, self._printer.waiting_bytes(), junction.till_bytes, now_s)
        if not self._seat.taken:
            return
        page, told = self._ledger, self._told
        trouble = None if self._printer.is_open else self._printer.trouble
        state = State(
            opened=self._opened,
            link=self._printer.code,
            text=str(trouble) if trouble else "",
            hint=trouble.hint if trouble else "",
            busy=junction.busy(now_s) or self._printer.shut,
            stuck=stuck,
            till_connected=self._till.connected,
            power_line=self._printer.power_line(now_s),
            baud=self._printer.baud,
            jobs=told.jobs,
            till_bytes=told.till_bytes,
            restarts=page[Slot.RESTARTS],
            lost_bytes=page[Slot.LOST_BYTES],
        )
        if state == told and not self._due and now_s < self._told_s + COUNTS_EACH_S:
            return
        fresh = replace(state, jobs=page[Slot.JOBS], till_bytes=page[Slot.TILL_BYTES])
        if fresh != told or self._due:
            self._told, self._told_s, self._due = fresh, now_s, False
            self._seat.say(fresh)


class Flow:
    """Does the device take what waits for it?"""

    def __init__(self) -> None:
        self._mark = (0, 0)
        self._moved_s = 0.0

    def stuck(self, holding: int, leaving: int, written: int, now_s: float) -> bool:
        """Nothing moved for STUCK_S. Bytes: not written yet, written and not gone, written in all."""
        if (written, leaving) != self._mark or not (holding or leaving):
            self._mark, self._moved_s = (written, leaving), now_s
        return now_s - self._moved_s >= STUCK_S
