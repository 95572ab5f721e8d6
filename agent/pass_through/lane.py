"""One shared device in the worker: bytes from till to device and back, and the daemon's asking.

Who gets which byte, the driver's junction decides; here is only the turning: what can be read is read, what
can be written is written, nothing ever waits but the one poll at the end of a turn.
"""

from __future__ import annotations

import logging
import os
import select
import time

from agent.pass_through.books import Books
from agent.pass_through.ledger import Ledger
from agent.pass_through.news import News
from agent.pass_through.printer import Printer
from agent.pass_through.seat import Seat
from agent.pass_through.slip import Slip
from agent.pass_through.till import DoorSpent, Till
from agent.pass_through.watch import Watch
from drivers.errors import LinkError
from drivers.junction import Junction, Maker
from drivers.link.shared_wire import Ask, Frame, Heard, Leave, Open, Print, Printed

TURN_S = 1.0  #: the longest wait
LOOK_S = 0.25  #: at a tty that no till has open
POWER_LOOK_S = 0.25
CONNECT_S = 0.7  #: for the daemon, which waits for it
CONNECT_TILL_S = 2.0
IDLE_S = 10.0  #: a till's open tty holds a network connection no longer than that
FAREWELL_S = 2.0  #: for what the device still says after the till has ended
ANSWER_S = 0.05  #: the same, where the device's own link stays open
AGAIN_S = 0.02  #: until what nobody tells of is looked at again
STOP_S = 3.0


