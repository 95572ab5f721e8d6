"""The driver of a device that is asked one round of questions at each poll.

What is asked, and what the answers mean, is a `Dialogue`'s, one for each kind of device; the way to it,
silence, belief and what is told are the same for all, and stand here. A reading that differs from what is
believed is asked again at once until it is believed or the poll's time is up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from drivers.api import Deadline, Json, Level, Observation, Occasion, Setup, Step, VerifiedBy
from drivers.belief import NEEDED, Belief
from drivers.errors import LinkError
from drivers.exchange import IDENTITY_CHANGED, Exchange, Seen
from drivers.picture import Picture
from drivers.silence import Outcome, kinds
from drivers.usb_control import notices
from drivers.way import Way

ASKS_MOST = 2 * NEEDED
"""At one poll, of a device that says something else each time."""
HARMLESS = ("paper_near_end",)
"""Conditions that a self-test tells, and that are no failure."""
SALE = "a sale is in progress: nothing is printed, shown or moved, and no card gets power; try again after it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one round of questions brought. A kind that `conditions` leaves out is unknown.

    All of it but `evidence` must be read alike three times in a row before it is believed.
    """

    conditions: Mapping[str, bool | None] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)
    identity: Mapping[str, str] = field(
        default_factory=dict
    )  #: `serial`, `model`, `manufacturer`, `firmware`...
    statistics: Mapping[str, float] = field(default_factory=dict)  #: UnifiedPOS names
    evidence: Mapping[str, Json] = field(default_factory=dict, compare=False)  #: raw bytes behind it


class Dialogue(Protocol):
    """One kind of device, over an open link. Methods that use the link raise LinkErrors."""

    kinds: tuple[str, ...]
    """What the device can say of itself, in a fixed order; the way's own kinds come by themselves."""
    identifies: bool
    """It may say who it is, so that an exchange can be noticed."""
    verified_by: VerifiedBy
    """How its own conditions are known."""
    by_notice: bool
    """What it says unasked comes by the interrupt pipe, where the link has one."""

    def opened(self) -> None:
        """The link is open anew: no byte on it answers what was asked before."""
        ...

    def ask(self, deadline: Deadline) -> Reading | Outcome | None:
        """One round of questions.

        MISSED where nothing came, GARBLED where it was not the protocol; OPEN where the device says nothing
        by its nature, and the open way is all there is; None where nothing was asked this time, so that
        nothing is judged (a sale is in progress; it is not due).
        """
        ...

    def heard(self, data: bytes) -> bool:
        """Bytes that came unasked. True: something may have changed, ask at once."""
        ...

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        """The steps of a self-test beyond answer, status and identity; the device has just answered.

        Beyond `internal` not while a sale is known to be in progress.
        """
        ...


