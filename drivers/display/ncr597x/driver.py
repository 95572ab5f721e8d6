"""NCR 597x and 7454 customer displays: they tell who they are, and the 7454 what it shows."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api import Deadline, Driver, DriverSpec, Json, Level, Occasion, Setup, Step, VerifiedBy
from drivers.asked import Reading
from drivers.belief import Belief
from drivers.display.asking import Asker
from drivers.display.driver import WRONG_TEXT, DisplayDriver
from drivers.display.ncr597x.comparison import Comparison, difference
from drivers.display.ncr597x.consts import MODELS, READS_BACK, SCREEN_CHARACTERS
from drivers.display.ncr597x.identity import identity as read_identity
from drivers.display.ncr597x.wire import (
    ASK_ID,
    ASK_SCREEN,
    ASK_TEXT,
    BRIGHTNESSES,
    CLEAR,
    ON,
    Event,
    IdByte,
    Parser,
    Text,
    show,
)
from drivers.display.panel import OPTIONS, Language, Panel
from drivers.identity import printable
from drivers.seldom import Seldom
from drivers.silence import Outcome

LANGUAGE = Language(show=lambda lines: show(lines) + ON, clear=CLEAR, brightness=BRIGHTNESSES)
LOOKS = 4  #: reads of the screen in a self-test, of which two must agree


class Ncr:
    """`drivers.asked.Dialogue` with a 597x or 7454."""

    kinds: tuple[str, ...] = (WRONG_TEXT,)
    identifies = True
    verified_by: VerifiedBy = "readback"
    by_notice = False

    def __init__(self, setup: Setup) -> None:
        self.panel = Panel(setup, LANGUAGE)
        self._asker: Asker[Event] = Asker(setup, Parser())
        self._id: Belief[int] = Belief()
        self._who: Seldom[bytes, str] = Seldom(setup, (ASK_TEXT,), self._tell)
        self._comparison = Comparison()
        self._was_away = False

    def opened(self) -> None:
        self.panel.opened()
        self._asker.opened()
        self._who.doubt()
        self._comparison.forget()

    def ask(self, deadline: Deadline) -> Reading | Outcome | None:
        if not self.panel.free():
            self._was_away = True
            return None
        said = self._asker.ask(ASK_ID, _id, deadline, alone=True)
        if isinstance(said, Outcome):
            self._was_away = True
            return said
        if self._was_away:  # it may have been switched off, or be another one
            self._was_away = False
            self.panel.again()
        self.panel.keep(deadline)
        if self._id.hear(said):
            self._who.doubt()
        identity = self._identity(deadline)
        self._compare(deadline)
        return Reading(
            conditions={WRONG_TEXT: self._comparison.wrong},
            identity=identity,
            evidence=self._comparison.evidence,
        )

    def heard(self, data: bytes) -> bool:
        self._asker.heard(data)
        return False

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - the customer reads it, so it names no terminal
        yield from self.panel.test(level, deadline, self._check if self._reads_back else None)

    @property
    def _reads_back(self) -> bool:
        return self._id.reading in READS_BACK

    def _tell(self, what: bytes, deadline: Deadline) -> str | None:
        said = self._asker.ask(what, _said, deadline, tries=1)
        return None if isinstance(said, Outcome) else said

    def _identity(self, deadline: Deadline) -> dict[str, str]:
        said = self._who.look(deadline, ask=self._id.reading is not None and self._asker.prompt)
        if self._id.reading is None or not self._who.settled:
            return {}
        by_id = MODELS.get(self._id.reading, f"id {self._id.reading:02X}")
        return {"model": by_id, **read_identity(said.get(ASK_TEXT, ""))}

    # -- what it shows -------------------------------------------------------------------------------

    def _compare(self, deadline: Deadline) -> None:
        told = self._told()
        if told is None or not self._reads_back:
            self._comparison.forget()
            return
        shown = self._screen(told, deadline) if self._asker.prompt else None
        if shown is not None and self._comparison.saw(told, shown):
            self.panel.again()

    def _told(self) -> bytes | None:
        lines = self.panel.told
        return None if lines is None else "".join(lines).encode("ascii").ljust(SCREEN_CHARACTERS)

    def _screen(self, told: bytes, deadline: Deadline, looks: int = 2) -> bytes | None:
        """What it shows, if that is as told, or read twice alike; None if that cannot be said."""
        before = None
        for _ in range(looks):
            if not self.panel.free():
                return None
            shown = self._asker.ask(ASK_SCREEN, _screen, deadline, tries=1)
            if not isinstance(shown, bytes):
                return None
            if shown in (told, before):
                return shown
            before = shown
        return None

    def _check(self, deadline: Deadline) -> Iterator[Step]:
        """While the pattern stands there."""
        told = self._told()
        if told is None:
            return
        shown = self._screen(told, deadline, LOOKS)
        if shown is None:
            yield Step("read back", "untested", "it did not say twice alike what it shows")
        elif shown == told:
            yield Step("read back", "passed", "it says that it shows what it was told")
        else:
            where: dict[str, Json] = difference(told, shown)
            yield Step(
                "read back",
                "failed",
                f"it says that it shows something else, from line {where['line']}, column {where['column']}",
            )


def _id(event: Event) -> int | None:
    return event.value if isinstance(event, IdByte) else None


def _said(event: Event) -> str | None:
    if not isinstance(event, Text) or len(event.body) == SCREEN_CHARACTERS:
        return None
    return printable(event.body.decode("ascii", "replace"), SCREEN_CHARACTERS)


def _screen(event: Event) -> bytes | None:
    if isinstance(event, Text) and len(event.body) == SCREEN_CHARACTERS:
        return event.body
    return None


def make(setup: Setup) -> Driver:
    return DisplayDriver(setup, Ncr(setup))


SPEC = DriverSpec(name="ncr597x", categories=("LineDisplay",), links=("serial",), options=OPTIONS, make=make)