class Lane:
    """Turned by a thread of its own until `stop`."""

    def __init__(
        self,
        device: str,
        printer: Printer,
        till: Till,
        seat: Seat,
        ledger: Ledger,
        make: Maker,
        *,
        in_doubt: bool,
    ) -> None:
        self._log = logging.getLogger(f"tillwatch.device.{device}")
        self._printer = printer
        self._till = till
        self._seat = seat
        self._ledger = ledger
        self._news = News(seat, ledger, printer, till)
        self._books = Books(ledger, make)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._watch = Watch()
        self._junction: Junction = self._books.open(byte_s=printer.byte_s, in_doubt=in_doubt)
        self._stuck = False  # the printer took less than it was given
        self._daemon_wants = False
        self._slip: Slip | None = None
        self._retuning = False  # the till has set another speed, and what it wrote before has not left
        self._traffic_s = time.monotonic()
        self._farewell_s: float | None = None  # the till has ended; so long is it listened to for the device
        self._stop_s: float | None = None

    def stop(self) -> None:
        """End `run` when what was taken has left, STOP_S at most; from any thread."""
        self._stop_s = time.monotonic() + STOP_S
        os.eventfd_write(self._wake, 1)

    def run(self) -> None:
        ready: dict[int, int] = {}
        while self._stop_s is None or (self._unfinished() and time.monotonic() < self._stop_s):
            ready = self._turn(ready)
        self._seat.leave()
        self._till.hang_up()
        self._printer.close()

    # -- a turn ------------------------------------------------------------------------------------

    def _turn(self, ready: dict[int, int]) -> dict[int, int]:
        self._ledger.beat()
        now_s = time.monotonic()
        self._junction.tick(now_s)
        self._keep_printer(now_s)
        self._hear_daemon(ready, now_s)
        self._hear_till(ready, now_s)
        self._hear_printer(ready, now_s)
        self._junction.not_left(self._printer.waiting_bytes(), now_s)
        self._write(now_s)
        self._part(now_s)
        self._print_slip(now_s)
        self._news.tell(self._junction, self._holding, now_s)
        return self._wait(now_s)

    @property
    def _holding(self) -> int:
        """Of the till's bytes, taken and not written."""
        return self._books.holding(self._junction)

    def _unfinished(self) -> bool:
        """What was taken and written is dropped with the device's line if that is closed before it left."""
        return self._printer.is_open and (self._holding > 0 or self._printer.leaving(time.monotonic()))

    def _keep(self, now_s: float, at_door: int | None = None) -> None:
        self._books.keep(self._junction, now_s, self._printer.unsent_bytes(), at_door)

    def _room(self) -> int:
        held_off = self._stop_s is not None or (self._slip is not None and self._slip.holds_till())
        if held_off or not self._printer.is_open or self._printer.shut:
            return 0
        return self._junction.takes_till()

    # -- the till ----------------------------------------------------------------------------------

    def _hear_till(self, ready: dict[int, int], now_s: float) -> None:
        self._retuning = False
        if not self._till.connected:
            if self._stop_s is not None or self._holding or not self._greets(now_s):
                return
            self._welcome(now_s)
        elif self._till.fileno() not in ready:
            return
        if self._till.ended:
            return
        if not self._printer.is_open and self._may_try(now_s):
            self._open_printer(CONNECT_TILL_S)
        self._take(now_s)

    def _greets(self, now_s: float) -> bool:
        if not self._till.came():
            return False
        self._junction.till_opened(now_s)
        self._traffic_s = now_s
        return True

    def _welcome(self, now_s: float) -> None:
        """A network printer that cannot be reached breaks off, as it would without us."""
        if self._printer.network and self._till.each_connects and not self._open_printer(CONNECT_TILL_S):
            self._till_went(now_s, reset=True)

    def _take(self, now_s: float) -> None:
        room = self._room()
        if not room or not self._till.connected:
            return
        line = self._till.line()
        if line is not None and not self._printer.follows(line, now_s):
            self._retuning = True
            return
        self._junction.set_byte_s(self._printer.byte_s)
        self._books.taking(min(room, self._till.waiting_bytes()))
        data = self._till.read(room)
        if data:
            self._junction.from_till(data, now_s)
            self._books.took(len(data))
            self._traffic_s = now_s
        self._keep(now_s)

    def _till_went(self, now_s: float, *, reset: bool = False) -> None:
        self._watch.drop(self._till.fileno())
        self._till.hang_up(reset=reset)
        self._junction.till_closed(now_s)
        self._farewell_s = None
        if self._till.spent:
            raise DoorSpent

    def _part(self, now_s: float) -> None:
        """The till has ended: all it wrote is written, then its connection ends as the device's does."""
        if not self._till.ended or self._holding:
            return
        if not self._till.each_connects:
            self._till_went(now_s)
            return
        if self._printer.network and not self._printer.kept and self._printer.is_open:
            if not self._printer.shut:
                self._printer.end_writing()
            if self._printer.waiting_bytes():
                return
            wait_s = FAREWELL_S
        else:
            wait_s = ANSWER_S
        if self._farewell_s is None:
            self._farewell_s = now_s + wait_s
        elif now_s >= self._farewell_s:
            self._say_good_bye(now_s)

    def _say_good_bye(self, now_s: float) -> None:
        if self._printer.shut:
            self._close_printer(now_s)
        self._till_went(now_s)

    # -- the printer -------------------------------------------------------------------------------

    def _keep_printer(self, now_s: float) -> None:
        if self._printer.is_open:
            if not self._printer.kept and not self._wanted(now_s):
                self._close_printer(now_s)
        elif self._printer.kept and self._may_try(now_s):
            self._open_printer(CONNECT_S)

    def _wanted(self, now_s: float) -> bool:
        """Whether a network printer's connection is in use."""
        if self._daemon_wants or self._holding or self._slip is not None:
            return True
        if self._till.each_connects:
            return self._till.connected
        return self._junction.busy(now_s) or now_s - self._traffic_s < IDLE_S

    def _may_try(self, now_s: float) -> bool:
        return now_s >= self._printer.next_try_s

    def _open_printer(self, within_s: float) -> bool:
        opened = self._printer.open(within_s)
        self._ledger.beat()
        self._junction.set_byte_s(self._printer.byte_s)
        return opened

    def _close_printer(self, now_s: float) -> None:
        self._watch.drop(self._printer.fileno())
        self._printer.close()
        self._printer.shut = False
        self._junction.printer_gone(now_s)

    def _lost(self, error: LinkError, now_s: float) -> None:
        """The device's link broke. A till that is connected for one job sees it break, too."""
        self._watch.drop(self._printer.fileno())
        if self._printer.shut:  # the device ended it, as it was asked to
            self._say_good_bye(now_s)
            return
        self._printer.lost(error)
        self._stuck = False
        self._junction.printer_gone(now_s)
        if self._printer.network and self._till.each_connects and self._till.connected:
            in_doubt = bool(self._holding) or self._junction.busy(now_s)
            self._keep(now_s)
            self._till_went(now_s, reset=True)
            # What it had written is gone with the connection, as it would be without us.
            self._junction = self._books.open(byte_s=self._printer.byte_s, in_doubt=in_doubt)
            self._keep(now_s)

    def _hear_printer(self, ready: dict[int, int], now_s: float) -> None:
        if not self._printer.is_open or self._printer.fileno() not in ready:
            return
        try:
            data = self._printer.read()
        except LinkError as error:
            self._lost(error, now_s)
            return
        if data:
            self._junction.from_printer(data, now_s)

    def _write(self, now_s: float) -> None:
        """What is due, in all three directions."""
        self._stuck = False
        while self._printer.is_open and not self._printer.shut and not self._slip_runs():
            data = self._junction.to_printer(now_s)
            if not data:
                break
            try:
                count = self._printer.write(data)
            except LinkError as error:
                self._lost(error, now_s)
                break
            self._junction.wrote(count, now_s)
            self._traffic_s = now_s
            if count < len(data):
                self._stuck = True
                break
        self._keep(now_s, self._till.waiting_bytes())
        for_till = self._junction.take_till()
        # Who opened a tty and only listens is there, too; a connection still waits for its welcome.
        if for_till and (self._till.connected or (not self._till.each_connects and self._greets(now_s))):
            self._till.write(for_till)
        for_agent = self._junction.take_agent()
        if for_agent:
            self._seat.say(Heard(for_agent))

    # -- the daemon --------------------------------------------------------------------------------

    def _hear_daemon(self, ready: dict[int, int], now_s: float) -> None:
        if self._seat.listener.fileno() in ready and (newcomer := self._seat.came()) is not None:
            self._daemon_left(now_s)
            self._seat.sit(newcomer)
            self._news.answer(0)
        if self._seat.peer() in ready:
            for frame in self._seat.frames():
                self._heed(frame, now_s)
        if self._seat.gone:
            self._daemon_left(now_s)

    def _heed(self, frame: Frame, now_s: float) -> None:
        match frame:
            case Open(token):
                self._daemon_wants = True
                if not self._printer.is_open and not self._printer.shut and not self._printer.just_tried():
                    self._open_printer(CONNECT_S)
                self._news.answer(token)
            case Leave():
                self._daemon_wants = False
                self._junction.agent_gone(now_s)
            case Ask(data):
                self._junction.ask(data, now_s)
            case Print(data) if self._slip is None:
                self._slip = Slip(data, now_s)

    def _daemon_left(self, now_s: float) -> None:
        self._watch.drop(self._seat.peer())
        self._seat.leave()
        self._daemon_wants = False
        self._junction.agent_gone(now_s)
        if self._slip is not None and self._slip.begun_s is None:
            self._slip = None

    # -- the agent's own slip ----------------------------------------------------------------------

    def _slip_runs(self) -> bool:
        return self._slip is not None and self._slip.holds_till()

    def _print_slip(self, now_s: float) -> None:
        slip = self._slip
        if slip is None:
            return
        free = (
            self._printer.is_open
            and not self._printer.shut
            and not self._holding
            and not self._junction.busy(now_s)
            and not self._junction.to_printer(now_s)
        )
        if slip.may_begin(now_s, free=free) and slip.rest and slip.holds_till():
            try:
                slip.count += self._printer.write(slip.rest)
            except LinkError as error:
                self._slip = None
                self._seat.say(Printed(slip.count))
                self._lost(error, now_s)
                return
        if slip.over(now_s, self._printer.byte_s):
            self._slip = None
            self._seat.say(Printed(slip.count))

    # -- waiting -----------------------------------------------------------------------------------

    def _wait(self, now_s: float) -> dict[int, int]:
        watch = self._watch
        watch.want(self._wake, select.EPOLLIN)
        watch.want(self._seat.listener.fileno(), select.EPOLLIN)
        watch.want(self._seat.peer(), select.EPOLLIN)
        watch.want(self._till.fileno(), self._till_events(now_s))
        if self._printer.is_open:
            writing = self._stuck or (self._slip is not None and self._slip.holds_till() and self._slip.rest)
            listens = now_s >= self._printer.listens_at_s
            events = (select.EPOLLIN if listens else 0) | (select.EPOLLOUT if writing else 0)
            watch.want(self._printer.fileno(), events)
        ready = watch.wait(max(0.0, self._next_s(now_s) - now_s))
        if ready.get(self._wake):
            os.eventfd_read(self._wake)
        return ready

    def _till_events(self, now_s: float) -> int:
        if self._till.connected:
            waits = not self._printer.is_open and self._may_try(now_s) and not self._printer.kept
            wants = not self._till.ended and not self._retuning and (self._room() or waits)
            return select.EPOLLIN if wants else 0
        if self._holding or self._stop_s is not None:
            return 0
        return select.EPOLLIN | (select.EPOLLET if self._till.edge else 0)

    def _next_s(self, now_s: float) -> float:
        moments = [now_s + TURN_S]
        due_s = self._junction.next_s(now_s)
        if due_s is not None:
            moments.append(due_s)
        if not self._printer.is_open and not self._may_try(now_s):
            moments.append(self._printer.next_try_s)
        if now_s < self._printer.listens_at_s:
            moments.append(self._printer.listens_at_s)
        if self._till.edge and not self._till.connected:
            moments.append(now_s + LOOK_S)
        if self._seat.taken:
            moments.append(now_s + POWER_LOOK_S)
        if self._farewell_s is not None:
            moments.append(self._farewell_s)
        if self._printer.shut or self._till.ended or self._retuning or self._stop_s is not None:
            moments.append(now_s + AGAIN_S)
        if self._slip is not None:
            moments.append(min(self._slip.next_s(), now_s + AGAIN_S))
        return min(moments)