class AskedDriver:
    """`drivers.api.Driver` over a `Dialogue`; `answers` False: the device never says anything."""

    def __init__(self, setup: Setup, dialogue: Dialogue, *, answers: bool = True) -> None:
        self._setup = setup
        self._clock = setup.clock
        self._dialogue = dialogue
        self._way = Way(setup, lambda _again: dialogue.opened())
        self._belief: Belief[Reading] = Belief()
        self._exchange = Exchange(setup.memory, setup.clock)
        who = (IDENTITY_CHANGED,) if dialogue.identifies else ()
        way = kinds(setup.link.scheme, shared=setup.shared, answers=answers)
        self._kinds = (*way, *who, *dialogue.kinds)
        own: dict[str, VerifiedBy] = dict.fromkeys(dialogue.kinds, dialogue.verified_by)
        own |= dict.fromkeys(who, "readback")
        self._picture = Picture(self._kinds, own, setup.clock)
        self._who: Mapping[str, str] = {}
        self._evidence: Mapping[str, Json] = {}
        self._missed = self._garbled = 0
        self._heard = False

    # -- the contract ------------------------------------------------------------------------------

    def poll(self, deadline: Deadline) -> Observation:
        try:
            self._conclude(self._way.attempt(deadline, self._round))
            return self._observe()
        finally:
            self._let_go()

    def listen(self, deadline: Deadline) -> Observation | None:
        link = self._setup.link
        if not link.is_open():
            back = self._way.wait_closed(deadline)
            return self.poll(Deadline.after(self._clock, self._setup.poll_s)) if back else None
        try:
            if self._dialogue.by_notice and notices(link):
                data = link.notice(deadline)
            else:
                data = link.read(deadline)
        except LinkError as error:
            self._way.lose(error)
            return self.poll(Deadline.after(self._clock, self._setup.poll_s))
        if not data or not self._dialogue.heard(data):
            return None
        return self.poll(Deadline.after(self._clock, self._setup.poll_s))

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        try:
            outcome = self._way.attempt(deadline, self._round)
            step = self._answer(outcome)
            if outcome is not Outcome.OPEN or level != "interactive":  # there a technician's eye answers
                yield step
            if step.verdict == "passed":
                if self._dialogue.kinds and self._dialogue.verified_by != "operator":
                    yield self._status()
                if self._dialogue.identifies:
                    yield self._identity()
            if level != "internal" and self._setup.sale() == "yes":
                yield Step("sale", "untested", SALE)
            elif step.verdict != "failed" and self._setup.link.is_open():
                yield from self._dialogue.test(level, occasion, deadline)
        except LinkError as error:
            self._way.lose(error)
            yield Step("link", "failed", f"{error}; {error.hint}")
        finally:
            self._let_go()

    def wake(self) -> None:
        self._setup.link.wake()

    def close(self) -> None:
        self._setup.link.close()

    # -- asking ------------------------------------------------------------------------------------

    def _round(self, deadline: Deadline) -> Outcome | None:
        """Ask until what is said is believed, or the time is up."""
        for asked in range(ASKS_MOST):
            said = self._dialogue.ask(deadline)
            if not isinstance(said, Reading):
                return Outcome.ANSWERED if asked else said
            self._heard = True
            self._belief.hear(said)
            self._evidence = said.evidence
            if not self._belief.doubtful or deadline.expired():
                break
        return Outcome.ANSWERED

    def _conclude(self, outcome: Outcome | None) -> None:
        judge = self._way.judge
        power_line = self._setup.link.power_line()
        if outcome is None:
            if not judge.proves_off(power_line):
                return
            outcome = Outcome.MISSED  # it was not asked, and need not be
        judge.feed(outcome, power_line)
        self._missed += outcome is Outcome.MISSED
        self._garbled += outcome is Outcome.GARBLED
        if judge.blind:
            self._belief.forget()
        if outcome is not Outcome.ANSWERED:
            if self._setup.link.scheme == "tcp" and judge.missed > 1 and outcome is not Outcome.GARBLED:
                # An open connection proves nothing any more; connecting anew does. One that brings noise
                # stays: the first answer on another one would come before the noise, and hide it.
                self._setup.link.close()
            return
        self._picture.read()
        reading = self._belief.reading
        if reading is None or not reading.identity:
            return
        seen = self._exchange.seen(reading.identity)
        if seen is not Seen.DOUBTFUL:
            self._who = reading.identity
        if seen is Seen.EXCHANGED:
            self._way.log.warning("another device answers here; tell support if that was on purpose")

    def _let_go(self) -> None:
        if not self._setup.link.held:
            self._setup.link.close()

    # -- telling -----------------------------------------------------------------------------------

    def _observe(self) -> Observation:
        reading = self._belief.reading or Reading()
        judge = self._way.judge
        known = judge.conditions() | dict(reading.conditions)
        if self._dialogue.identifies:
            known[IDENTITY_CHANGED] = self._exchange.changed()
        values = {kind: known.get(kind) for kind in self._kinds}
        facts = {**reading.facts, **self._exchange.counted(reading.statistics), **self._way.facts()}
        heard, self._heard = self._heard, False
        return self._picture.tell(
            judge.power,
            values,
            facts,
            heard=heard,
            identity=self._who,
            statistics={
                **reading.statistics,
                "CommunicationErrorCount": float(self._missed),
                "GarbledAnswerCount": float(self._garbled),
            },
            evidence={kind: self._behind(kind) for kind, value in values.items() if value},
        )

    def _behind(self, kind: str) -> Mapping[str, Json]:
        if kind in self._dialogue.kinds:
            return self._evidence
        return self._exchange.evidence() if kind == IDENTITY_CHANGED else self._way.evidence()

    # -- the self-test's steps that all devices share ------------------------------------------------

    def _answer(self, outcome: Outcome | None) -> Step:
        if outcome is Outcome.ANSWERED:
            return Step("answer", "passed", "the device answers")
        if outcome is Outcome.GARBLED:
            return Step("answer", "failed", "what comes is not its protocol; check speed, parity and driver")
        if outcome is Outcome.MISSED:
            return Step("answer", "failed", "no answer; check power, cable, speed, and the driver configured")
        if outcome is Outcome.OPEN:
            return Step("answer", "untested", "the way to it is open; it has nothing to answer with")
        if outcome is None:
            return Step("answer", "untested", "it is not asked now, or has nothing to answer with")
        trouble = self._way.trouble
        return Step("answer", "untested", f"{trouble}; {trouble.hint}" if trouble else "the link is not open")

    def _status(self) -> Step:
        reading = self._belief.reading
        if reading is None:
            return Step("status", "untested", "the device answers, and its answers do not agree")
        said = [kind for kind, value in reading.conditions.items() if value]
        failed = not all(kind in HARMLESS for kind in said)
        if not failed and reading.facts.get("offline"):
            failed, said = True, [*said, "offline without a reason"]
        detail = ", ".join(said).replace("_", " ")
        if failed:
            return Step("status", "failed", detail)
        if not any(value is False for value in reading.conditions.values()):
            return Step("status", "untested", "the device tells nothing of its state")
        return Step("status", "passed", detail or "nothing wrong")

    def _identity(self) -> Step:
        reading = self._belief.reading
        said = ", ".join(f"{key} {text}" for key, text in reading.identity.items()) if reading else ""
        return Step("identity", "passed" if said else "untested", said or "the device does not say")
