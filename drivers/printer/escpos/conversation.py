"""The talk with one printer over one open link: rounds of DLE EOT, automatic status, block answers.

Every method that talks may raise a `LinkError`; what is known stays as it is then.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from drivers.api import Deadline, Setup
from drivers.belief import NEEDED
from drivers.learned import Learned
from drivers.printer.escpos import status
from drivers.printer.escpos.belief import ASKED, PUSHED, Belief
from drivers.printer.escpos.consts import BLOCK_PROCESS, AsbItem, ErrorCause, Query
from drivers.printer.escpos.round import FIRST, Round, name
from drivers.printer.escpos.wire import Asb, Block, Demultiplexer, Event, Noise, StatusByte, arm_asb
from drivers.silence import Outcome

ASB = "asb"
ASB_ITEMS = AsbItem.DRAWER | AsbItem.ONLINE | AsbItem.ERROR | AsbItem.ROLL_PAPER
ROUNDS = 8  #: in one poll or after one push, so that a line that babbles ends it too
ASB_AGAIN_S = 10.0  #: until what was not obeyed is sent again, and twice as long at each further time:
ASB_AGAIN_MOST_S = 600.0  #: a stalled printer must not be filled with it
IN_JOB_S = 1.0  #: what is pushed during a job of the till's, and stands alone, is believed after so long
BABBLE_BYTES = 64  #: of noise since the poll before: no line that loses a bit now and then has so much
STALE_READS = 16  #: of what waits before a poll; a device that sends more than that is babbling


class Conversation:
    """What the printer said, weighed; and the means to ask it."""

    def __init__(
        self,
        setup: Setup,
        learned: Learned,
        *,
        asb: bool,
        errors: ErrorCause | None = None,
        on_process: Callable[[bytes], None],
        on_job: Callable[[], None],
    ) -> None:
        self._link = setup.link
        self._clock = setup.clock
        self._reply_s = setup.reply_s
        self._learned = learned
        self._errors = errors
        self._shared = setup.shared
        self._asb_allowed = asb and setup.link.held
        self._on_process = on_process
        self._on_job = on_job
        self._demux = Demultiplexer()
        self.round = Round(learned, setup.reply_s, stays_open=setup.link.held)
        self.belief = Belief()
        self._heard = False  # the printer said something valid
        self.noise = False  #: since the last poll began
        self._noise_bytes = 0  # since then
        self.woken = False  #: the last read was ended from outside
        self.raw: dict[str, str] = {}  #: the bytes that the belief rests on
        self._valid = False  # since the last poll began
        self._complete = False  # likewise, a whole round
        self._again = False  # the round that runs began before what it is to confirm
        self._rounds_left = 0
        self._asb: status.Reading | None = None  # the last frame; None where it may not be armed
        self._asb_asked_s: float | None = None
        self._asb_waits = False  # armed in vain while offline: it stands in the printer's queue
        self._asb_again_s = -math.inf
        self._asb_pause_s = ASB_AGAIN_S
        self._block: bytes | None = None
        self._overtaken = False
        self._in_job = False
        self._in_job_s: float | None = None  # what was pushed then waits so long for a confirmation

    # -- what the driver calls -------------------------------------------------------------------

    def fresh(self) -> None:
        """The link was opened anew."""
        self._demux.reset()
        if self._link.scheme != "tcp":
            self.round.forget()  # over TCP, what was asked in one connection may be answered in the next
        self.disarmed()
        self._asb_waits = False
        self._asb_again_s, self._asb_pause_s = -math.inf, ASB_AGAIN_S

    def disarmed(self) -> None:
        """Automatic status may have ended without a word."""
        self._asb = self._asb_asked_s = None

    def give_up(self) -> None:
        """It was silent for so long that nothing of it is known any more."""
        self.belief.forget()
        self._demux.reset()

    def look(self, deadline: Deadline) -> Outcome | None:
        """One poll. None: this printer cannot be expected to answer now, so silence says nothing."""
        self._valid = self._complete = self.noise = False
        self._rounds_left = ROUNDS
        self._overtaken = self._link.busy()
        self._take_stale()
        noise_bytes, self._noise_bytes = self._noise_bytes, 0
        if noise_bytes >= BABBLE_BYTES and not self._shared:
            self.noise = True
            return Outcome.GARBLED
        if self.round.possible() and not self._overtaken:
            self.round.poll_begins()
            self.pump(deadline, self._round_done)
        if not self._overtaken and self._asb_due():
            self._arm(deadline)
        if self.alive or self.round.settling:
            return Outcome.ANSWERED
        if self._overtaken:
            return None  # the printer is the till's, so that we could not ask, or were not let through
        if self.noise:
            return Outcome.GARBLED
        return None if self._asb_waits and not self.round.possible() else Outcome.MISSED

    def pump(self, deadline: Deadline, done: Callable[[], bool]) -> None:
        """Send what is due and take what comes, until `done` (which may look at `woken`) or deadline."""
        self.woken = False
        while True:
            if self._link.busy():
                self._stand_back()
            else:
                self._advance()
            now_s = self._clock.monotonic_s()
            if done() or now_s >= deadline.at_s:
                return
            wait = Deadline(self._clock, min(deadline.at_s, self._due_s(now_s)))
            data = self._link.read(wait)
            if data:
                self._take(data)
            elif not wait.expired():
                self.woken = True

    @property
    def alive(self) -> bool:
        """It said something valid since the last poll began, and no garbage with it."""
        return self._complete or (self._valid and not self.noise)

    def was_overtaken(self) -> bool:
        """Since the last poll began, a job of the till's was in progress: what is unanswered says nothing."""
        return self._overtaken or self._link.busy()

    def take_heard(self) -> bool:
        """Whether it was heard since the last call. Among garbage a valid byte is chance."""
        heard, self._heard = self._heard and self.alive, False
        return heard

    def may_confirm(self) -> None:
        """Listening begins: what is pushed may be confirmed anew."""
        self._rounds_left = ROUNDS

    def send(self, data: bytes, deadline: Deadline) -> bool:
        """True when all of it left."""
        return self._link.write(data, deadline) == len(data)

    def ask_block(self, request: bytes, deadline: Deadline) -> bytes | None:
        """One question with a block answer; its body, or None within the reply deadline."""
        self._block = None
        within = deadline.within(self._reply_s)
        if self.send(request, within):
            self.pump(within, lambda: self._block is not None)
        return self._block

    # -- beside the till ---------------------------------------------------------------------------

    def _stand_back(self) -> None:
        """A job of the till's is in progress: what was asked and not answered was not asked."""
        self._overtaken = True
        if not self._in_job:
            self._in_job = True
            self._on_job()
        self.round.forget()
        self._again = False
        self._asb_asked_s = None
        if self._in_job_s is not None and self._clock.monotonic_s() >= self._in_job_s:
            self._in_job_s = None
            if self._asb is not None:
                self._weigh(self._asb, PUSHED)

    def _weight_in_job(self, frame: bytes, before: str | None) -> int:
        """What a frame weighs that no round can confirm now, perhaps for as long as a cover stays open.

        One bad byte must not become a condition. A change that shows in two bytes of the frame is none of
        those, nor is one that comes twice; and one that nothing contradicts for IN_JOB_S is believed until
        the job is over and it can be asked.
        """
        self._in_job_s = self._clock.monotonic_s() + IN_JOB_S
        known = bytes.fromhex(before) if before else frame
        return NEEDED if sum(a != b for a, b in zip(frame, known, strict=True)) > 1 else PUSHED

    # -- sending -----------------------------------------------------------------------------------

    def _advance(self) -> None:
        self._in_job = False
        if self._in_job_s is not None:
            self._in_job_s = None
            if self.round.complete:
                self._confirm()  # the job is over: now it can be asked
        while True:
            request = self.round.step(self._clock.monotonic_s())
            if request is not None:
                self.send(request, Deadline.after(self._clock, self._reply_s))
            answers = self.round.take_result()
            if answers is None:
                return
            self._round_came(answers)

    def _round_came(self, answers: dict[Query, int]) -> None:
        self._complete = True
        if self._again:
            self._again = False
            self._confirm()
            return
        self.raw["dle_eot"] = " ".join(
            f"{query.value}:{value:02x}" for query, value in sorted(answers.items())
        )
        self._weigh(status.from_answers(answers, self._errors), ASKED)

    def _weigh(self, reading: status.Reading, weight: int) -> None:
        if self.noise:  # among garbage a valid answer may be chance; the next poll looks again
            return
        self.belief.hear(reading, weight)
        if self.belief.doubtful:
            self._confirm()

    def _confirm(self) -> None:
        """Another look at a change, by DLE EOT or, where there is none, by arming again."""
        if self._rounds_left <= 0 or self._link.busy():
            return
        self._rounds_left -= 1
        if not self.round.possible():
            self._send_arm()
        elif self.round.complete:
            self.round.begin()
        else:
            self._again = True

    def _asb_due(self) -> bool:
        if not self._asb_allowed or self._learned.refused(ASB):
            return False
        believed = self.belief.reading
        if self._asb_waits and believed is not None and not believed.idle:
            return False
        if self.round.possible():
            if self._clock.monotonic_s() < self._asb_again_s:
                return False
            if not self._valid and self._learned.supported(name(FIRST)):
                return False  # it is silent; arming waits until it answers
        return (
            self._asb is None
            or (believed is not None and not self._asb.agrees(believed))
            # The part of the status that DLE EOT does not tell needs a heartbeat of its own.
            or not all(self._learned.supported(name(query)) for query in Query)
        )

    def _arm(self, deadline: Deadline) -> None:
        self._send_arm()
        self.pump(deadline, self._asb_done)
        if self._asb_asked_s is None:
            self._asb_waits = False
            if not self._complete and self.round.possible():
                self._learned.unanswered(name(FIRST))  # automatic status works, and DLE EOT does not
                if not self.round.possible():
                    self.round.forget()
            return
        self.disarmed()
        believed = self.belief.reading
        self._asb_waits = believed is not None and not believed.idle
        if self._learned.supported(ASB):
            self._asb_again_s = self._clock.monotonic_s() + self._asb_pause_s
            if self._learned.supported(name(FIRST)):
                self._asb_pause_s = min(2 * self._asb_pause_s, ASB_AGAIN_MOST_S)
        elif self._complete and not self._asb_waits:
            self._learned.unanswered(ASB)

    def _send_arm(self) -> None:
        self._asb_asked_s = self._clock.monotonic_s()
        self.send(arm_asb(ASB_ITEMS), Deadline.after(self._clock, self._reply_s))

    # -- waiting -----------------------------------------------------------------------------------

    def _round_done(self) -> bool:
        return self.round.complete or self.round.stuck(self._clock.monotonic_s())

    def _asb_done(self) -> bool:
        asked_s = self._asb_asked_s
        overdue = asked_s is not None and self._clock.monotonic_s() - asked_s >= self._reply_s
        return (asked_s is None or overdue) and self._round_done()

    def _due_s(self, now_s: float) -> float:
        due_s = self.round.due_s(now_s)
        if self._in_job_s is not None and self._in_job_s > now_s:
            due_s = min(due_s, self._in_job_s)
        if self._asb_asked_s is not None and (overdue_s := self._asb_asked_s + self._reply_s) > now_s:
            due_s = min(due_s, overdue_s)
        return due_s

    # -- taking ------------------------------------------------------------------------------------

    def _take_stale(self) -> None:
        for _ in range(STALE_READS):
            data = self._link.read(Deadline(self._clock, self._clock.monotonic_s()))
            if not data:
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        for event in self._demux.feed(data):
            self._take_event(event)

    def _take_event(self, event: Event) -> None:
        match event:
            case StatusByte(value):
                if self.round.take(value, self._clock.monotonic_s()):
                    self._said()
            case Asb(frame):
                self._said()
                self._pushed(frame)
            case Block(header, body):
                self._said()
                if header == BLOCK_PROCESS:
                    self._on_process(body)
                else:
                    self._block = body
            case Noise(seen):
                self.noise = True
                self._noise_bytes += len(seen)
                self.round.spoil(self._clock.monotonic_s())

    def _said(self) -> None:
        self._heard = self._valid = True

    def _pushed(self, frame: bytes) -> None:
        # Where only automatic status tells anything, its answer to arming is the poll.
        asked = self._asb_asked_s is not None and not self.round.possible()
        self._asb_asked_s = None
        self._asb = status.from_asb(frame, self._errors)
        weight = ASKED if asked else PUSHED
        if self._link.busy():
            weight = self._weight_in_job(frame, self.raw.get("asb"))
        self.raw["asb"] = frame.hex(" ")
        self._asb_pause_s = ASB_AGAIN_S
        self._learned.answered(ASB)
        self._weigh(self._asb, weight)
