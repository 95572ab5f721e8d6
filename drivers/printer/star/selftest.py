"""What a Star printer's self-test has beyond answer, status and identity: a slip, and the proof of it."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api import Deadline, Level, Occasion, Setup, Step
from drivers.asked import HARMLESS
from drivers.printer.drawer import Drawer
from drivers.printer.slip import QUESTION, text
from drivers.printer.star import status
from drivers.printer.star.talk import Talk
from drivers.printer.star.wire import Asb, count, feed_and_cut, initialise

PRINT_S = 8.0  #: a slip is printed and cut in less
AGAIN_S = 0.5


class Selftest:
    """One run, over an open link. Raises LinkErrors."""

    def __init__(self, setup: Setup, talk: Talk, drawer: Drawer) -> None:
        self._drawer = drawer
        self._setup = setup
        self._talk = talk

    def run(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        """The steps, each as it is done; ends within the deadline."""
        if level == "internal":
            return
        before = self._talk.ask(deadline.within(self._setup.poll_s))
        trouble = self._trouble(before)
        if trouble or not isinstance(before, Asb):
            yield Step("print", "untested", f"not printed: {trouble}")
            return
        data = initialise() + text(self._setup.device, occasion, "status passed") + feed_and_cut() + count()
        within = deadline.within(PRINT_S)
        if not self._talk.send(data, within):
            yield Step("print", "failed", "the printer does not take the slip; is it busy or stopped?")
            return
        yield Step("print", "passed", f"{len(data)} bytes taken")
        yield self._printed(before, within)
        yield self._after(deadline)
        if level == "interactive":
            yield Step("slip", "untested", "for the technician to say", question=QUESTION)
            yield from self._drawer.steps()

    def _printed(self, before: Asb, deadline: Deadline) -> Step:
        """ETB stands behind the slip: the counter moves when all before it is printed."""
        if before.counter is None:
            return Step("completion", "untested", "this model does not count what it has printed")
        answered = False
        while not deadline.expired():
            now = self._talk.ask(deadline)
            answered |= isinstance(now, Asb)
            if isinstance(now, Asb) and now.counter not in (None, before.counter):
                return Step("completion", "passed", "everything sent was printed")
            self._talk.rest(deadline.within(AGAIN_S))
        why = "did not finish printing it" if answered else "answers no more"
        return Step("completion", "failed", f"the printer took the slip and {why}")

    def _after(self, deadline: Deadline) -> Step:
        now = self._talk.ask(deadline.within(self._setup.poll_s))
        trouble = self._trouble(now)
        return Step("status after", "failed" if trouble else "passed", trouble or "nothing wrong")

    def _trouble(self, said: object) -> str:
        """What speaks against printing; empty where nothing does."""
        if not isinstance(said, Asb):
            return "the printer answers no more"
        now = status.read(said.frame)
        wrong = [kind for kind, value in status.conditions(now).items() if value and kind not in HARMLESS]
        if not wrong and not now.idle:
            wrong = ["offline"]
        return ", ".join(wrong).replace("_", " ")
