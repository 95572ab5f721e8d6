"""A USB card reader with one slot, written from the CCID specification rev 1.1.

It powers a harmless test card (ATR `3B 00`) and carries no data to it: whatever else it is asked, it does not
support. What it was asked is counted in `facts`, so that a test can show that nobody powered a card.

How the knobs read: a `mute` card lies in the slot and does not answer its reset. `reader=over_current`
switches the card off and says so on the interrupt pipe; `short_circuit` says so only when asked. With
`answer=time_extension` it asks for more time, and answers `extension` seconds later. Another `model` is
another name in the same shape.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Mapping

from simulator.devices.device import Knob, Knobs, PrintSink
from simulator.devices.reader.ccid_messages import (
    ABSENT,
    ACTIVE,
    BAD_LENGTH,
    BAD_SLOT,
    CLASS_DESCRIPTOR,
    CLOCK_RUNNING,
    CLOCK_STOPPED_LOW,
    FAILED,
    HARDWARE_ERROR,
    HEADER_BYTES,
    INACTIVE,
    MESSAGE_BYTES,
    MUTE,
    NOT_SUPPORTED,
    NOTIFY_HARDWARE_ERROR,
    NOTIFY_SLOT_CHANGE,
    OVER_CURRENT,
    SHORT_CIRCUIT,
    SLOT_STATUS,
    TIME_EXTENSION,
    Message,
    message,
)
from simulator.devices.usb import CONFIGURED, SUPPLY, Control, Endpoint, Interface, Shape

ATR = b"\x3b\x00"
"""Direct convention, no interface bytes, no historical bytes: a card that says nothing of itself."""
WHOLE_S = 0.5
"""A command is one transfer; what is not complete by then never was one."""
TAKES_BYTES = 1 << 12
ANSWERS_KEPT = 256
NOTICES_KEPT = 16
_ABORT = (0x21, 0x01)  # 5.3.1: the control half of an abort
_ERRORS = {"hardware_error": HARDWARE_ERROR, "over_current": SHORT_CIRCUIT, "short_circuit": SHORT_CIRCUIT}

KNOBS = (
    Knob("card", ("absent", "present", "mute")),
    Knob("reader", ("ok", "hardware_error", "over_current", "short_circuit")),
    Knob("answer", ("prompt", "time_extension")),
    Knob("extension", ("0.05",), number=True),
    Knob("power", ("on", "off")),
    SUPPLY,
    CONFIGURED,
    Knob("model", ("SCR33xx",), text=True),
    Knob("serial", ("SIM0000002",), text=True),
)

SHAPE = Shape(
    vid=0x04E6,
    pid=0x5116,
    manufacturer="Identive",
    product="SCR33xx",
    release=0x0520,
    interface=Interface(
        device_class=0x0B,
        endpoints=(Endpoint(0x01, "bulk"), Endpoint(0x82, "bulk"), Endpoint(0x83, "interrupt", 16)),
        functional=CLASS_DESCRIPTOR,
    ),
)


class CcidReader:
    """`simulator.devices.usb.UsbDevice` for model `ccid`."""

    model = "ccid"

    def __init__(self) -> None:
        self.shape = SHAPE
        self.knobs = Knobs(*KNOBS)
        self._held = b""  #: a command that is not complete yet
        self._held_since_s = 0.0
        self._answers: deque[tuple[float, bytes]] = deque(maxlen=ANSWERS_KEPT)
        self._waiting: deque[Message] = deque(maxlen=ANSWERS_KEPT)  #: work that stands still
        self._errors: deque[bytes] = deque(maxlen=NOTICES_KEPT)
        self._slot_changed = False
        self._active = False
        self._stalled = False
        self._plugged = True
        self._asked: Counter[str] = Counter()
        self._powered_on = 0

    # Turned from outside

    def turn(self, knob: str, value: str, now_s: float) -> None:  # noqa: ARG002 - nothing here takes time
        was_powered, was_present = self.powered(), self._present()
        was_value = self.knobs[knob]
        self.knobs.turn(knob, value)
        if knob == "model":
            self.shape = dataclasses.replace(self.shape, product=value)
        if self._present() != was_present:
            self._slot_changed = True
        if not self._present() or self.knobs["card"] == "mute" or self.knobs["reader"] != "ok":
            self._active = False
        if knob == "reader" and value == "over_current" != was_value:
            self._errors.append(bytes([NOTIFY_HARDWARE_ERROR, 0, 0, OVER_CURRENT]))
        if self.powered() != was_powered:
            self._restart()

    def plug(self, plugged: bool, now_s: float) -> None:  # noqa: ARG002 - as above
        if plugged != self._plugged:
            self._plugged = plugged
            self._restart()

    def stall(self, stalled: bool, now_s: float) -> None:
        self._stalled = stalled
        while self._waiting and not self._stalled:
            self._do(self._waiting.popleft(), now_s)

    def powered(self) -> bool:
        return self.knobs["power"] == "on" and (self._plugged or self.knobs["supply"] == "mains")

    def power_line(self) -> bool | None:
        return None

    def intake_bytes_s(self) -> float | None:
        return None

    def facts(self) -> Mapping[str, object]:
        """`powered_on`: how often a card was; `asked`: how often each command came."""
        return {
            "card_active": self._active,
            "powered_on": self._powered_on,
            "asked": dict(self._asked),
            "notices_waiting": len(self._errors) + self._slot_changed,
        }

    def print_to(self, sink: PrintSink) -> None:
        """It shows nothing."""

    def _restart(self) -> None:
        """Switched on or off, or reset by the bus; a card that lies in the slot is told anew."""
        self._held = b""
        self._answers.clear()
        self._waiting.clear()
        self._errors.clear()
        self._active = False
        self._slot_changed = self.powered() and self._present()

    def _present(self) -> bool:
        return self.knobs["card"] != "absent"

    # The bulk pipes

    def take(self, data: bytes, now_s: float) -> None:
        if not self.powered():
            return
        if not self._held or now_s > self._held_since_s + WHOLE_S:
            self._held, self._held_since_s = b"", now_s
        self._held += data
        while (asked := message(self._held)) is not None:
            whole = HEADER_BYTES + asked.length
            self._held = self._held[whole:] if whole <= MESSAGE_BYTES else b""
            self._asked[asked.kind.name] += 1
            self._receive(asked, now_s)

    def room(self) -> int:
        return TAKES_BYTES

    def due(self, now_s: float) -> list[bytes]:
        frames = []
        while self._answers and self._answers[0][0] <= now_s:
            frames.append(self._answers.popleft()[1])
        return frames

    def next_s(self, now_s: float) -> float | None:
        return max(now_s, self._answers[0][0]) if self._answers else None

    def _receive(self, asked: Message, now_s: float) -> None:
        works = asked.kind.name in ("IccPowerOn", "IccPowerOff")
        if works and (self._stalled or self._waiting):
            self._waiting.append(asked)
        else:
            self._do(asked, now_s)

    def _do(self, asked: Message, now_s: float) -> None:
        """Answer one command, at once or after a time extension."""
        at_s = now_s
        if self.knobs["answer"] == "time_extension" and asked.kind.name in ("IccPowerOn", "GetSlotStatus"):
            self._say(asked.answer(TIME_EXTENSION | self._card(), 1, self._last(asked)), now_s)
            at_s = now_s + float(self.knobs["extension"])
        self._say(self._answer(asked), at_s)

    def _say(self, frame: bytes, at_s: float) -> None:
        """Answers leave in order: none overtakes one that takes longer."""
        last_s = self._answers[-1][0] if self._answers else at_s
        self._answers.append((max(at_s, last_s), frame))

    def _answer(self, asked: Message) -> bytes:
        if error := self._refusal(asked):
            return self._failed(asked, error)
        match asked.kind.name:
            case "GetSlotStatus":
                error = _ERRORS.get(self.knobs["reader"], 0)
                if error:
                    return self._failed(asked, error)
            case "IccPowerOn":
                error = _ERRORS.get(self.knobs["reader"], 0)
                if error or self.knobs["card"] != "present":
                    return self._failed(asked, error or MUTE)
                self._active = True
                self._powered_on += 1
                return asked.answer(ACTIVE, 0, 0, ATR)
            case "IccPowerOff":
                self._active = False
            case "Abort":
                pass
            case _:
                return self._failed(asked, NOT_SUPPORTED)
        return asked.answer(self._card(), 0, self._last(asked))

    def _refusal(self, asked: Message) -> int:
        """bError for what cannot be understood; 0: it can."""
        if HEADER_BYTES + asked.length > MESSAGE_BYTES or (asked.length and not asked.kind.carries_data):
            return BAD_LENGTH
        return BAD_SLOT if asked.slot else 0

    def _failed(self, asked: Message, error: int) -> bytes:
        card = ABSENT if asked.slot else self._card()
        return asked.answer(FAILED | card, error, self._last(asked))

    def _card(self) -> int:
        """bmICCStatus."""
        if not self._present():
            return ABSENT
        return ACTIVE if self._active else INACTIVE

    def _last(self, asked: Message) -> int:
        """bClockStatus, where the response has one."""
        if asked.kind.response != SLOT_STATUS:
            return 0
        return CLOCK_RUNNING if self._active else CLOCK_STOPPED_LOW

    # Other pipes

    def control(self, request: Control, now_s: float) -> bytes | None:  # noqa: ARG002 - it answers at once
        if self.powered() and (request.request_type, request.request) == _ABORT:
            return b""
        return None

    def notices(self, now_s: float) -> list[bytes]:  # noqa: ARG002 - they come when they happen
        """`50`: two bits a slot, 1 a card is there, 2 that changed; `51`: slot, bSeq, what happened."""
        if not self.powered():
            return []
        said = list(self._errors)
        self._errors.clear()
        if self._slot_changed:
            self._slot_changed = False
            said.insert(0, bytes([NOTIFY_SLOT_CHANGE, 2 | self._present()]))
        return said
