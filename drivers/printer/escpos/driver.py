"""The ESC/POS receipt printer.

Each poll asks DLE EOT 1-4, the heartbeat. Automatic status, where the profile allows it, only
makes changes known sooner: what it pushes is confirmed by a round of DLE EOT, and it is armed anew
whenever it may have ended without a word.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from drivers.api import Deadline, DriverSpec, Json, Level, Observation, Occasion, Setup, Step, Verdict
from drivers.errors import LinkError
from drivers.exchange import IDENTITY_CHANGED, Exchange, Seen
from drivers.learned import Learned
from drivers.picture import Picture
from drivers.printer.drawer import OPTIONS, Drawer
from drivers.printer.escpos import status
from drivers.printer.escpos.chores import Completion, Inventory
from drivers.printer.escpos.consts import Query
from drivers.printer.escpos.conversation import Conversation
from drivers.printer.escpos.profiles import PROFILES
from drivers.printer.escpos.round import name
from drivers.printer.escpos.selftest import Selftest
from drivers.printer.escpos.usb_side import UsbSide
from drivers.printer.escpos.wire import kick_drawer
from drivers.silence import Outcome, kinds
from drivers.way import Way

CLEAN_S = 60.0  #: a line must have lost nothing for so long; a mangled command may swallow a receipt


class EscposDriver:
    """One printer; see `drivers.api.Driver`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._link = setup.link
        self._clock = setup.clock
        self._profile = PROFILES[setup.profile]
        unanswered = [name(query) for query in Query if query not in self._profile.queries]
        learned = Learned(setup.memory, setup.clock, never=unanswered)
        self._way = Way(setup, self._opened)
        self._judge = self._way.judge
        self._inventory = Inventory(
            learned, bool(self._profile.info), self._profile.counters, self._profile.info
        )
        self._usb = UsbSide(setup)
        self._completion = Completion(learned, self._profile.completion)
        self._exchange = Exchange(setup.memory, setup.clock)
        self._drawer = Drawer(
            setup,
            look=self._pin3,
            kick=lambda within: self._talk.send(kick_drawer(), within),
            rest=lambda within: self._talk.pump(within, lambda: False),
        )
        self._identity: dict[str, str] = {}
        self._counted: dict[str, Json] = {}
        self._talk = Conversation(
            setup,
            learned,
            asb=self._profile.asb,
            errors=self._profile.errors,
            on_process=self._completion.answered,
            on_job=lambda: self._completion.overtaken(setup.clock.monotonic_s()),
        )
        level = setup.options.get("drawer_open_level")
        self._rated = self._profile.rated.facts() if self._profile.rated else {}
        self._drawer_open_level = level if isinstance(level, str) else None
        self._kinds = (
            *kinds(setup.link.scheme, shared=setup.shared),
            *((IDENTITY_CHANGED,) if self._profile.info or self._usb.there else ()),
            *(("stalled",) if self._profile.completion else ()),
            *status.CONDITIONS,
        )
        self._missed_answers = self._garbled_answers = self._losses = 0
        self._lost_s = -math.inf
        own = (*status.CONDITIONS, "stalled", IDENTITY_CHANGED)
        self._picture = Picture(self._kinds, dict.fromkeys(own, "readback"), setup.clock)

    # -- the contract ------------------------------------------------------------------------------

    def poll(self, deadline: Deadline) -> Observation:
        within = deadline.within(max(self._setup.poll_s, 3 * self._setup.reply_s))
        outcome = self._attempt(within)
        self._conclude(outcome)
        # A change goes out first: a chore that nothing answers takes `reply_s`.
        if outcome is Outcome.ANSWERED and not (self._picture.told and self._news()):
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
            self._way.lose(error)
            # Looked at once: an absent node says that it is unplugged, and a reset connection is opened anew.
            return self.poll(Deadline.after(self._clock, self._setup.poll_s))
        return self._observe() if self._news() else None

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        test = Selftest(
            self._setup,
            self._talk,
            self._inventory,
            self._completion,
            self._drawer,
            self._attempt,
            lambda: self._way.trouble,
        )
        try:
            yield from test.run(level, occasion, deadline)
        finally:
            if not self._link.held:
                self._link.close()

    def answered(self, step: str, verdict: Verdict) -> None:
        """See `drivers.api.HearsTechnician`."""
        self._drawer.answered(self._way, step, verdict)

    def wake(self) -> None:
        self._link.wake()

    def close(self) -> None:
        self._link.close()

    # -- asking ------------------------------------------------------------------------------------

    def _attempt(self, deadline: Deadline) -> Outcome | None:
        return self._way.attempt(deadline, self._talk.look)

    def _opened(self, again: bool) -> None:
        if again:
            self._inventory.doubt_identity()
        self._talk.fresh()
        self._usb.opened()
        if self._link.held:
            self._completion.forget()

    def _pin3(self, deadline: Deadline) -> str | None:
        self._talk.look(deadline)
        level = self._facts().get("pin3")
        return level if isinstance(level, str) else None

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
            self._picture.read()
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
        elif self._link.scheme == "tcp" and self._judge.missed > 1 and outcome is not Outcome.GARBLED:
            # An open connection proves nothing any more; connecting anew does. One that brings noise stays.
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
            self._usb.look(deadline)
            self._compare()
            if self._link.held and (probe := self._completion.due(now_s)) is not None:
                self._talk.send(probe, deadline)
        except LinkError as error:
            self._way.lose(error)

    def _compare(self) -> None:
        """Is it still the same printer? Another one's counters count from what they show now."""
        identity = self._inventory.take_round() if self._profile.info else self._usb.identity or None
        if identity is not None:
            seen = self._exchange.seen(identity)
            if seen is Seen.DOUBTFUL:
                self._inventory.doubt_identity()
                return
            if seen is Seen.EXCHANGED:
                self._way.log.warning("another printer answers here; tell support if that was on purpose")
                self._inventory.exchanged()
                self._identity = {}
            self._identity |= {**self._usb.identity, **identity}
        if self._inventory.settled:
            self._counted = self._exchange.counted(self._inventory.statistics)

    # -- listening ---------------------------------------------------------------------------------

    def _listened(self) -> bool:
        if self._judge.missed and self._talk.alive:
            self._conclude(Outcome.ANSWERED)  # late, and alive
        return self._talk.woken or self._news()

    def _wait_closed(self, deadline: Deadline) -> Observation | None:
        if not self._way.wait_closed(deadline):
            return None
        return self.poll(Deadline.after(self._clock, self._setup.poll_s))

    # -- telling -----------------------------------------------------------------------------------

    def _values(self) -> dict[str, bool | None]:
        reading = self._talk.belief.reading
        own = status.conditions(
            reading if reading is not None and not self._judge.blind else status.Reading()
        )
        values = {
            **self._judge.conditions(),
            IDENTITY_CHANGED: self._exchange.changed(),
            "stalled": self._completion.stalled,
            **own,
        }
        return {kind: values[kind] for kind in self._kinds}

    def _facts(self) -> dict[str, Json]:
        reading = self._talk.belief.reading
        facts = status.facts(reading, self._drawer_open_level) if reading is not None else {}
        return {
            **facts,
            **self._rated,
            **self._drawer.facts(),
            **self._usb.facts(),
            **self._way.facts(),
            **self._counted,
        }

    def _news(self) -> bool:
        return self._picture.is_news(self._judge.power, self._values(), self._facts())

    def _observe(self) -> Observation:
        values = self._values()
        return self._picture.tell(
            self._judge.power,
            values,
            self._facts(),
            heard=self._talk.take_heard(),
            identity=self._identity,
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
        if kind == IDENTITY_CHANGED:
            return self._exchange.evidence()
        return self._way.evidence()


SPEC = DriverSpec(
    name="escpos",
    categories=("POSPrinter", "CashDrawer"),
    links=("serial", "tcp", "usb"),
    usb_class=0x07,
    profiles=tuple(PROFILES),
    options=OPTIONS,
    junction="drivers.printer.escpos.junction:Junction",
    make=EscposDriver,
)
