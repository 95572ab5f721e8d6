"""What a display is to show, and when it may be written to: never during a sale.

One `Panel` writes all that the agent ever shows: the configured text while nobody else writes, and a
pattern in a self-test. The technician's answer puts an end to that, or a sale, or five minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from drivers.api import Deadline, Json, Level, Link, Option, Setup, Step
from drivers.display.text import PATTERN, TWO_BY_TWENTY, ShownText, Size, fitted

TEXT = "text"
OPTIONS: dict[str, Option] = {TEXT: ShownText}
"""The config key that every display has: what it shows when no sale is in progress; lines split at `\\n`."""

WRITE_S = 2.0  #: forty characters at 9600 baud take 50 ms
DIM_S = 0.4  #: each step of the brightness is shown so long
PATTERN_S = 300.0  #: a pattern stays so long for a technician who does not answer
SLICE_S = 0.02

LOOKS = "looks"  #: the step that the technician decides
QUESTION = "Do both lines show every character, the first `{}`, the second `{}`?"
SALE = "a sale is in progress; nothing is shown on the customer's display then"


@dataclass(frozen=True, slots=True)
class Language:
    """How one family of displays is told what to show; all are bytes to be sent in one piece."""

    show: Callable[[tuple[str, ...]], bytes]
    """Both lines, as `text.fitted` makes them, in place of what stood there."""
    clear: bytes
    brightness: tuple[bytes, ...] = ()  #: from the darkest to full
    size: Size = TWO_BY_TWENTY


@runtime_checkable
class Draining(Protocol):
    """A link that knows how much of what was written has not left yet."""

    def waiting_bytes(self) -> int: ...


class Panel:
    """Methods that write raise LinkErrors."""

    def __init__(self, setup: Setup, language: Language) -> None:
        self._setup = setup
        self._link: Link = setup.link
        self._clock = setup.clock
        self._language = language
        self._text = _configured(setup, language.size)
        self._pattern = fitted("\n".join(PATTERN), language.size)
        self._due = False
        self._sold = False
        self._pattern_ends_s: float | None = None
        self.told: tuple[str, ...] | None = None
        """What it must show now; None while that is not the agent's affair."""

    def opened(self) -> None:
        """Nobody knows what it shows now."""
        self.told, self._pattern_ends_s = None, None
        self._due = self._text is not None

    def free(self) -> bool:
        """No sale is known to be in progress, so it may be asked and written to."""
        if self._setup.sale() == "yes":
            # The till writes now, over a pattern too.
            self._sold, self.told, self._pattern_ends_s = True, None, None
            return False
        if self._sold:
            self._sold = False
            self._due = self._text is not None
        return True

    def again(self) -> None:
        """It may have lost its text: it is written anew with the next `keep`."""
        self._due = self._text is not None and self._pattern_ends_s is None

    def keep(self, deadline: Deadline) -> None:
        """Write what is due. A sale may have begun since `free` was asked."""
        if not self.free():
            return
        ends_s = self._pattern_ends_s
        if ends_s is not None and self._clock.monotonic_s() >= ends_s:
            self.put_back(deadline)
        elif self._due:
            self._show(self._text, deadline)

    def shows_pattern(self) -> bool:
        """As far as it was told, and nobody has written since."""
        return self.told == self._pattern and self.free()

    def put_back(self, deadline: Deadline) -> bool:
        """The text in place of the pattern, or nothing where none is configured. True: it left in time."""
        self._pattern_ends_s = None
        return self.free() and self._show(self._text, deadline)

    def test(
        self, level: Level, deadline: Deadline, check: Callable[[Deadline], Iterator[Step]] | None = None
    ) -> Iterator[Step]:
        """A pattern in both lines, `check` while it stands there, the steps of brightness."""
        if level == "internal":
            return
        if not self.free():
            yield Step("show", "untested", SALE)
            return
        self._pattern_ends_s = self._clock.monotonic_s() + PATTERN_S
        try:
            yield self._left("show", self._show(self._pattern, deadline))
            if check is not None:
                yield from check(deadline)
            yield from self._brightness(deadline)
            if level == "interactive" and self.shows_pattern():
                question = QUESTION.format(*self._pattern)
                yield Step(LOOKS, "untested", "for the technician to say", question=question)
                return  # the answer comes later, or never; it is put back then
        except GeneratorExit:
            return  # whoever asked went away; it is put back when its time is over
        if self.free():
            yield self._left("restore", self.put_back(deadline))

    def _brightness(self, deadline: Deadline) -> Iterator[Step]:
        if not self._language.brightness:
            return
        left = True
        for step in self._language.brightness:
            if not self.free():
                yield Step("brightness", "untested", SALE)
                return
            # Where lines are held in a mode of their own, a command must clear them first.
            left = self._send(step, deadline) and self._show(self._pattern, deadline) and left
            self._link.read(deadline.within(DIM_S))
        yield self._left("brightness", left)

    def _left(self, name: str, left: bool) -> Step:
        if left:
            return Step(name, "passed", "the bytes left in time; whether it shows them, only a look can tell")
        if not self.free():
            return Step(name, "untested", SALE)
        return Step(name, "failed", "the bytes did not leave in time; check the cable and the flow control")

    def _show(self, lines: tuple[str, ...] | None, deadline: Deadline) -> bool:
        data = self._language.clear if lines is None else self._language.show(lines)
        left = self._send(data, deadline)
        if left:
            self.told, self._due = lines, False
        else:
            self.told, self._due = None, self._text is not None
        return left

    def _send(self, data: bytes, deadline: Deadline) -> bool:
        """Whether all of it left in time."""
        within = deadline.within(WRITE_S)
        if self._link.write(data, within) < len(data):
            return False
        link = self._link
        while isinstance(link, Draining) and link.waiting_bytes():
            if within.expired():
                return False
            self._setup.link.read(within.within(SLICE_S))
        return True


def _configured(setup: Setup, size: Size) -> tuple[str, ...] | None:
    text: Json = setup.options.get(TEXT)
    return fitted(text, size) if isinstance(text, str) else None
