"""A payment terminal that a till speaks ZVT to, written from PA00P015 and the implementations named below.

It takes a command (`80 00 00`, or `84 xx 00` and no more), then reports, and goes on when the till has taken
each report (`80 00 00`). Status-Enquiry ends with a Completion: `06 0F`, the version as LLLVAR, the status
code of the terminal (as in ecrterm's tests); asked with a service byte, the status code alone (a capture by
bezahl-online/zvt). It takes no payments: that it makes one is its knob `busy`. What it was asked is counted
in `facts`, so that a test can show that nobody registered or diagnosed.

How the knobs read: a status names one thing, the first that is wrong in the order of `STATUS`. A diagnosis or
an initialisation contacts the host, and clears `diagnosis=required`. One that is not registered refuses all
but a registration; a registration and a log-off turn that knob themselves. Its work takes `STEP_S` a report;
a real one takes seconds. Intermediate statuses come where the last registration asked for them; where the
knob alone registered it, they come. A dropped connection is not told to it: what was begun goes on until a
report is not taken, as payments do (Portalum.Zvt issue 59).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping

from simulator.devices.device import Knob, Knobs, PrintSink
from simulator.devices.terminal.zvt_line import Apdu, Ear, Event, Garbled, Mouth, Took, lllvar

STEP_S = 0.05
T4_S = 180.0  #: the till takes a report by then, or is gone
TAKES_BYTES = 1 << 12

TAKEN, COMPLETION, ABORTED, INTERMEDIATE = 0x8000, 0x060F, 0x061E, 0x04FF
REFUSED = 0x84  #: class; the instruction is the error
ON_DEMAND, NOT_REGISTERED, NOT_POSSIBLE, PROTOCOL_ERROR, PLEASE_WAIT = 0x6C, 0x6B, 0x83, 0x9A, 0x9C
NO_HOST, READER_DEFECTIVE, PIN_PAD_DEFECTIVE, DIAGNOSIS_REQUIRED = 0x9B, 0xE2, 0xED, 0xC2
WAITS_FOR_HOST, WAIT, INITIALISES = 0x04, 0x0E, 0xCA  #: intermediate status
WANTS_INTERMEDIATE = 0x08  #: in the configuration byte of a registration
DIAGNOSIS_NECESSARY = 0x02  #: in the status byte of its completion
EURO = b"\x49\x09\x78"

STATUS: tuple[tuple[str, str, int], ...] = (
    ("pin_pad", "defective", PIN_PAD_DEFECTIVE),
    ("reader", "defective", READER_DEFECTIVE),
    ("memory", "full", 0xB1),
    ("diagnosis", "required", DIAGNOSIS_REQUIRED),
    ("host", "unreachable", NO_HOST),
    ("printer", "not_ready", 0xCC),
)
"""Knob, value, and the status code that says so; none: 00, ready."""

COMMANDS: Mapping[int, str] = {
    0x0501: "status_enquiry",
    0x0600: "registration",
    0x0602: "log_off",
    0x0618: "reset",
    0x0670: "diagnosis",
    0x0679: "selftest",
    0x0693: "initialisation",
    0x06B0: "abort",
}
UNREGISTERED = frozenset({"registration", "log_off", "abort"})
"""What a terminal takes that is not registered."""
PASSWORD_BYTES = 3
CURRENCY_AT = PASSWORD_BYTES + 1  #: in a registration; the configuration byte stands before it

KNOBS = (
    Knob("reader", ("ok", "defective")),
    Knob("pin_pad", ("ok", "defective")),
    Knob("registered", ("yes", "no")),
    Knob("diagnosis", ("done", "required")),
    Knob("memory", ("ok", "full")),
    Knob("host", ("reachable", "unreachable")),
    Knob("printer", ("ready", "not_ready")),
    Knob("busy", ("no", "yes")),
    Knob("power", ("on", "off")),
    Knob("version", ("2.14.15",), text=True),
    Knob("terminal_id", ("12345678",), text=True),
)

Report = Callable[[], Apdu]


class PaymentTerminal:
    """`simulator.devices.device.Device` for model `zvt`."""

    model = "zvt"

    def __init__(self) -> None:
        self.knobs = Knobs(*KNOBS)
        self._ear = Ear()
        self._mouth = Mouth()
        self._asked: Counter[str] = Counter()
        self._given_up = 0
        self._stalled = False
        self._tells_progress = True
        self._stop()

    def _stop(self) -> None:
        """Nothing is under way."""
        self._doing = ""
        self._reports: deque[Report] = deque()
        self._untaken_s: float | None = None  #: since when the till has not taken the last report
        self._step_s: float | None = None  #: when the next one is ready

    # Turned from outside

    def turn(self, knob: str, value: str, now_s: float) -> None:  # noqa: ARG002 - nothing here takes time
        was_powered = self.powered()
        self.knobs.turn(knob, value)
        if self.powered() != was_powered:
            self._ear.clear()
            self._mouth.clear()
            self._stop()

    def plug(self, plugged: bool, now_s: float) -> None:
        """The cable carries data alone."""

    def stall(self, stalled: bool, now_s: float) -> None:
        self._stalled = stalled
        if self._step_s is not None:
            self._step_s = max(self._step_s, now_s)

    def powered(self) -> bool:
        return self.knobs["power"] == "on"

    def power_line(self) -> bool | None:
        return None

    def intake_bytes_s(self) -> float | None:
        return None

    def facts(self) -> Mapping[str, object]:
        """`asked`: how often each command came; `given_up`: how often the till did not take a report."""
        framing = {None: None, True: "serial", False: "bare"}[self._ear.serial]
        return {
            "asked": dict(self._asked),
            "doing": self._doing,
            "framing": framing,
            "given_up": self._given_up,
        }

    def print_to(self, sink: PrintSink) -> None:
        """It prints no receipt: it takes no payments."""

    # Bytes in, frames out

    def take(self, data: bytes, now_s: float) -> None:
        if not self.powered():
            return
        for event in self._ear.feed(data, now_s):
            self._hear(event, now_s)

    def room(self) -> int:
        return TAKES_BYTES

    def due(self, now_s: float) -> list[bytes]:
        for event in self._ear.due(now_s):
            self._hear(event, now_s)
        if not self._mouth.due(now_s) or self._overdue(now_s):
            self._give_up()
        if self._step_s is not None and now_s >= self._step_s and self._moves():
            self._report(now_s)
        return self._mouth.spoken()

    def next_s(self, now_s: float) -> float | None:
        if self._mouth.speaks():
            return now_s
        moments = (
            self._ear.gives_up_s(),
            self._mouth.again_s(),
            None if self._untaken_s is None else self._untaken_s + T4_S,
            self._step_s if self._moves() else None,
        )
        known = [moment for moment in moments if moment is not None]
        return max(now_s, min(known)) if known else None

    def _overdue(self, now_s: float) -> bool:
        return self._untaken_s is not None and now_s >= self._untaken_s + T4_S

    def _give_up(self) -> None:
        self._given_up += 1
        self._mouth.hush()
        self._stop()

    def _hear(self, event: Event, now_s: float) -> None:
        if isinstance(event, Garbled):
            self._mouth.confirm(well=False)
        elif isinstance(event, Took):
            if not self._mouth.taken(well=event.well, now_s=now_s):
                self._give_up()
        else:
            if self._ear.serial:
                self._mouth.confirm(well=True)
            self._receive(event, now_s)

    # What the till says

    def _receive(self, apdu: Apdu, now_s: float) -> None:
        if apdu.code >> 8 in (TAKEN >> 8, REFUSED):
            self._till_took(now_s)
            return
        name = COMMANDS.get(apdu.code, "other")
        self._asked[name] += 1
        if self._doing and not self._reports and name != "abort":
            # Only the end was not taken: who asks anew has it, or does not want it any more.
            self._mouth.hush()
            self._stop()
        if error := self._refusal(name, apdu.data):
            self._say(Apdu(REFUSED << 8 | error), now_s)
            return
        self._say(Apdu(TAKEN), now_s)
        self._start(name, apdu.data, now_s)

    def _refusal(self, name: str, data: bytes) -> int:
        """The error that a command is refused with; 0: it is taken."""
        if name == "other":
            return NOT_POSSIBLE
        if name in ("status_enquiry", "registration") and 0 < len(data) < PASSWORD_BYTES:
            return PROTOCOL_ERROR
        if name == "abort":
            return 0
        if self._doing or self.knobs["busy"] == "yes":
            return PLEASE_WAIT
        return NOT_REGISTERED if self.knobs["registered"] == "no" and name not in UNREGISTERED else 0

    def _start(self, name: str, data: bytes, now_s: float) -> None:
        if name == "abort":
            if self._doing:
                self._reports = deque([lambda: _aborted(ON_DEMAND)])
                self._untaken_s, self._step_s = None, now_s
            return
        if name == "log_off":
            self.knobs.turn("registered", "no")
            return
        short = len(data) > PASSWORD_BYTES
        reports: dict[str, tuple[Report, ...]] = {
            "status_enquiry": (lambda: self._status(short=short),),
            "registration": (lambda: self._registered(data),),
            "reset": (lambda: Apdu(COMPLETION),),
            "diagnosis": (*self._progress(WAITS_FOR_HOST), self._diagnosed),
            "selftest": (*self._progress(WAIT), self._tested),
            "initialisation": (*self._progress(INITIALISES), self._diagnosed),
        }
        self._doing = name
        self._reports = deque(reports[name])
        self._step_s = now_s

    def _till_took(self, now_s: float) -> None:
        if self._untaken_s is None:
            return
        self._untaken_s = None
        if self._reports:
            self._step_s = now_s + STEP_S
        else:
            self._stop()

    # What the terminal says

    def _moves(self) -> bool:
        """It tells its status also while its work stands still."""
        return not self._stalled or self._doing == "status_enquiry"

    def _report(self, now_s: float) -> None:
        self._step_s, self._untaken_s = None, now_s
        self._say(self._reports.popleft()(), now_s)

    def _say(self, apdu: Apdu, now_s: float) -> None:
        self._mouth.say(apdu, serial=bool(self._ear.serial), now_s=now_s)

    def _status(self, *, short: bool) -> Apdu:
        code = next((code for knob, value, code in STATUS if self.knobs[knob] == value), 0)
        version = b"" if short else lllvar(self.knobs["version"].encode("ascii"))
        return Apdu(COMPLETION, version + bytes([code]))

    def _registered(self, data: bytes) -> Apdu:
        """`data`: password, configuration byte, and the currency if the till wants to hear it."""
        self.knobs.turn("registered", "yes")
        self._tells_progress = bool(data[PASSWORD_BYTES:] and data[PASSWORD_BYTES] & WANTS_INTERMEDIATE)
        digits = "".join(filter(str.isdigit, self.knobs["terminal_id"]))[-8:].zfill(8)
        status = DIAGNOSIS_NECESSARY if self.knobs["diagnosis"] == "required" else 0
        currency = EURO if len(data) >= CURRENCY_AT + 2 else b""
        return Apdu(COMPLETION, bytes([0x19, status, 0x29]) + bytes.fromhex(digits) + currency)

    def _progress(self, code: int) -> tuple[Report, ...]:
        return (lambda: Apdu(INTERMEDIATE, bytes([code])),) if self._tells_progress else ()

    def _diagnosed(self) -> Apdu:
        if self.knobs["host"] == "unreachable":
            return _aborted(NO_HOST)
        self.knobs.turn("diagnosis", "done")
        return Apdu(COMPLETION)

    def _tested(self) -> Apdu:
        for knob, value, code in STATUS[:2]:
            if self.knobs[knob] == value:
                return _aborted(code)
        return Apdu(COMPLETION)


def _aborted(code: int) -> Apdu:
    return Apdu(ABORTED, bytes([code]))
