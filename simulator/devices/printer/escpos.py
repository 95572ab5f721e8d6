"""A receipt printer that speaks ESC/POS, written from the manual (Epson TM-T88III programming guide).

Status and real-time commands are acted upon as they arrive; all else waits its turn in a buffer, which
stands still while the printer is offline (cover, paper end, error) or stalled. `GS a` alone is acted upon
at once when nothing waits before it. Printing itself takes no time.

How the knobs read: `drawer=open` is pin 3 HIGH. `cutter=freed` is a jam taken out whose error still stands
until DLE ENQ or a power cycle; `error=recoverable` goes with DLE ENQ or a power cycle; `head=hot` cools
down by itself, that is by its knob; `paper=end` lies beyond the near-end sensor, which then reads too;
another `serial=` is another printer in its place, with counters of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.devices.device import Knob
from simulator.devices.printer.command import Role
from simulator.devices.printer.escpos_queries import (
    CUTS,
    HEATED,
    IDENTITY,
    IDENTITY_KNOBS,
    LINES,
    SECONDS,
    Counters,
)
from simulator.devices.printer.escpos_status import Standing
from simulator.devices.printer.escpos_stream import EscposStream, RealTimeScanner
from simulator.devices.printer.escpos_text import Rendering
from simulator.devices.printer.printing import Printing
from simulator.devices.printer.stream import Token
from simulator.devices.printer.usb_class import printer_control, printer_interface
from simulator.devices.usb import CONFIGURED, SUPPLY, Control, Shape

KNOBS = (
    Knob("paper", ("ok", "near_end", "end")),
    Knob("cover", ("closed", "open")),
    Knob("cutter", ("ok", "jam", "freed")),
    Knob("head", ("ok", "hot")),
    Knob("error", ("none", "recoverable", "unrecoverable")),
    Knob("drawer", ("closed", "open")),
    Knob("power", ("on", "off")),
    Knob("answers", ("all", "asb", "eot", "none")),
    Knob("unknown", ("print", "swallow")),
    Knob("dsr", ("wired", "none")),
    SUPPLY,
    CONFIGURED,
    Knob("near_end", ("present", "absent")),
    Knob("rate", ("unlimited",), number=True),
    Knob("model", ("TM-T88III",), text=True),
    Knob("serial", ("SIM0000001",), text=True),
)

_ASKED = frozenset({"GS I", "GS r", "GS j", "GS g 0", "GS g 2", "GS ( H"})
UNKNOWN: Mapping[str, frozenset[str]] = {
    "all": frozenset(),
    "asb": _ASKED | {"DLE EOT"},
    "eot": _ASKED | {"GS a"},
    "none": _ASKED | {"GS a", "DLE EOT"},
}
"""Which commands a printer of each kind does not know."""

_CLEAR_BUFFERS = b"\x01\x03\x14\x01\x06\x02\x08"

SHAPE = Shape(
    vid=0x04B8,
    pid=0x0202,
    manufacturer="EPSON",
    product="TM-T88III",
    interface=printer_interface(),
)


class EscposPrinter(Printing[Token]):
    """`simulator.devices.usb.UsbDevice` for model `escpos`."""

    model = "escpos"
    shape = SHAPE

    def __init__(self) -> None:
        self._scanner = RealTimeScanner()
        self._stream = EscposStream()
        super().__init__(KNOBS, self._stream)
        self._rendering = Rendering()
        self._standing = Standing.of(self.knobs)
        self._printers: dict[str, Counters] = {}
        self._counters = self._own_counters()
        self._mask = 0  #: GS a: which items automatic status watches
        self._counted_to_s: float | None = None

    def _offline(self) -> bool:
        return self._standing.offline

    def _follow(self, was_powered: bool, now_s: float) -> None:
        """What a turned knob changes in the printer itself."""
        self._count_hours(now_s, was_powered)
        self._counters = self._own_counters()
        if self.powered() != was_powered:
            self._power_cycled()
        self._stream.unknown = UNKNOWN[self.knobs["answers"]]
        self._stream.prints_unknown = self.knobs["unknown"] == "print"
        if "GS a" in self._stream.unknown:
            self._mask = 0
        self._notice()
        self._work()

    def _own_counters(self) -> Counters:
        """Each printer has its own, by its serial number."""
        return self._printers.setdefault(self.knobs["serial"], Counters())

    def _power_cycled(self) -> None:
        self._clear_buffers()
        self._scanner.clear()
        self._answers.clear()
        self._initialise()
        if self.powered():
            self._recover()

    def _initialise(self) -> None:
        """ESC @, and switching on: settings fall back, automatic status ends."""
        self._mask = 0
        self._rendering.reset()

    def _clear_buffers(self) -> None:
        self._clear_queue()
        self._stream.clear()

    def _notice(self) -> None:
        """After anything may have changed: tell those who asked to be told."""
        before, self._standing = self._standing, Standing.of(self.knobs)
        if self.powered() and before.watched(self._mask) != self._standing.watched(self._mask):
            self._answers.append(self._standing.automatic())

    def _count_hours(self, now_s: float, powered: bool) -> None:
        if powered and self._counted_to_s is not None:
            self._counters.add(SECONDS, now_s - self._counted_to_s)
        self._counted_to_s = now_s

    # Bytes in, frames out

    def take(self, data: bytes, now_s: float) -> None:  # noqa: ARG002 - printing takes no time here
        if not self.powered():
            return
        for piece, real_time in self._scanner.split(data):
            for token in self._stream.feed(piece):
                self._receive(token)
            self._work()
            if real_time is not None:
                self._act_at_once(real_time)
                self._work()

    def due(self, now_s: float) -> list[bytes]:
        self._count_hours(now_s, self.powered())
        return self._said()

    def facts(self) -> Mapping[str, object]:
        return {
            "printed_bytes": self.paper.count,
            "printed_text": self.paper.text()[-4096:],
            "waiting_bytes": self._waiting_bytes(),
            "automatic_status": self._mask,
            "drawer_pulses": self._pulses,
            "counters": self._counters.standing(),
        }

    # USB: the printer class

    def control(self, request: Control, now_s: float) -> bytes | None:  # noqa: ARG002 - it answers at once
        if not self.powered():
            return None
        return printer_control(
            request,
            device_id=f"MFG:EPSON;CMD:ESC/POS;MDL:{self.knobs['model']};CLS:PRINTER;",
            paper_end=self._standing.paper_end,
            selected=not self._standing.offline,
            error=self._standing.error,
            soft_reset=self._soft_reset,
        )

    def _soft_reset(self) -> None:
        """What waits to be printed or read is gone; settings stay."""
        self._clear_buffers()
        self._scanner.clear()
        self._answers.clear()

    # Real time (TM-T88III p84-85, p307)

    def _act_at_once(self, token: Token) -> None:
        given = token.parameters
        match token.name:
            case "DLE EOT" if "DLE EOT" not in self._stream.unknown:
                if (status := self._standing.real_time(given[0])) is not None:
                    self._answers.append(bytes([status]))
            case "DLE ENQ" if given[0] in (1, 2):
                if given[0] == 2:
                    self._clear_buffers()
                self._recover()
                self._notice()
            case "DLE DC4 1":
                self._pulse()
            case "DLE DC4 7" if given[0] == 1:
                self._answer_if_all(self._standing.automatic())
            case "DLE DC4 8" if given == _CLEAR_BUFFERS:
                self._clear_buffers()
                self._answer_if_all(b"\x37\x25\x00")

    def _answer_if_all(self, answer: bytes) -> None:
        if self.knobs["answers"] == "all":
            self._answers.append(answer)

    # The queue

    def _receive(self, token: Token) -> None:
        at_once = token.command is not None and token.command.role is Role.AUTO_STATUS
        if at_once and not self._queue and not self._stalled:
            self._automatic_status(token.parameters[0])
            return
        self._wait(token)

    def _execute(self, token: Token) -> None:
        command, given = token.command, token.parameters
        if command is None or command.role is Role.PRINTS:
            self._print(token)
        elif not token.whole:
            return  # no setting or question is that long
        elif command.role is Role.AUTO_STATUS:
            self._automatic_status(given[0])
        elif command.role is Role.QUERY:
            if answer := self._answer(token.name, given):
                self._answers.append(answer)
        elif token.name == "ESC @":
            self._initialise()
        elif token.name == "ESC p":
            self._pulse()
        elif token.name == "GS g 0":
            self._counters.reset(int.from_bytes(given[1:3], "little"))
        else:
            self._rendering.setting(token.name, given)

    def _automatic_status(self, mask: int) -> None:
        self._mask = mask
        if mask:
            self._answers.append(self._standing.automatic())

    def _answer(self, name: str, given: bytes) -> bytes | None:
        match name:
            case "GS I":
                if knob := IDENTITY_KNOBS.get(given[0]):
                    return b"\x5f" + self.knobs[knob].encode() + b"\x00"
                return IDENTITY.get(given[0])
            case "GS r":
                status = self._standing.queued(given[0])
                return None if status is None else bytes([status])
            case "GS g 2":
                return self._counters.answer(int.from_bytes(given[1:3], "little"))
            case "GS ( H" if given[2:4] == b"00" and len(given) == 8:
                return b"\x37\x22" + given[4:] + b"\x00"
        return None

    def _print(self, token: Token) -> None:
        text = self._rendering.text(token)
        self.paper.mark(token.data, text)
        if token.name in ("ESC i", "ESC m", "GS V"):
            self._counters.add(CUTS, 1)
            return
        lines = text.count("\n")
        self._counters.add(LINES, lines)
        if token.name not in ("ESC d", "FF"):
            self._counters.add(HEATED, lines)
