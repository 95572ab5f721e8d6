"""An NCR customer display, from the guides of the 7454 (ch. 6), the 5972 (ch. 4) and the 5977 (ch. 5).

Everything but ESC is a character, control codes too. `model=7454` has 4 lines of 20 and reads back what it
displays (`1B 38`); `5972` and `5977` have 2 lines and do not know that command. After power-up it is in its
low power state: it takes text, and reads it back, but nothing is to be seen until `1B 05` (display on).
With `shows=nonsense` the glass, and what is read back, is something other than it was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.devices.device import Knob
from simulator.devices.display.glass import Glass
from simulator.devices.display.pole import SHOWS, Act, Pole, nothing
from simulator.devices.display.pole_stream import Command, PoleStream, Token
from simulator.devices.small import DSR, POWER

COLUMNS = 20
RESET_S = 2.0
PART = "008-0221552"


@dataclass(frozen=True, slots=True)
class Kind:
    """`text`: what 1B 19 tells, after its length."""

    rows: int
    id_byte: int
    text: str
    levels_pct: Mapping[int, int]
    reads_back: bool = False


KINDS: Mapping[str, Kind] = {
    "7454": Kind(
        4, 0x8E, f"NCR {PART}, F/W {{firmware}}", {1: 0, 2: 25, 3: 50, 4: 75, 5: 100}, reads_back=True
    ),
    "5972": Kind(2, 0x8A, f"NCR 5972, {PART}", {1: 20, 2: 40, 3: 60, 4: 80, 5: 100}),
    # Its id byte is not in the pages that were read: another 2x20 is taken to tell the same.
    "5977": Kind(
        2,
        0x8A,
        f"NCR 5977, {PART},{{firmware}},<S/N:{{serial:.11}}>",
        {1: 20, 2: 40, 3: 60, 4: 80, 5: 100},
    ),
}

MODEL = Knob("model", tuple(KINDS))
KNOBS = (
    SHOWS,
    POWER,
    DSR,
    MODEL,
    Knob("firmware", ("V1.00.01",), text=True),
    Knob("serial", ("48C12345678",), text=True),
)

COMMANDS = (
    Command("reset", b"\x1b\x01"),
    Command("erase", b"\x1b\x02"),
    Command("diagnostic", b"\x1b\x04"),
    Command("display on", b"\x1b\x05"),
    Command("low power", b"\x1b\x06"),
    Command("cursor", b"\x1b\x07"),
    Command("cursor", b"\x1b\x08"),
    Command("blink", b"\x1b\x0d"),
    Command("blink", b"\x1b\x0e"),
    Command("left", b"\x1b\x0f"),
    Command("right", b"\x1b\x10"),
    Command("up", b"\x1b\x11"),
    Command("down", b"\x1b\x12"),
    Command("position", b"\x1b\x13", 1),
    Command("brightness", b"\x1b\x17", 1),
    Command("id byte", b"\x1b\x18"),
    Command("id string", b"\x1b\x19"),
    Command("escape character", b"\x1b\x1b"),
    Command("read back", b"\x1b\x38"),
)


class Ncr597xDisplay(Pole):
    """`simulator.devices.device.Device` for model `ncr597x`."""

    model = "ncr597x"
    status = frozenset({"id byte", "id string", "read back"})

    def __init__(self) -> None:
        self._state = "low power"
        stream = PoleStream(COMMANDS, escapes=b"\x1b", control_characters=True)
        super().__init__(stream, Glass(KINDS[MODEL.default].rows, COLUMNS), *KNOBS)

    def _start(self) -> None:
        super()._start()
        self._state = "low power"

    def _turned(self, knob: str, value: str) -> None:  # noqa: ARG002 - a hook with both
        if knob == "model" and self._kind.rows != self.glass.rows:
            self.glass = Glass(self._kind.rows, COLUMNS)
            self._table = self._acts()

    @property
    def _kind(self) -> Kind:
        return KINDS[self.knobs["model"]]

    def _acts(self) -> Mapping[str, Act]:
        glass = self.glass
        return {
            **self._moves(),
            "reset": lambda _: self._reset(),
            "erase": lambda _: glass.clear(),
            "diagnostic": lambda _: self._enter("diagnostic"),
            "display on": lambda _: self._enter("on"),
            "low power": lambda _: self._enter("low power"),
            "position": lambda given: glass.go(given[0]),
            "brightness": self._dim,
            "id byte": lambda _: self._answers.append(bytes([self._kind.id_byte])),
            "id string": lambda _: self._tell(self._identity()),
            "read back": lambda _: self._read_back(),
            "escape character": lambda _: None if self._kind.reads_back else self._text(b"\x1b"),
            **dict.fromkeys(("cursor", "blink"), nothing),
        }

    def _execute(self, token: Token) -> None:
        # Diagnostic state: prior data is saved, and what comes is not shown until another state is chosen.
        if token.name or self._state != "diagnostic":
            super()._execute(token)

    def _enter(self, state: str) -> None:
        self._state = state

    def _reset(self) -> None:
        """The power-up sequence: busy, and then as after switching on."""
        self.glass.clear()
        self.brightness_pct = 100
        self._state = "low power"
        self._busy(RESET_S)

    def _dim(self, given: bytes) -> None:
        self.brightness_pct = self._kind.levels_pct.get(given[0], self.brightness_pct)

    def _identity(self) -> bytes:
        return self._kind.text.format(firmware=self.knobs["firmware"], serial=self.knobs["serial"]).encode()

    def _read_back(self) -> None:
        if self._kind.reads_back:
            self._tell(self.glass.shown(nonsense=self.knobs["shows"] == "nonsense"))

    def _tell(self, text: bytes) -> None:
        self._answers.append(bytes([len(text)]) + text)

    def lines(self) -> list[str]:
        dark = self._state == "low power" or self.brightness_pct == 0
        return [" " * COLUMNS] * self.glass.rows if dark else super().lines()

    def facts(self) -> Mapping[str, object]:
        return {**super().facts(), "state": self._state}
