"""A 2x20 pole display with the Aedex command set, written from Logic Controls' manual (PDX3, p22).

It never answers. What does not begin with its attention code (`!#` until it is changed) is not for it,
and goes on to the next device of the chain. The manual's texts are of up to 45 characters; a line shows 20.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.devices.device import Knob
from simulator.devices.display.glass import Glass
from simulator.devices.display.pole import SHOWS, Act, Pole, nothing
from simulator.devices.display.pole_stream import Command, PoleStream
from simulator.devices.small import DSR, POWER

ROWS, COLUMNS = 2, 20
TEXT_MOST = 45
ATTENTION = b"!#"

KNOBS: tuple[Knob, ...] = (POWER, DSR, SHOWS)

_NAMES: Mapping[str, str] = {
    "1": "upper line",
    "2": "lower line",
    "4": "scroll",
    "5": "time",
    "6": "scroll once",
    "7": "trapping off",
    "8": "attention code",
    "9": "both lines",
    "A": "reset",
}
"""By the byte after the attention code."""


def commands(attention: bytes) -> list[Command]:
    return [Command(name, attention + code.encode(), text=TEXT_MOST) for code, name in _NAMES.items()]


class AedexDisplay(Pole):
    """`simulator.devices.device.Device` for model `aedex`."""

    model = "aedex"

    def __init__(self) -> None:
        self._attention = ATTENTION
        self._passed_on_bytes = 0
        super().__init__(PoleStream((), escapes=b"", control_characters=True), Glass(ROWS, COLUMNS), *KNOBS)

    def _start(self) -> None:
        super()._start()
        self._attend(ATTENTION)

    def _attend(self, attention: bytes) -> None:
        self._attention = attention
        self._stream.know(commands(attention))

    def _acts(self) -> Mapping[str, Act]:
        return {
            "upper line": lambda given: self._row(0, given),
            "lower line": lambda given: self._row(1, given),
            "scroll": lambda given: self._row(0, given),
            "scroll once": lambda given: self._row(0, given),
            "time": lambda given: self._row(1, given[:5]),
            "both lines": self._both,
            "attention code": lambda given: self._attend(given) if len(given) == 2 else None,
            "reset": lambda _: self._reset(),
            "trapping off": nothing,
        }

    def _both(self, given: bytes) -> None:
        self._row(0, given)
        self._row(1, given[COLUMNS:])

    def _reset(self) -> None:
        self.glass.clear()
        self._attend(ATTENTION)

    def _text(self, characters: bytes) -> None:
        self._passed_on_bytes += len(characters)

    def facts(self) -> Mapping[str, object]:
        return {
            **super().facts(),
            "attention_code": self._attention.hex(),
            "passed_on_bytes": self._passed_on_bytes,
        }
