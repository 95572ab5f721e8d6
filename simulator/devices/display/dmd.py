"""A customer display that speaks Epson's ESC/POS for displays, stand-alone, written from the DM-D110
specification (p49-66) and the command reference of the DM-D family (US ( B function 48).

After `ESC = 1` everything goes on to the printer until `ESC = 2` or `3`. A self-test (`US @`) takes
`SELF_TEST_S`; what comes meanwhile waits. `US v 1` lowers DTR (the host's DSR) until `US v 0`, which works
only with room in the buffer and no self-test running, or until other data comes. `answers=none` is a display
that knows no question. Its product id on USB and its buffer's size are the simulator's own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from simulator.devices.device import Knob
from simulator.devices.display.cd5220 import LEVELS_PCT, font_length
from simulator.devices.display.glass import Glass
from simulator.devices.display.pole import SHOWS, Act, Pole, nothing
from simulator.devices.display.pole_stream import Command, PoleStream, Token
from simulator.devices.small import DSR, POWER
from simulator.devices.usb import CONFIGURED, SUPPLY, Control, Endpoint, Interface, Shape

ROWS, COLUMNS = 2, 20
SELF_TEST_S = 2.0
PRINTER, DISPLAY = 1, 2

KNOBS = (
    SHOWS,
    Knob("answers", ("all", "none")),
    POWER,
    SUPPLY,
    CONFIGURED,
    DSR,
    Knob("model", ("DM-D70",), text=True),
    Knob("serial", ("DMDX012345",), text=True),
    Knob("firmware", ("1.02",), text=True),
)

_FUNCTION_48 = 48
_HEADER, _END = b"\x57\x20\x30\x1f", b"\0"
_IDS: Mapping[int, bytes] = {36: b"163", 49: b"\x01", 50: b"\x40", 66: b"EPSON", 69: b""}
_ID_KNOBS: Mapping[int, str] = {65: "firmware", 67: "model", 68: "serial"}


_BLOCK_BYTES_MOST = {ord("A"): 64, ord("B"): 2, ord("E"): 64}
_OTHER_BLOCK_BYTES_MOST = 8


def _block_length(given: bytes) -> int:
    """US ( X pL pH, then as many as these say; with a number that X does not have, the command ends there."""
    if len(given) < 3:
        return 3
    length = int.from_bytes(given[1:3], "little")
    return 3 + length if length <= _BLOCK_BYTES_MOST.get(given[0], _OTHER_BLOCK_BYTES_MOST) else 3


def _window_length(given: bytes) -> int:
    """ESC W n m, and four more where m selects it."""
    return 6 if len(given) >= 2 and given[1] in (1, 0x31) else 2


COMMANDS = (
    Command("left", b"\x08"),
    Command("right", b"\x09"),
    Command("down", b"\x0a"),
    Command("home", b"\x0b"),
    Command("clear", b"\x0c"),
    Command("left end", b"\x0d"),
    Command("clear line", b"\x18"),
    Command("real time", b"\x10", 1),
    Command("initialise", b"\x1b@"),
    Command("peripheral", b"\x1b=", 1),
    Command("font", b"\x1b&", font_length),
    Command("font", b"\x1b%", 1),
    Command("font", b"\x1b?", 1),
    Command("font", b"\x1bR", 1),
    Command("font", b"\x1bt", 1),
    Command("window", b"\x1bW", _window_length),
    Command("overwrite", b"\x1f\x01"),
    Command("vertical", b"\x1f\x02"),
    Command("horizontal", b"\x1f\x03"),
    Command("up", b"\x1f\x0a"),
    Command("right end", b"\x1f\x0d"),
    Command("bottom", b"\x1f\x42"),
    Command("position", b"\x1f$", 2),
    Command("sign", b"\x1f#", 2),
    Command("sign", b"\x1f,", 1),
    Command("sign", b"\x1f.", 1),
    Command("sign", b"\x1f;", 1),
    Command("cursor", b"\x1fC", 1),
    Command("blink", b"\x1fE", 1),
    Command("reverse", b"\x1fr", 1),
    Command("time", b"\x1fT", 2),
    Command("time", b"\x1fU"),
    Command("macro", b"\x1f:"),
    Command("macro", b"\x1f^", 2),
    Command("brightness", b"\x1fX", 1),
    Command("self-test", b"\x1f@"),
    Command("dtr", b"\x1fv", 1),
    Command("block", b"\x1f(", _block_length),
)


SHAPE = Shape(
    vid=0x04B8,
    pid=0x0E70,
    manufacturer="EPSON",
    product="DM-D70",
    interface=Interface(device_class=0xFF, endpoints=(Endpoint(0x01, "bulk"), Endpoint(0x82, "bulk"))),
)


class DmdDisplay(Pole):
    """`simulator.devices.usb.UsbDevice` for model `dmd`."""

    model = "dmd"
    status = frozenset({"block", "dtr"})

    def __init__(self) -> None:
        self.shape = SHAPE
        self._peripherals = DISPLAY
        self._mark = False
        self._self_tests = 0
        super().__init__(PoleStream(COMMANDS), Glass(ROWS, COLUMNS), *KNOBS)

    def _start(self) -> None:
        super()._start()
        self._peripherals, self._mark = DISPLAY, False

    def _turned(self, knob: str, value: str) -> None:
        if knob == "model":
            self.shape = dataclasses.replace(self.shape, product=value)

    def power_line(self) -> bool | None:
        """Its DTR, which shows its power, and what `US v` makes of it."""
        line = super().power_line()
        return line and not self._mark

    def _acts(self) -> Mapping[str, Act]:
        return {
            **self._moves(),
            "clear": lambda _: self.glass.clear(),
            "clear line": lambda _: self.glass.clear_row(),
            "initialise": lambda _: self._initialise(),
            "peripheral": self._select,
            "brightness": self._brightness(LEVELS_PCT),
            "self-test": lambda _: self._self_test(),
            "dtr": self._dtr,
            "block": self._block,
            **dict.fromkeys(
                ("real time", "font", "window", "sign", "cursor", "blink", "reverse", "time", "macro"),
                nothing,
            ),
        }

    def _hear(self, data: bytes, now_s: float) -> None:
        # A self-test does not let US v wait: telling that one runs is what it is for.
        super()._hear(data, now_s)
        while self._busy_until_s is not None and self._queue and self._queue[0].name == "dtr":
            token = self._queue.popleft()
            self._queued_bytes -= len(token.data) + len(token.name)
            self._execute(token)

    def _execute(self, token: Token) -> None:
        if not self._peripherals & DISPLAY and token.name != "peripheral":
            return  # it goes on to the printer
        if token.name != "dtr":
            self._mark = False
        super()._execute(token)

    def _select(self, given: bytes) -> None:
        """1 printer, 2 display, 3 both."""
        if given[0] & 3:
            self._peripherals = given[0] & 3

    def _self_test(self) -> None:
        self._self_tests += 1
        self._initialise()
        self._busy(SELF_TEST_S)

    def _dtr(self, given: bytes) -> None:
        if self._peripherals != DISPLAY:
            return
        if given[0] in (1, 0x31):
            self._mark = True
        elif given[0] in (0, 0x30) and self._busy_until_s is None and self.room() > 0:
            self._mark = False

    def _block(self, given: bytes) -> None:
        """US ( B function 48; of the other US ( commands nothing can be seen here."""
        asks = given[:1] == b"B" and len(given) == 5 and given[3] == _FUNCTION_48
        if not asks or self.knobs["answers"] == "none" or self._peripherals != DISPLAY:
            return
        number = given[4]
        if knob := _ID_KNOBS.get(number):
            self._answers.append(_HEADER + self.knobs[knob].encode() + _END)
        elif (data := _IDS.get(number)) is not None:
            self._answers.append(_HEADER + data + _END)

    def facts(self) -> Mapping[str, object]:
        return {**super().facts(), "peripherals": self._peripherals, "self_tests": self._self_tests}

    # USB

    def control(self, request: Control, now_s: float) -> bytes | None:  # noqa: ARG002 - the contract hands both
        """A vendor's own interface; no page names its requests."""
        return None

    def notices(self, now_s: float) -> list[bytes]:  # noqa: ARG002
        """It has no interrupt pipe."""
        return []
