"""One printer for two: what the till and the agent write and read, told apart. Sans-IO.

Driven by bytes and `now_s` (monotonic); it knows no socket, thread or clock. The till's bytes go
through byte for byte, in order, at once. What the agent asks goes out between the till's jobs only.
What is not provably the agent's is the till's.

A turn of whoever drives it, after each event and at `next_s`:

    junction.tick(now_s)
    read from the till at most takes_till() bytes          -> from_till(data, now_s)
    read from the printer                                  -> from_printer(data, now_s)
    write to_printer(now_s), as much as it takes           -> wrote(count, now_s)
    give take_till() to the till, take_agent() to the agent

One thing holds the till back, for HOLD_S at most: its question waits for the answer to one of the
agent's that is on its way, so that the two answers cannot be mistaken.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from drivers.printer.escpos.automatic import AutomaticStatus, Settings
from drivers.printer.escpos.claims import LIVE_S, TILL_WAITS_S, Claims, Owner
from drivers.printer.escpos.consts import DLE
from drivers.printer.escpos.replies import Replies
from drivers.printer.escpos.till import Automatic, Cleared, Initialise, JobStream, Question, Sight

__all__ = ["Junction", "Settings"]

WAITING_MOST = 4096  #: bytes between till and printer
ASKS_MOST = 8
ASK_LIVES_S = 0.4  #: a request of the agent's that found no gap by then is dropped
HOLD_S = 0.02
ENDED_S = 0.05  #: of quiet after a cut, or after the till has gone
QUIET_S = 0.5  #: of quiet at a border, where no cut ended the job
GIVEN_UP_S = 2.0  #: of quiet after the till has gone inside a command, or where nobody knows
DOUBT_S = 10.0  #: likewise, with a till that holds on
LEAVES_S = 0.05  #: what waits before the line is looked at again after that
FRAME_S = 0.05  #: an unfinished answer is passed on after that, or after FRAME_BYTES on a slow line
FRAME_BYTES = 8


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request of the agent's. `lives_s`: dropped if it still waits then; infinite for GS a."""

    request: bytes
    question: Question | None
    lives_s: float
    initialises: bool = False

    @property
    def real_time(self) -> bool:
        return self.request[0] == DLE


