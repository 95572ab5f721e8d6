"""A 2x20 pole display with Logic Controls' own command set, written from its manuals (LD9000 p10, PDX3 p18).

It never answers. It starts in vertical scroll mode: characters go to the lower row, and a line feed moves
them up; `11` makes it a plain display of two rows. Nothing but the reset `1F` clears it.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.devices.device import Knob
from simulator.devices.display.glass import Glass
from simulator.devices.display.pole import SHOWS, Act, Pole, nothing
from simulator.devices.display.pole_stream import Command, PoleStream
from simulator.devices.small import DSR, POWER

ROWS, COLUMNS = 2, 20
SCROLLED_MOST = 45
LEVELS_PCT = {0x20: 20, 0x40: 40, 0x60: 60, 0xFF: 100}

KNOBS: tuple[Knob, ...] = (POWER, DSR, SHOWS)

COMMANDS = (
    Command("font", b"\x03", 6),
    Command("brightness", b"\x04", 1),
    Command("scroll", b"\x05", text=SCROLLED_MOST),
    Command("back space", b"\x08"),
    Command("tab", b"\x09"),
    Command("line feed", b"\x0a"),
    Command("carriage return", b"\x0d"),
    Command("digit select", b"\x10", 1),
    Command("normal", b"\x11"),
    Command("vertical scroll", b"\x12"),
    Command("cursor", b"\x13"),
    Command("cursor", b"\x14"),
    Command("reset", b"\x1f"),
)


class LogicControlsDisplay(Pole):
    """`simulator.devices.device.Device` for model `logic_controls`."""

    model = "logic_controls"

    def __init__(self) -> None:
        super().__init__(PoleStream(COMMANDS, escapes=b""), Glass(ROWS, COLUMNS), *KNOBS)

    def _start(self) -> None:
        super()._start()
        self._reset()

    def _reset(self) -> None:
        self.glass.clear()
        self.brightness_pct = 100
        self._scroll_mode()

    def _scroll_mode(self) -> None:
        self.glass.mode = "vertical"
        self.glass.go((ROWS - 1) * COLUMNS)

    def _acts(self) -> Mapping[str, Act]:
        glass = self.glass
        return {
            "brightness": self._brightness(LEVELS_PCT),
            "scroll": lambda given: self._row(0, given),
            "back space": lambda _: glass.back(),
            "tab": lambda _: glass.step(1),
            "line feed": lambda _: glass.line(1),
            "carriage return": lambda _: glass.left_end(),
            "digit select": lambda given: glass.go(given[0]),
            "normal": lambda _: setattr(glass, "mode", "overwrite"),
            "vertical scroll": lambda _: self._scroll_mode(),
            "reset": lambda _: self._reset(),
            **dict.fromkeys(("font", "cursor"), nothing),
        }

    def facts(self) -> Mapping[str, object]:
        return {**super().facts(), "mode": self.glass.mode}
