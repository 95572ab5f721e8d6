"""The ESC/POS receipt printer.

Each poll asks DLE EOT 1-4, the heartbeat. Automatic status, where the profile allows it, only
makes changes known sooner: what it pushes is confirmed by a round of DLE EOT, and it is armed anew
whenever it may have ended without a word.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from types import MappingProxyType

from drivers.api import (
    Condition,
    Deadline,
    DriverSpec,
    Json,
    Level,
    Observation,
    Occasion,
    Setup,
    Step,
    VerifiedBy,
)
from drivers.errors import Absent, LinkError, LinkLost, PassThroughDown
from drivers.exchange import Exchange, Seen
from drivers.learned import Learned
from drivers.printer.escpos import status
from drivers.printer.escpos.chores import Completion, Inventory
from drivers.printer.escpos.conversation import Conversation
from drivers.printer.escpos.profiles import PROFILES
from drivers.printer.escpos.selftest import Selftest
from drivers.silence import Judge, Outcome, kinds

OPEN_S = 1.0  #: opening may take so long, if that is more than `reply_s`
CLEAN_S = 60.0  #: a line must have lost nothing for so long; a mangled command may swallow a receipt
REOPEN_S = 0.3  #: how often the node of an unplugged device is looked for


class EscposDriver:
    """One printer; see `drivers.api.Driver`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._link = setup.link
        self._clock = setup.clock
        self._profile = PROFILES[setup.profile]
        self._log = logging.getLogger(f"tillwatch.device.{setup.device}")
        learned = Learned(setup.memory, setup.clock)
        self._judge = Judge(
            scheme=setup.link.scheme,
            proves_power=setup.link.proves_power,
            memory=setup.memory,
            shared=setup.shared,
        )
        self._inventory = Inventory(learned, self._profile.identity, self._profile.counters)
        self._completion = Completion(learned, self._profile.completion)
        self._exchange = Exchange(setup.memory, setup.clock)
        self._identity: dict[str, str] = {}
        self._counted: dict[str, Json] = {}
        self._talk = Conversation(
            setup,
            learned,
            asb=self._profile.asb,
            on_process=self._completion.answered,
            on_job=lambda: self._completion.overtaken(setup.clock.monotonic_s()),
        )
        level = setup.options.get("drawer_open_level")
        self._drawer_open_level = level if isinstance(level, str) else None
        self._kinds = (
            *kinds(setup.link.scheme, shared=setup.shared),
            *(("identity_changed",) if self._profile.identity else ()),
            *(("stalled",) if self._profile.completion else ()),
            *status.CONDITIONS,
        )
        self._trouble: LinkError | None = None
        self._missed_answers = self._garbled_answers = self._losses = 0
        self._lost_s = -math.inf
        self._heard_wall_s: float | None = None
        self._read_wall_s = 0.0
        self._known = {kind: Condition(None, 0.0, _verified_by(kind)) for kind in self._kinds}
        self._told: object = None

    # -- the contract ------------------------------------------------------------------------------

    def poll(self, deadline: Deadline) -> Observation:
        within = deadline.within(max(self._setup.poll_s, 3 * self._setup.reply_s))
        outcome = self._attempt(within)
        self._conclude(outcome)
        # A change goes out first: a chore that nothing answers takes `reply_s`.
        if outcome is Outcome.ANSWERED and (self._told is None or not self._news()):
            self._do_chores(within)
        if not self._link.held:
            self._link.close()
        return self._observe()

    def listen(self, deadline: Deadline) -> Observation | None:
        if not self._link.is_open():
            return self._wait_closed(deadline)
        self._talk.may_confirm()
        try:
            self._talk.pump(deadline, self._listened)
        except LinkError as error:
            self._lose(error)
            # Looked at once: an absent node says that it is unplugged, and a reset connection is opened anew.
            return self.poll(Deadline.after(self._clock, self._setup.poll_s))
        return self._observe() if self._news() else None

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        test = Selftest(
            self._setup, self._talk, self._inventory, self._completion, self._attempt, lambda: self._trouble
        )
        try:
            yield from test.run(level, occasion, deadline)
        finally:
            if not self._link.held:
                self._link.close()

    def wake(self) -> None:
        self._link.wake()

    def close(self) -> None:
        self._link.close()

    # -- asking ------------------------------------------------------------------------------------

    def _attempt(self, deadline: Deadline) -> Outcome | None:
        """Open the link where it is not, and ask; a link found broken is opened once more."""
        for _ in range(2):
            try:
                if not self._link.is_open():
                    self._link.open(deadline.within(max(OPEN_S, self._setup.reply_s)))
                    self._opened()
                return self._talk.look(deadline)
            except LinkError as error:
                self._lose(error)
                if not isinstance(error, LinkLost):
                    return Outcome(error.code)
        return Outcome.LOST

    def _opened(self) -> None:
        if self._trouble is not None:
            self._log.info("the link is open again")
            self._inventory.doubt_identity()
        self._trouble = None
        self._talk.fresh()
        if self._link.held:
            self._completion.forget()

    def _lose(self, error: LinkError) -> None:
        if self._trouble is None or self._trouble.code != error.code:
            self._log.warning("%s; %s", str(error), error.hint)
        # A copy: the error itself would keep the frames it passed through, and all they hold.
        self._trouble = type(error)(str(error), hint=error.hint)
        self._link.close()

    def _conclude(self, outcome: Outcome | None) -> None:
        """Judge what the poll brought."""
        power_line = self._link.power_line()
        if outcome is None:
            if not self._judge.proves_off(power_line):
                return
            outcome = Outcome.MISSED  # it is the till's and cannot be asked, and need not be
        was_blind = self._judge.blind
        self._judge.feed(outcome, power_line)
        if outcome is Outcome.ANSWERED:
            self._read_wall_s = self._clock.wall_s()
            if was_blind:
                self._inventory.doubt_identity()
            return
        self._missed_answers += outcome is Outcome.MISSED
        self._garbled_answers += outcome is Outcome.GARBLED
        self._talk.disarmed()
        self._completion.lost()
        if self._judge.blind:
            self._talk.give_up()
            self._completion.forget()
        elif self._link.scheme == "tcp" and self._judge.missed > 1:
            # An open connection proves nothing any more; connecting anew does.
            self._link.close()

    def _do_chores(self, deadline: Deadline) -> None:
        """While it is idle and prompt: who it is, its counters, and whether it still prints."""
        if self._talk.was_overtaken():
            return  # it is the till's now, and what is not answered says nothing
        reading = self._talk.belief.reading
        idle = reading is not None and reading.idle
        now_s = self._clock.monotonic_s()
        if self._talk.round.losses != self._losses:
            self._losses, self._lost_s = self._talk.round.losses, now_s
            self._completion.lost()
        self._completion.look(now_s, idle=idle)
        ready = idle and not self._talk.belief.doubtful and self._talk.round.prompt
        if not ready or now_s - self._lost_s < CLEAN_S:
            return
        try:
            while not deadline.expired() and (chore := self._inventory.next(now_s)) is not None:
                body = self._talk.ask_block(chore.request, deadline)
                if body is None and self._talk.was_overtaken():
                    self._inventory.again(chore)
                    return
                if body is None or not self._inventory.answered(chore, body):
                    self._inventory.unanswered(chore)
                    break
            self._compare()
            if self._link.held and (probe := self._completion.due(now_s)) is not None:
                self._talk.send(probe, deadline)
        except LinkError as error:
            self._lose(error)

    def _compare(self) -> None:
        """Is it still the same printer? Another one's counters count from what they show now."""
        identity = self._inventory.take_round()
        if identity is not None:
            seen = self._exchange.seen(identity)
            if seen is Seen.DOUBTFUL:
                self._inventory.doubt_identity()
                return
            if seen is Seen.EXCHANGED:
                self._log.warning("another printer answers here; tell support if that was on purpose")
                self._inventory.exchanged()
                self._identity = {}
            self._identity |= identity
        if self._inventory.settled:
            self._counted = self._exchange.counted(self._inventory.statistics)

    # -- listening ---------------------------------------------------------------------------------

    def _listened(self) -> bool:
        if self._judge.missed and self._talk.alive:
            self._conclude(Outcome.ANSWERED)  # late, and alive
        return self._talk.woken or self._news()

    def _wait_closed(self, deadline: Deadline) -> Observation | None:
        """No link to listen to; an unplugged device's node is looked for meanwhile."""
        while not deadline.expired():
            looks = isinstance(self._trouble, Absent | PassThroughDown)
            until = deadline.within(REOPEN_S) if looks else deadline
            self._link.read(until)
            if not until.expired():
                return None
            if not deadline.expired() and self._is_back(deadline):
                return self.poll(Deadline.after(self._clock, self._setup.poll_s))
        return None

    def _is_back(self, deadline: Deadline) -> bool:
        try:
            self._link.open(deadline)
        except LinkError:
            return False  # the next poll reports it
        self._opened()
        return True

    # -- telling -----------------------------------------------------------------------------------

    def _values(self) -> dict[str, bool | None]:
        reading = self._talk.belief.reading
        own = status.conditions(
            reading if reading is not None and not self._judge.blind else status.Reading()
        )
        values = {
            **self._judge.conditions(),
            "identity_changed": self._exchange.changed(),
            "stalled": self._completion.stalled,
            **own,
        }
        return {kind: values[kind] for kind in self._kinds}

    def _facts(self) -> dict[str, Json]:
        reading = self._talk.belief.reading
        facts = status.facts(reading, self._drawer_open_level) if reading is not None else {}
        if self._trouble is not None:
            facts["link"] = self._trouble.code
        return facts | self._counted

    def _news(self) -> bool:
        return (self._judge.power, self._values(), self._facts()) != self._told

    def _observe(self) -> Observation:
        values, facts, wall_s = self._values(), self._facts(), self._clock.wall_s()
        heard = self._talk.take_heard()
        if heard:
            self._heard_wall_s = wall_s
            self._read_wall_s = wall_s
        for kind, value in values.items():
            if value is not None:
                known_s = self._read_wall_s if kind in status.CONDITIONS else wall_s
                self._known[kind] = Condition(value, known_s, _verified_by(kind))
            else:
                self._known[kind] = Condition(None, self._known[kind].wall_s, _verified_by(kind))
        self._told = (self._judge.power, values, facts)
        return Observation(
            at_s=self._clock.monotonic_s(),
            heard=heard,
            power=self._judge.power,
            conditions=MappingProxyType(dict(self._known)),
            last_heard_wall_s=self._heard_wall_s,
            identity=dict(self._identity),
            facts=facts,
            statistics={
                **self._inventory.statistics,
                "CommunicationErrorCount": float(self._missed_answers),
                "GarbledAnswerCount": float(self._garbled_answers),
            },
            evidence={kind: self._evidence(kind) for kind, value in values.items() if value},
        )

    def _evidence(self, kind: str) -> dict[str, Json]:
        if kind in status.CONDITIONS:
            return dict(self._talk.raw)
        if kind == "identity_changed":
            return self._exchange.evidence()
        evidence: dict[str, Json] = {"missed_polls": self._judge.missed}
        if self._trouble is not None:
            evidence["error"] = str(self._trouble)
        return evidence


def _verified_by(kind: str) -> VerifiedBy:
    """What the printer says of itself is read back from it; the rest is what the way to it shows."""
    return "readback" if kind in status.CONDITIONS else "transport"


SPEC = DriverSpec(
    name="escpos",
    categories=("POSPrinter", "CashDrawer"),
    links=("serial", "tcp"),
    profiles=tuple(PROFILES),
    options={"drawer_open_level": ("high", "low")},
    junction="drivers.printer.escpos.junction:Junction",
    make=EscposDriver,
)
