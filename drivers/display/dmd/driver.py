"""Epson DM-D customer displays, stand-alone: they tell who they are, and not what they show."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api import Deadline, Driver, DriverSpec, Level, Occasion, Setup, Step, VerifiedBy
from drivers.asked import Reading
from drivers.belief import Belief
from drivers.display.asking import Asker
from drivers.display.dmd.consts import MARK, SPACE, Info
from drivers.display.dmd.wire import (
    BRIGHTNESSES,
    CLEAR,
    Parser,
    ask_info,
    handshake,
    selftest,
    show,
)
from drivers.display.driver import WRONG_TEXT, DisplayDriver
from drivers.display.panel import OPTIONS, SALE, Language, Panel
from drivers.identity import printable
from drivers.seldom import Seldom
from drivers.silence import Outcome

LANGUAGE = Language(show=show, clear=CLEAR, brightness=BRIGHTNESSES)
HEARTBEAT = Info.NAME
SELDOM = {Info.SERIAL: "serial", Info.FIRMWARE: "firmware", Info.MAKER: "manufacturer"}
SELFTEST_S = 12.0  #: its own test answers nothing so long
AT_ONCE_S = 0.3  #: no test is over so soon
LINE_S = 0.5  #: a modem line follows its command within this


class Dmd:
    """`drivers.asked.Dialogue` with a DM-D."""

    kinds: tuple[str, ...] = (WRONG_TEXT,)
    identifies = True
    verified_by: VerifiedBy = "operator"  #: it does not tell what it shows
    by_notice = False

    def __init__(self, setup: Setup) -> None:
        self._link = setup.link
        self._clock = setup.clock
        self.panel = Panel(setup, LANGUAGE)
        self._asker: Asker[bytes] = Asker(setup, Parser())
        self._name: Belief[str] = Belief()
        self._who: Seldom[Info, str] = Seldom(setup, SELDOM, self._tell)
        self._was_away = False

    def opened(self) -> None:
        self.panel.opened()
        self._asker.opened()
        self._who.doubt()

    def ask(self, deadline: Deadline) -> Reading | Outcome | None:
        if not self.panel.free():
            self._was_away = True
            return None
        name = self._asker.ask(ask_info(HEARTBEAT), _text, deadline)
        if isinstance(name, Outcome):
            self._was_away = True
            return name
        if self._was_away:  # it may have been switched off, or be another one
            self._was_away = False
            self.panel.again()
        self.panel.keep(deadline)
        if self._name.hear(name):
            self._who.doubt()
        return Reading(identity=self._identity(deadline))

    def heard(self, data: bytes) -> bool:
        self._asker.heard(data)
        return False

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - the customer reads it, so it names no terminal
        if level != "internal" and self.panel.free():
            yield self._own_test(deadline)
            yield from self._handshake(deadline)
        yield from self.panel.test(level, deadline)

    def _tell(self, info: Info, deadline: Deadline) -> str | None:
        said = self._asker.ask(ask_info(info), _text, deadline, tries=1)
        return None if isinstance(said, Outcome) else said

    def _identity(self, deadline: Deadline) -> dict[str, str]:
        name = self._name.reading
        said = self._who.look(deadline, ask=name is not None and self._asker.prompt)
        if name is None or not self._who.settled:
            return {}
        return {"model": name, **{SELDOM[info]: text for info, text in said.items()}}

    def _own_test(self, deadline: Deadline) -> Step:
        """US @; a display that answers afterwards came to its end."""
        request = selftest()
        self.panel.again()  # it clears the text
        if self._link.write(request, deadline) < len(request):
            return Step("own test", "failed", "the command did not leave in time; check the flow control")
        began_s = self._clock.monotonic_s()
        said = self._asker.ask(ask_info(HEARTBEAT), _text, deadline, tries=1, reply_s=SELFTEST_S)
        if isinstance(said, Outcome):
            return Step("own test", "failed", "it did not answer after its own test; switch it off and on")
        if self._clock.monotonic_s() - began_s < AT_ONCE_S:
            return Step("own test", "untested", "it answers at once, so its own test did not run")
        return Step("own test", "passed", "it ran its own test, and answers again")

    def _handshake(self, deadline: Deadline) -> Iterator[Step]:
        """US v moves its DTR, which is our DSR; where that is wired, it shows that it takes data."""
        if self._link.power_line() is None:
            return
        if not self.panel.free():
            yield Step("handshake", "untested", SALE)
            return
        low = self._line_follows(MARK, False, deadline)
        high = self._line_follows(SPACE, True, deadline)
        if high and low:
            yield Step("handshake", "passed", "its ready line follows the command")
        elif high:
            yield Step("handshake", "untested", "its ready line does not move; it may not be wired")
        else:
            yield Step("handshake", "failed", "it does not get ready: its buffer is full, or it hangs")

    def _line_follows(self, command: int, level: bool, deadline: Deadline) -> bool:
        request = handshake(command)
        if self._link.write(request, deadline) < len(request):
            return False
        within = deadline.within(LINE_S)
        while self._link.power_line() is not level:
            if within.expired():
                return False
            self._link.read(within.within(0.02))
        return True


def _text(block: bytes) -> str | None:
    return printable(block.decode("ascii", "replace"), 80)


def make(setup: Setup) -> Driver:
    return DisplayDriver(setup, Dmd(setup))


SPEC = DriverSpec(
    name="dmd", categories=("LineDisplay",), links=("serial", "usb"), options=OPTIONS, make=make
)
