"""A receipt printer that speaks Star Line Mode, written from the manual (Line Mode command specifications).

The status request, ENQ, EOT and the drawer by FS are acted upon as they arrive; all else waits its turn
in a buffer, which stands still while the printer is offline (cover, paper end, error, hot head, its own
switch) or stalled. So ETB counts what was really printed. `ESC RS a` alone is acted upon at once when
nothing waits before it. Printing itself takes no time. Automatic status ends with the power and with a
reset, not with ESC @.

How the knobs read: `near_end=outer` has its sensor on the outer side. `cutter=freed` is a jam taken out
whose error still stands; it goes, as `error=recoverable` does, when the cover was opened and closed, or
with a power cycle. `paper=end` lies beyond the near-end sensor, which then reads too.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.devices.device import Knob
from simulator.devices.printer.command import Role
from simulator.devices.printer.printing import Printing
from simulator.devices.printer.star_status import COUNTS, Standing
from simulator.devices.printer.star_stream import RequestScanner, StarStream
from simulator.devices.printer.star_text import SELF_PRINT, on_paper
from simulator.devices.printer.stream import Token, is_real_time
from simulator.devices.printer.usb_class import printer_control, printer_interface
from simulator.devices.usb import CONFIGURED, SUPPLY, Control, Shape

VERSION = "Ver1.0"

KNOBS = (
    Knob("paper", ("ok", "near_end", "end")),
    Knob("cover", ("closed", "open")),
    Knob("cutter", ("ok", "jam", "freed")),
    Knob("head", ("ok", "hot")),
    Knob("error", ("none", "recoverable", "unrecoverable")),
    Knob("presenter", ("ok", "jam")),
    Knob("switch", ("online", "offline")),
    Knob("drawer", ("closed", "open")),
    Knob("power", ("on", "off")),
    Knob("answers", ("all", "asb", "none")),
    Knob("dsr", ("wired", "none")),
    SUPPLY,
    CONFIGURED,
    Knob("near_end", ("present", "outer", "absent")),
    Knob("rate", ("unlimited",), number=True),
    Knob("model", ("TSP700II",), text=True),
    Knob("serial", ("SIM0000003",), text=True),
)

_ASKED = frozenset({"ENQ", "EOT", "ESC # *"})
UNKNOWN: Mapping[str, frozenset[str]] = {
    "all": frozenset(),
    "asb": _ASKED,
    "none": _ASKED | {"ESC RS a", "ESC ACK SOH"},
}
"""Which commands a printer of each kind does not know."""

SHAPE = Shape(
    vid=0x0519,
    pid=0x0001,
    manufacturer="Star Micronics",
    product="Star TSP700II",
    interface=printer_interface(),
)


class StarPrinter(Printing[Token]):
    """`simulator.devices.usb.UsbDevice` for model `star`."""

    model = "star"
    shape = SHAPE

    def __init__(self) -> None:
        self._scanner = RequestScanner()
        self._stream = StarStream()
        super().__init__(KNOBS, self._stream)
        self._standing = Standing.of(self.knobs)
        self._automatic = False  #: ESC RS a
        self._etb_counter = 0
        self._etb_executed = False

    # Turned from outside

    def turn(self, knob: str, value: str, now_s: float) -> None:
        if knob == "cover" and value == "closed" and self.knobs["cover"] == "open":
            self._recover()
        super().turn(knob, value, now_s)

    def _offline(self) -> bool:
        return self._standing.offline

    def _follow(self, was_powered: bool, now_s: float) -> None:  # noqa: ARG002 - it keeps no hours
        """What a turned knob changes in the printer itself."""
        if self.powered() != was_powered:
            self._restart()
        self._stream.unknown = UNKNOWN[self.knobs["answers"]]
        if "ESC RS a" in self._stream.unknown:
            self._automatic = False
        self._notice()
        self._work()

    def _restart(self) -> None:
        """As after switching on: nothing waits, automatic status is off, the counter begins anew."""
        self._clear_buffers()
        self._answers.clear()
        self._automatic = False
        self._clear_counter()
        if self.powered():
            self._recover()

    def _clear_buffers(self) -> None:
        self._clear_queue()
        self._stream.clear()
        self._scanner.clear()

    def _clear_counter(self) -> None:
        self._etb_counter, self._etb_executed = 0, False

    def _notice(self) -> None:
        """After anything may have changed: tell it, if that is asked for."""
        before, self._standing = self._standing, Standing.of(self.knobs)
        if self._automatic and self.powered() and before != self._standing:
            self._tell()

    def _tell(self) -> None:
        """Automatic status; the host has then seen that ETB was executed (5-9)."""
        self._answers.append(
            self._standing.automatic(etb_executed=self._etb_executed, etb_counter=self._etb_counter)
        )
        self._etb_executed = False

    # Bytes in, frames out

    def take(self, data: bytes, now_s: float) -> None:  # noqa: ARG002 - printing takes no time here
        if not self.powered():
            return
        for piece, requested in self._scanner.split(data):
            for token in self._stream.feed(piece):
                self._receive(token)
            self._work()
            if requested and "ESC ACK SOH" not in self._stream.unknown:
                self._tell()

    def due(self, now_s: float) -> list[bytes]:  # noqa: ARG002 - all is said at once
        return self._said()

    def facts(self) -> Mapping[str, object]:
        return {
            "printed_bytes": self.paper.count,
            "printed_text": self.paper.text()[-4096:],
            "waiting_bytes": self._waiting_bytes(),
            "automatic_status": self._automatic,
            "etb_counter": self._etb_counter,
            "drawer_pulses": self._pulses,
        }

    # USB: the printer class

    def control(self, request: Control, now_s: float) -> bytes | None:  # noqa: ARG002 - it answers at once
        if not self.powered():
            return None
        return printer_control(
            request,
            device_id=f"MFG:Star;CMD:STAR;MDL:{self.knobs['model']};CLS:PRINTER;",
            paper_end=self._standing.paper_end,
            selected=not self._standing.offline,
            error=self._standing.error or self._standing.head_hot,
            soft_reset=self._soft_reset,
        )

    def _soft_reset(self) -> None:
        """What waits to be printed or read is gone; settings stay."""
        self._clear_buffers()
        self._answers.clear()

    # Commands

    def _receive(self, token: Token) -> None:
        if is_real_time(token):
            self._act_at_once(token.name)
        elif token.name == "ESC RS a" and not self._queue and not self._stalled:
            self._set_automatic(token.parameters[0])
        else:
            self._wait(token)

    def _act_at_once(self, name: str) -> None:
        """ESC ACK SOH is not here: it is seen inside other commands too."""
        match name:
            case "ENQ":
                self._work()
                self._answers.append(bytes([self._standing.enq(buffer_empty=not self._queue)]))
            case "EOT":
                self._answers.append(bytes([self._standing.eot()]))
            case "FS":
                self._pulse()

    def _set_automatic(self, n: int) -> None:
        self._automatic = n not in (0, 0x30)
        if self._automatic:
            self._tell()

    def _execute(self, token: Token) -> None:
        match token.name:
            case "ESC RS a":
                self._set_automatic(token.parameters[0])
            case "ESC RS E":
                self._clear_counter()
            case "ETB":
                self._etb_counter = (self._etb_counter + 1) % COUNTS
                self._etb_executed = True
                if self._automatic:
                    self._tell()
            case "CAN":
                self._clear_queue()
                self._clear_counter()
            case "BEL":
                self._pulse()
            case "ESC ? LF NUL":
                self._restart()
                self.paper.mark(token.data, SELF_PRINT)
            case "ESC # *":
                version = f"{self.knobs['model']} {VERSION}".encode("ascii")
                self._answers.append(b"\x1b#*," + version + b"\n\0")
            case _ if token.command is None or token.command.role is Role.PRINTS:
                self.paper.mark(token.data, on_paper(token))
