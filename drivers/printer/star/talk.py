"""The talk with one Star printer over one open link: questions out, frames in.

A frame is the whole status, whether it was asked for or not, so an answer can be taken for no other.
Every method that talks may raise a `LinkError`.
"""

from __future__ import annotations

from drivers.api import Deadline, Setup
from drivers.printer.star.wire import Asb, Demultiplexer, Noise, ask_status
from drivers.silence import Outcome

STALE_READS = 16  #: of what waits before a question; a printer that sends more than that is babbling
NOISY_ASKS = 3  #: in one poll, so that a broken frame is no garbled poll
SILENT_ASKS = 2  #: likewise, so that a single lost byte is no missed poll
BABBLE_BYTES = 64  #: of noise since the poll before: no line that loses a bit now and then has so much
QUIET_S = 0.03  #: after noise, before asking again
PROMPT_S = 0.1  #: half of `reply_s` if that is less
PATIENCE = 2.0  #: an answer may take so much longer than the last late one took
PATIENCE_MOST_S = 10.0
LATELY = 0.9  #: how much of a long wait is remembered at each answer in time


class Talk:
    """Asks, waits, and keeps what came last."""

    def __init__(self, setup: Setup) -> None:
        self._link = setup.link
        self._clock = setup.clock
        self._reply_s = setup.reply_s
        self._wait_s = setup.reply_s  # for one answer
        self._demux = Demultiplexer()
        self._asked_s: float | None = None  # a question is on its way
        self._late: Asb | None = None  # its answer, which came after the wait for it was over
        self._noise = False
        self._noise_bytes = 0  # since the last question
        self.last: Asb | None = None  #: the frame that came last, in whatever way
        self.unannounced = False  #: the last question found a change that automatic status had not told
        self.prompt = False  #: it was answered at once, and without noise

    def opened(self) -> None:
        """No byte on the link answers what was asked before."""
        self._demux.reset()
        self._asked_s = self._late = self.last = None
        self._noise_bytes = 0

    def ask(self, deadline: Deadline) -> Asb | Outcome:
        """The status now: its frame, MISSED, or GARBLED where noise came instead, or without an end."""
        self._take_stale()
        noise_bytes, self._noise_bytes = self._noise_bytes, 0
        if noise_bytes >= BABBLE_BYTES:
            self.prompt = False
            return Outcome.GARBLED
        late, self._late = self._late, None
        if late is not None:
            self.prompt = False
            return late
        before = self.last
        noisy = silent = 0
        while noisy < NOISY_ASKS and silent < SILENT_ASKS:
            self._noise = False
            began_s = self._clock.monotonic_s()
            # What is late can be heard at the next poll, but not on a connection that is not kept.
            last = silent == SILENT_ASKS - 1 and not self._link.held
            frame = self._question(deadline if last else deadline.within(self._wait_s))
            if frame is not None and not self._noise:
                took_s = self._clock.monotonic_s() - began_s
                self.prompt = not (noisy or silent) and took_s < min(PROMPT_S, self._reply_s / 2)
                self.unannounced = before is not None and frame.state != before.state
                self._wait_s = max(self._reply_s, LATELY * self._wait_s)
                return frame
            noisy += self._noise
            silent += not self._noise
            if deadline.expired():
                break
            if self._noise:
                self.rest(deadline.within(QUIET_S))  # the rest of a broken frame
        self.prompt = False
        return Outcome.GARBLED if noisy else Outcome.MISSED

    def heard(self, data: bytes) -> bool:
        """Bytes that came between two polls; True where they tell something new, or break a silence."""
        before = self.last
        frame = self._take(data)
        if frame is None:
            return False
        if self._asked_s is not None:
            took_s = self._clock.monotonic_s() - self._asked_s
            self._wait_s = max(self._wait_s, min(PATIENCE_MOST_S, PATIENCE * took_s))
            self._asked_s, self._late = None, frame
            return True
        return before is None or frame.state != before.state

    def send(self, data: bytes, deadline: Deadline) -> bool:
        """True when all of it left."""
        return self._link.write(data, deadline) == len(data)

    def rest(self, deadline: Deadline) -> None:
        """Take what comes until then."""
        while not deadline.expired():
            self._take(self._link.read(deadline))

    def _question(self, within: Deadline) -> Asb | None:
        # A printer that takes nothing says nothing either: the wait for the answer finds that out.
        self._link.write(ask_status(), within)
        self._asked_s = self._clock.monotonic_s()
        while True:
            if (frame := self._take(self._link.read(within))) is not None:
                self._asked_s = None
                return frame
            if within.expired():
                return None

    def _take_stale(self) -> None:
        """What waits: the end of what was late, or a push that nobody listened to."""
        for _ in range(STALE_READS):
            data = self._link.read(Deadline.after(self._clock, 0))
            if not data:
                return
            self.heard(data)

    def _take(self, data: bytes) -> Asb | None:
        frame: Asb | None = None
        for event in self._demux.feed(data):
            match event:
                case Asb():
                    frame = self.last = event
                case Noise(seen):
                    self._noise = True
                    self._noise_bytes += len(seen)
        return frame
