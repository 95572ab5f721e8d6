"""MagTek swipe readers, by HID feature reports: software id, serial number, swipe counter.

Only feature reports are asked for, and the link is closed after each poll, so no swipe is ever seen here. A
reader that types like a keyboard has the same reports, and is never opened, its link sees to that: what it
types is a card.

The counter is no UnifiedPOS statistic: it counts swipes whether they could be read or not (p41), and
GoodReadCount counts the readable ones. It keeps the manual's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from drivers.api import Deadline, Driver, DriverSpec, Level, Occasion, Setup, Step, VerifiedBy
from drivers.asked import AskedDriver, Reading
from drivers.reader.magtek.consts import Property
from drivers.reader.magtek.wire import Answer, Count, Refused, Text, Wrong, answers_another, get, read
from drivers.seldom import Seldom
from drivers.silence import Outcome

SERIALS = (Property.DEVICE_SERIAL, Property.USB_SERIAL)
"""The first that is set is told."""
COUNTER = "SequenceCounter"
TRIES = 4  #: of one question in one poll
SPOILED_S = 0.05

Unanswered = Literal[Outcome.MISSED, Outcome.GARBLED]


class MagtekDialogue:
    """`drivers.asked.Dialogue` of such a reader. It says nothing of its own state."""

    kinds: tuple[str, ...] = ()
    identifies = True
    verified_by: VerifiedBy = "readback"
    by_notice = False

    def __init__(self, setup: Setup) -> None:
        self._link = setup.link
        self._reply_s = setup.reply_s
        self._identity: Seldom[str, str] = Seldom(setup, ("serial",), self._ask_serial)

    def opened(self) -> None:
        """Nothing waits: each answer is fetched."""

    def ask(self, deadline: Deadline) -> Reading | Outcome | None:
        software = self._ask(Property.SOFTWARE_ID, deadline)
        if not isinstance(software, Answer):
            return software
        counter = self._ask(Property.SEQUENCE_COUNTER, deadline)
        if not isinstance(counter, Answer):
            return counter
        return Reading(
            identity=self._identity.look(deadline) | _firmware(software),
            statistics={COUNTER: float(counter.count)} if isinstance(counter, Count) else {},
        )

    def heard(self, data: bytes) -> bool:  # noqa: ARG002 - nothing comes unasked by feature reports
        return False

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - the same at any level
        counter = self._ask(Property.SEQUENCE_COUNTER, deadline)
        if isinstance(counter, Count):
            yield Step("counter", "passed", f"{counter.count} swipes in its life")
        else:
            yield Step("counter", "untested", "the reader does not count")
        if level == "interactive":
            yield Step("swipe", "untested", "for the technician to say", question=QUESTION)

    def _ask(self, what: Property, deadline: Deadline, *, tries: int = TRIES) -> Answer | Unanswered:
        """Raises LinkErrors."""
        request = get(what)
        outcome: Unanswered = Outcome.MISSED
        for again in reversed(range(tries)):
            until = deadline.within(self._reply_s / 2 if again else self._reply_s)
            if self._link.write(request, until) < len(request):
                break
            said = self._hear(what, until, SPOILED_S if again else self._reply_s)
            if isinstance(said, Answer):
                return said
            if isinstance(said, Wrong):
                outcome = Outcome.GARBLED
            if deadline.expired():
                break
        return outcome

    def _hear(self, what: Property, until: Deadline, spoiled_s: float) -> Answer | Wrong | None:
        """None where nothing whole came, or the answer to another question alone, a late one.

        Wrong `spoiled_s` after what is none at all.
        """
        report, wrong = b"", None
        while True:
            report += self._link.read(until)
            said = read(what, report)
            if isinstance(said, Wrong):
                wrong = wrong if answers_another(report) else said
                report, until = b"", until.within(spoiled_s)
            elif said is not None:
                return said
            if until.expired():
                return wrong

    def _ask_serial(self, _what: str, deadline: Deadline) -> str | None:
        """None also where none is set: the answer is all zeros then, which no link can tell from none."""
        refused = 0
        for what in SERIALS:
            said = self._ask(what, deadline, tries=1)
            if said is Outcome.GARBLED:
                return None
            if isinstance(said, Text) and said.text.strip():
                return said.text.strip()
            refused += isinstance(said, Refused)
        return "" if refused == len(SERIALS) else None


QUESTION = "Swipe a test card: does the till's program show that it was read?"


def _firmware(software: Answer) -> dict[str, str]:
    text = software.text.strip() if isinstance(software, Text) else ""
    return {"firmware": text} if text else {}


def make(setup: Setup) -> Driver:
    return AskedDriver(setup, MagtekDialogue(setup))


SPEC = DriverSpec(name="magtek", categories=("MSR",), links=("hid",), make=make)
