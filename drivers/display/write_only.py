"""Displays that say nothing: a poll asks nothing and judges the way alone.

Where its ready line is wired (DSR), that line low after it was high says that the display lost its power;
high from the start may also be the adapter's own doing.
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api import Deadline, Driver, DriverSpec, Level, Occasion, Setup, Step, VerifiedBy
from drivers.display.driver import WRONG_TEXT, DisplayDriver
from drivers.display.panel import OPTIONS, Language, Panel
from drivers.silence import LINE_KEY, SHOWS_POWER, Outcome


class WriteOnly:
    """`drivers.asked.Dialogue` with a display that has no answers."""

    kinds: tuple[str, ...] = (WRONG_TEXT,)
    identifies = False
    verified_by: VerifiedBy = "operator"
    by_notice = False

    def __init__(self, setup: Setup, language: Language) -> None:
        self._link = setup.link
        self._memory = setup.memory
        self._was_off = False
        self.panel = Panel(setup, language)

    def opened(self) -> None:
        self._memory.pop(LINE_KEY, None)  # another adapter, perhaps; without answers nothing would unlearn it
        self._was_off = False
        self.panel.opened()

    def ask(self, deadline: Deadline) -> Outcome | None:
        """Nothing is asked; the text is written where it is due and no sale is in progress."""
        line = self._link.power_line()
        if line:
            self._memory[LINE_KEY] = SHOWS_POWER
        elif line is False and self._memory.get(LINE_KEY) == SHOWS_POWER:
            self._was_off = True
            return None  # the line says it all
        if self._was_off:
            self._was_off = False
            self.panel.again()
        self.panel.keep(deadline)
        return Outcome.OPEN

    def heard(self, data: bytes) -> bool:  # noqa: ARG002 - whatever it is, nothing is known by it
        return False

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - the customer reads it, so it names no terminal
        if level == "internal":
            yield Step("show", "untested", "it cannot answer; ask for --level interactive")
        yield from self.panel.test(level, deadline)


def spec(name: str, language: Language) -> DriverSpec:
    """The driver of one family of such displays."""

    def make(setup: Setup) -> Driver:
        return DisplayDriver(setup, WriteOnly(setup, language), answers=False)

    return DriverSpec(name=name, categories=("LineDisplay",), links=("serial",), options=OPTIONS, make=make)
