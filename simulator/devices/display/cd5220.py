"""A 2x20 pole display with the CD5220 command set, written from its lists.

They are: CD5220 manual p15, POS-X XP8200 p19, Bematech LDX1000 p47-50. It never answers. `ESC Q A` and
`ESC Q B` begin the string mode: from then on only these, and CLR or CAN, which end it, are taken.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.devices.device import Knob
from simulator.devices.display.glass import Glass
from simulator.devices.display.pole import SHOWS, Act, Pole, nothing
from simulator.devices.display.pole_stream import Command, PoleStream, Token
from simulator.devices.small import DSR, POWER

ROWS, COLUMNS = 2, 20
SCROLLED_MOST = 40
SELF_TEST_S = 2.0
LEVELS_PCT = {1: 20, 2: 40, 3: 60, 4: 100}

KNOBS: tuple[Knob, ...] = (POWER, DSR, SHOWS)


def font_length(given: bytes) -> int:
    """ESC & s n m, then for each character from n to m its width a and a columns."""
    if len(given) < 3:
        return 3
    at = 3
    for _ in range(given[2] - given[1] + 1):
        if at >= len(given):
            return at + 1
        at += 1 + given[at]
    return at


COMMANDS = (
    Command("overwrite", b"\x1b\x11"),
    Command("overwrite", b"\x1f\x01"),
    Command("vertical", b"\x1b\x12"),
    Command("vertical", b"\x1f\x02"),
    Command("horizontal", b"\x1b\x13"),
    Command("horizontal", b"\x1f\x03"),
    Command("upper line", b"\x1bQA", text=COLUMNS),
    Command("lower line", b"\x1bQB", text=COLUMNS),
    Command("scroll", b"\x1bQD", text=SCROLLED_MOST),
    Command("left", b"\x1b[D"),
    Command("left", b"\x08"),
    Command("right", b"\x1b[C"),
    Command("right", b"\x09"),
    Command("up", b"\x1b[A"),
    Command("up", b"\x1f\x0a"),
    Command("down", b"\x1b[B"),
    Command("down", b"\x0a"),
    Command("home", b"\x1b[H"),
    Command("home", b"\x0b"),
    Command("left end", b"\x1b[L"),
    Command("left end", b"\x0d"),
    Command("right end", b"\x1b[R"),
    Command("right end", b"\x1f\x0d"),
    Command("bottom", b"\x1b[K"),
    Command("bottom", b"\x1f\x42"),
    Command("position", b"\x1bl", 2),
    Command("initialise", b"\x1b@"),
    Command("window", b"\x1bW", 4),
    Command("clear", b"\x0c"),
    Command("clear line", b"\x18"),
    Command("brightness", b"\x1b*", 1),
    Command("font", b"\x1b&", font_length),
    Command("font", b"\x1b?", 1),
    Command("font", b"\x1b%", 1),
    Command("font", b"\x1bf", 1),
    Command("font", b"\x1bc", 1),
    Command("cursor", b"\x1b_", 1),
    Command("peripheral", b"\x1b=", 1),
    Command("command set", b"\x1b#", 1),
    Command("blink", b"\x1fE", 1),
    Command("self-test", b"\x1f@"),
)

_IN_STRING_MODE = frozenset({"upper line", "lower line", "scroll", "clear", "clear line"})


class Cd5220Display(Pole):
    """`simulator.devices.device.Device` for model `cd5220`."""

    model = "cd5220"

    def __init__(self) -> None:
        self._string_mode = False
        self._selected = True
        super().__init__(PoleStream(COMMANDS), Glass(ROWS, COLUMNS), *KNOBS)

    def _initialise(self) -> None:
        super()._initialise()
        self._string_mode, self._selected = False, True

    def _acts(self) -> Mapping[str, Act]:
        return {
            **self._moves(),
            "upper line": lambda given: self._string(0, given),
            "lower line": lambda given: self._string(1, given),
            "scroll": lambda given: self._string(0, given),
            "initialise": lambda _: self._initialise(),
            "clear": lambda _: self._clear(),
            "clear line": lambda _: self._clear_line(),
            "brightness": self._brightness(LEVELS_PCT),
            "self-test": lambda _: self._self_test(),
            "peripheral": self._select,
            **dict.fromkeys(("window", "font", "cursor", "command set", "blink"), nothing),
        }

    def _execute(self, token: Token) -> None:
        if not self._selected and token.name != "peripheral":
            return  # it goes on to the printer
        if not self._string_mode or token.name in _IN_STRING_MODE:
            super()._execute(token)

    def _string(self, row: int, text: bytes) -> None:
        self._string_mode = True
        self._row(row, text)

    def _clear(self) -> None:
        self._string_mode = False
        self.glass.clear()

    def _clear_line(self) -> None:
        self._string_mode = False
        self.glass.clear_row()

    def _select(self, given: bytes) -> None:
        """1 printer, 2 display, 3 both; as digits too."""
        self._selected = bool(given[0] & 2)

    def _self_test(self) -> None:
        self._initialise()
        self._busy(SELF_TEST_S)

    def facts(self) -> Mapping[str, object]:
        return {**super().facts(), "string_mode": self._string_mode, "selected": self._selected}
