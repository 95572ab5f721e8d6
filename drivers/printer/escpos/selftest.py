"""The printer's self-test: UnifiedPOS CheckHealth in three levels."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from drivers.api import Deadline, Level, Occasion, Setup, Step
from drivers.belief import NEEDED
from drivers.errors import LinkError
from drivers.printer.drawer import Drawer
from drivers.printer.escpos import status
from drivers.printer.escpos.chores import Completion, Inventory
from drivers.printer.escpos.consts import Query, Recovery
from drivers.printer.escpos.conversation import Conversation
from drivers.printer.escpos.profiles import PROFILES
from drivers.printer.escpos.slip import slip
from drivers.printer.escpos.wire import recover
from drivers.printer.slip import QUESTION
from drivers.silence import Outcome

GAP_S = 8.0  #: for a gap between two jobs of the till's
AGAIN_S = 0.5
PRINT_S = 8.0  #: a slip is printed and cut in less

HARMLESS = ("paper_near_end",)
"""Worth saying, and no failure."""


@dataclass(slots=True)
class Selftest:
    """One run. Nothing is judged as silence meanwhile: only steps come of it."""

    setup: Setup
    talk: Conversation
    inventory: Inventory
    completion: Completion
    drawer: Drawer
    attempt: Callable[[Deadline], Outcome | None]
    trouble: Callable[[], LinkError | None]

    def run(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        """The steps, each as it is done; ends within the deadline."""
        outcome = self._attempt(deadline)
        yield self._answer(outcome)
        if outcome is not Outcome.ANSWERED:
            return
        if level != "internal" and self._recoverable():
            yield self._recover(deadline)
        before = self._status("status")
        yield before
        if self.inventory.identity_wanted:
            yield self._identity(deadline)
        if level == "internal":
            return
        if before.verdict != "passed":
            yield Step("print", "untested", f"not printed: {before.detail}")
            return
        yield from self._print(occasion, deadline)
        if level == "interactive":
            yield Step("slip", "untested", "for the technician to say", question=QUESTION)
            yield from self.drawer.steps()

    def _attempt(self, deadline: Deadline) -> Outcome | None:
        """A look; on a shared printer, one that a job of the till's overtook is taken again."""
        within = deadline.within(GAP_S)
        while True:
            outcome = self.attempt(self._look(deadline))
            if outcome is not None or not self.setup.shared or within.expired():
                return outcome
            with contextlib.suppress(LinkError):  # the next look says so
                self.talk.pump(within.within(AGAIN_S), lambda: False)

    def _answer(self, outcome: Outcome | None) -> Step:
        if outcome is Outcome.ANSWERED:
            return Step("answer", "passed", "the printer answers")
        if outcome is Outcome.GARBLED:
            return Step("answer", "failed", "what comes is not ESC/POS; check baud rate and parity")
        if outcome is None and self.setup.shared:
            return Step("answer", "untested", "the till prints all the time; try again when it does not")
        if outcome in (Outcome.MISSED, None):
            return Step(
                "answer", "failed", "no answer; check power, cable, baud rate, and that it speaks ESC/POS"
            )
        trouble = self.trouble()
        return Step("answer", "untested", f"{trouble}; {trouble.hint}" if trouble else "the link is not open")

    def _status(self, name: str) -> Step:
        reading = self.talk.belief.reading
        if reading is None:
            return Step(name, "untested", "the printer answers, and its answers do not agree")
        values = status.conditions(reading)
        wrong = [kind for kind, value in values.items() if value and kind not in HARMLESS]
        said = [kind for kind, value in values.items() if value]
        if reading.offline and not wrong:
            wrong = said = [*said, "offline without a reason"]
        if wrong:
            return Step(name, "failed", ", ".join(said).replace("_", " "))
        if all(value is None for value in values.values()):
            return Step(name, "untested", "the printer tells nothing of its state")
        return Step(name, "passed", ", ".join(said).replace("_", " ") or "nothing wrong")

    def _recoverable(self) -> bool:
        """An error stands that DLE ENQ may end, and nothing else is wrong that it would wait for."""
        seen = self.talk.belief.reading
        return (
            PROFILES[self.setup.profile].recover
            and seen is not None
            and bool(seen.cutter or seen.recoverable)
            and not (seen.cover_open or seen.paper_end or seen.unrecoverable)
        )

    def _recover(self, deadline: Deadline) -> Step:
        """Go on from the line where the error happened: nothing that the till sent is lost by it."""
        try:
            self.talk.send(recover(Recovery.RESTART_LINE), deadline.within(self.setup.reply_s))
        except LinkError as error:
            return Step("recovery", "failed", str(error))
        self._attempt(deadline)
        if self._recoverable():
            return Step("recovery", "failed", "DLE ENQ 1 did not end the error; remove what blocks it first")
        return Step("recovery", "passed", "DLE ENQ 1 ended the error")

    def _identity(self, deadline: Deadline) -> Step:
        self.inventory.doubt_identity()
        try:
            while not deadline.expired() and (chore := self.inventory.next(self._now_s())) is not None:
                body = self.talk.ask_block(chore.request, deadline)
                if body is None or not self.inventory.answered(chore, body):
                    self.inventory.unanswered(chore)
                    break
        except LinkError as error:
            return Step("identity", "failed", str(error))
        known = ", ".join(f"{key} {text}" for key, text in self.inventory.identity.items())
        return Step("identity", "passed" if known else "untested", known or "the printer does not say")

    def _print(self, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        within = deadline.within(PRINT_S)
        data = slip(self.setup.device, occasion, "status passed", initialised=not self.setup.shared)
        try:
            all_left = self.talk.send(data, within)
            self.talk.disarmed()  # the slip begins with ESC @, which ends automatic status
            if not all_left and self.setup.shared:
                yield Step("print", "untested", "no gap between two jobs of the till's; try again")
                return
            if not all_left:
                yield Step("print", "failed", "the printer does not take the slip; is it busy or stopped?")
                return
            yield Step("print", "passed", f"{len(data)} bytes taken")
            if self.completion.wanted:
                yield self._printed(within)
        except LinkError as error:
            yield Step("print", "failed", str(error))
            return
        outcome = self._attempt(deadline)
        if outcome is Outcome.ANSWERED:
            yield self._status("status after")
        elif outcome is None and self.setup.shared:
            yield Step("status after", "untested", "the till prints")
        else:
            yield Step("status after", "failed", "the printer took the slip and answers no more")

    def _printed(self, deadline: Deadline) -> Step:
        """The completion probe behind the slip, where the profile allows it."""
        self.completion.forget()
        overtaken = False
        while not self._works() and not deadline.expired():
            self.completion.hurry()
            probe = self.completion.due(self._now_s())
            if probe is None or not self.talk.send(probe, deadline):
                return Step("completion", "untested", "the printer does not answer the completion probe")
            # On a shared printer a question is dropped where the till leaves no gap for it.
            self.talk.pump(deadline.within(AGAIN_S) if self.setup.shared else deadline, self._works)
            overtaken |= self.setup.link.busy()
        if self._works():
            return Step("completion", "passed", "everything sent was printed")
        if overtaken:
            return Step("completion", "untested", "the till prints")
        if not self.completion.learned.supported(self.completion.NAME):
            return Step("completion", "untested", "the printer never answered the completion probe")
        return Step("completion", "failed", "the printer took the slip and did not finish printing it")

    def _works(self) -> bool:
        return self.completion.stalled is False

    def _look(self, deadline: Deadline) -> Deadline:
        """Time to ask for a status until it is believed, each answer coming at its last moment."""
        return deadline.within(NEEDED * len(Query) * self.setup.reply_s)

    def _now_s(self) -> float:
        return self.setup.clock.monotonic_s()