class Junction:
    """Who gets what. Every method is quick and raises nothing."""

    def __init__(self, *, byte_s: float = 0.0, till: int = 0, agent: int = 0, in_doubt: bool = False) -> None:
        """`byte_s`: seconds that a byte takes on the printer's line, 0 where that is not known (TCP).

        `till`, `agent`: the `settings` of the process that went before. `in_doubt`: it may have ended
        inside a command, so the agent waits until the till has surely finished.
        """
        self.till_bytes = 0  #: of the till's that were written to the printer
        self.jobs = 0  #: that began
        self.dropped_asks = 0  #: of the agent's: no gap came in time
        self._byte_s = byte_s
        self._stream = JobStream()
        self._claims = Claims()
        self._claims.network = byte_s == 0
        self._automatic = AutomaticStatus(Settings(till, agent))
        self._replies = Replies(self._claims, self._automatic)
        self._waiting = bytearray()  # the till's, for the printer
        self._ahead: deque[Sight] = deque()  # seen in it
        self._asks: deque[_Ask] = deque()
        self._peeked: _Ask | None = None  # what `to_printer` offered last
        self._writing: tuple[_Ask, bytes] | None = None  # begun, and what is left of it
        self._in_job = False
        self._in_doubt = in_doubt
        self._closed = False
        self._gone_before = 0  # position in the stream: what stands before it is of a till that has gone
        self._last_s = -math.inf  # the till's last byte, from it or to the printer
        self._line_free_s = -math.inf
        self._written = 0  # bytes, of both

    # -- the till ----------------------------------------------------------------------------------

    def takes_till(self) -> int:
        """How many bytes may be read from the till now; 0: the printer takes no more for the moment."""
        return max(0, WAITING_MOST - len(self._waiting))

    def from_till(self, data: bytes, now_s: float) -> None:
        """The till wrote this; at most `takes_till()` bytes."""
        self._settle(now_s)
        work = self._stream.work
        self._ahead.extend(self._stream.feed(data))
        self._waiting += data
        self._last_s = now_s
        self._closed = False
        if not self._in_job and (self._stream.work != work or self._stream.in_command):
            self._in_job = True
            self.jobs += 1
            self.dropped_asks += len(self._asks)
            self._asks.clear()

    def take_till(self) -> bytes:
        """What is for the till, once; to be given, or dropped if it reads nothing."""
        return self._replies.take(Owner.TILL)

    def till_opened(self, now_s: float) -> None:
        """The till connected, or opened its tty. What was said before is not for it."""
        self._settle(now_s)
        self._closed = False
        self._replies.take(Owner.TILL)

    def till_closed(self, now_s: float) -> None:
        """It went: the job, if any, ends with what it wrote so far. Late answers to it are nobody's."""
        self._settle(now_s)
        self._closed = True
        self._gone_before = self._stream.position
        self._claims.orphan(Owner.TILL)
        self._replies.take(Owner.TILL)

    # -- the agent ---------------------------------------------------------------------------------

    def ask(self, request: bytes, now_s: float) -> None:
        """One whole command of the agent's driver. It waits for a gap between jobs, ASK_LIVES_S at most.

        GS a waits for as long as it takes: it is a setting, not a question.
        """
        if not request:
            return
        seen = JobStream().feed(request)
        for one in seen:
            if isinstance(one, Automatic):
                self._automatic.agent_sets(one.n)
                return
        if len(self._asks) >= ASKS_MOST:
            self.dropped_asks += 1
            return
        question = next((one for one in seen if isinstance(one, Question)), None)
        initialises = any(isinstance(one, Initialise) for one in seen)
        self._asks.append(_Ask(request, question, now_s + ASK_LIVES_S, initialises=initialises))

    def take_agent(self) -> bytes:
        """What is for the agent, once: as a printer of its own would say it."""
        return self._replies.take(Owner.AGENT)

    def agent_gone(self, now_s: float) -> None:
        """The daemon went: nothing of it waits any more, late answers to it are nobody's."""
        self._settle(now_s)
        self._asks.clear()
        self._automatic.due = False
        self._claims.orphan(Owner.AGENT)
        self._replies.take(Owner.AGENT)

    # -- the printer -------------------------------------------------------------------------------

    def to_printer(self, now_s: float) -> bytes:
        """What to write now; unchanged until `wrote` says how much of it left."""
        self._settle(now_s)
        self._peeked = None
        if self._writing is not None:
            return self._writing[1]
        if self._waiting:
            return bytes(self._waiting[: self._allowed(now_s)])
        self._peeked = self._next_ask(now_s)
        return self._peeked.request if self._peeked is not None else b""

    def wrote(self, count: int, now_s: float) -> None:
        """So many bytes of what `to_printer` said last are on their way."""
        if count <= 0:
            return
        self._line_free_s = max(self._line_free_s, now_s) + count * self._byte_s
        self._written += count
        if self._peeked is not None:
            self._writing = self._peeked, self._peeked.request
            if self._peeked in self._asks:
                self._asks.remove(self._peeked)
            self._peeked = None
        if self._writing is not None:
            ask, left = self._writing
            self._writing = (ask, left[count:]) if count < len(left) else None
            if self._writing is None:
                self._asked(ask, now_s)
            return
        del self._waiting[:count]
        self.till_bytes += count
        self._last_s = now_s
        written = self._stream.position - len(self._waiting)
        while self._ahead and self._ahead[0].end <= written:
            sight = self._ahead.popleft()
            self._passed(sight, now_s, written - sight.end)

    def not_left(self, count: int, now_s: float) -> None:
        """So many of the bytes written still wait before the line: flow control, or a network.

        Nothing is asked behind them, and the answer to what is asked in them comes that much later.
        """
        if count > 0:
            self._line_free_s = max(self._line_free_s, now_s + LEAVES_S)
            self._claims.not_left(self._written - count, self._line_free_s)

    def from_printer(self, data: bytes, now_s: float) -> None:
        """The printer said this."""
        self._claims.expire(now_s)
        self._automatic.expire(now_s)
        self._replies.feed(data, now_s, max(FRAME_S, FRAME_BYTES * self._byte_s))

    def printer_gone(self, now_s: float, *, powered_off: bool = False) -> None:
        """The link to it was lost or closed: no answer will come. What was not written yet is kept.

        `powered_off`: proven, so that it has forgotten its settings.
        """
        self._settle(now_s)
        self._claims.clear()
        self._replies.flush(now_s)
        self._writing = self._peeked = None
        self._line_free_s = -math.inf
        if powered_off:
            self._automatic.powered_off()
            self._in_doubt = self._in_doubt or not self._stream.at_border
        else:
            self._automatic.doubtful()

    def set_byte_s(self, byte_s: float) -> None:
        """The line's speed has changed."""
        self._byte_s = byte_s

    # -- time and state ----------------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Give up what has waited too long."""
        if now_s >= self._replies.flush_s:
            self._replies.flush(now_s)
        self._settle(now_s)
        self._claims.expire(now_s)
        self._automatic.expire(now_s)
        while self._asks and now_s >= self._asks[0].lives_s:
            self._asks.popleft()
            self.dropped_asks += 1

    def next_s(self, now_s: float) -> float | None:
        """When `tick`, `to_printer` or `busy` will say something new by itself; None: not by time alone."""
        moments = [self._replies.flush_s]
        wants_gap = bool(self._asks) or self._automatic.due
        if wants_gap or self._in_job or self._in_doubt:
            moments.append(self._gap_s())
        if self._waiting:
            moments.append(self._claims.held_until_s(now_s))
        elif wants_gap:
            moments.append(self._free_s(now_s))
        moments += [ask.lives_s for ask in self._asks]
        coming = [moment for moment in moments if now_s < moment < math.inf]
        return min(coming, default=None)

    def busy(self, now_s: float) -> bool:
        """A job of the till's is in progress, or may be: the agent cannot ask."""
        self._settle(now_s)
        return self._in_job or self._in_doubt

    @property
    def unclaimed(self) -> int:
        """Bytes of the printer's that were nobody's answer; the till got them."""
        return self._replies.unclaimed

    @property
    def settings(self) -> Settings:
        """To be kept, and given to the process that takes over."""
        return self._automatic.settings

    # -- when the agent may ask --------------------------------------------------------------------

    def _settle(self, now_s: float) -> None:
        """The job is over, if it is."""
        if self._last_s == -math.inf:
            self._last_s = now_s  # a process that has just begun has heard nothing yet
        if now_s < self._gap_s():
            return
        self._in_job = False
        if self._in_doubt or not self._stream.at_border:
            self._in_doubt = False
            self._stream.reset()

    def _gap_s(self) -> float:
        """From when on nothing of the till's is in progress; infinite while only the till can say."""
        if self._waiting:
            return math.inf
        if self._in_doubt:
            quiet_s = GIVEN_UP_S if self._closed else DOUBT_S
        elif not self._stream.at_border:
            quiet_s = GIVEN_UP_S if self._closed else math.inf
        elif self._in_job:
            quiet_s = ENDED_S if self._closed or self._stream.ends_with_cut else QUIET_S
        else:
            quiet_s = 0.0
        return max(self._last_s + quiet_s, self._line_free_s)

    def _free_s(self, now_s: float) -> float:
        """From when on nothing is on its way that another question could be mistaken for."""
        live = self._claims.agents_live(now_s)
        set_s = self._automatic.awaited_s()
        return max(
            self._claims.tills_until_s(queued=False),
            self._claims.next_late_s(),
            live.sent_s + LIVE_S if live is not None else -math.inf,
            set_s + TILL_WAITS_S if set_s is not None else -math.inf,
        )

    def _next_ask(self, now_s: float) -> _Ask | None:
        if now_s < self._gap_s() or now_s < self._free_s(now_s):
            return None
        if self._automatic.due and self._stream.takes_commands:
            return _Ask(self._automatic.request(), None, math.inf)
        in_line = self._stream.takes_commands and now_s >= self._claims.tills_until_s(queued=True)
        for ask in self._asks:
            if now_s < ask.lives_s and (ask.real_time or in_line):
                return ask
        return None

    def _asked(self, ask: _Ask, now_s: float) -> None:
        """All of it was written."""
        if ask.lives_s == math.inf:
            self._automatic.sent(now_s)
        if ask.question is not None:
            self._claims.add(Owner.AGENT, ask.question, max(now_s, self._line_free_s), at=self._written)
        if ask.initialises:
            self._automatic.initialised()

    # -- what the till's bytes do ------------------------------------------------------------------

    def _allowed(self, now_s: float) -> int:
        """How many of the till's waiting bytes may be written now: all, or those before its question."""
        live = self._claims.agents_live(now_s)
        if live is None or now_s >= live.held_until_s:
            return len(self._waiting)
        for sight in self._ahead:
            if isinstance(sight, Question) and live.mistakable_for(sight):
                live.held_until_s = min(live.held_until_s, now_s + HOLD_S)
                return max(0, sight.begin - (self._stream.position - len(self._waiting)))
        return len(self._waiting)

    def _passed(self, sight: Sight, now_s: float, behind: int) -> None:
        """The printer gets to see this; `behind` it so many more bytes of the till's were written."""
        match sight:
            case Question():
                leaves_s = max(now_s, self._line_free_s - behind * self._byte_s)
                gone = sight.end <= self._gone_before
                self._claims.add(Owner.TILL, sight, leaves_s, at=self._written - behind, gone=gone)
            case Automatic():
                self._automatic.till_sets(sight.n, now_s)
            case Initialise():
                self._automatic.initialised()
            case Cleared():
                self._claims.clear_queued()
                self._automatic.doubtful()
