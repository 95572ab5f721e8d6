"""What any receipt printer does: power, paper, a buffer that waits while it cannot print."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Generic, Protocol, TypeVar

from simulator.devices.device import Knob, Knobs, PrintSink
from simulator.devices.printer.paper import Paper

BUFFER_BYTES = 4096
ROOM_BYTES = 1 << 16
"""What it takes at a time while it can print: more than any door hands over."""
ANSWERS_KEPT = 1024


class Piece(Protocol):
    """A command, or text, as it waits in the buffer."""

    @property
    def data(self) -> bytes: ...


class Stream(Protocol):
    """Cuts bytes into pieces; holds what is not whole yet."""

    def held(self) -> int: ...
    def clear(self) -> None: ...


P = TypeVar("P", bound=Piece)


class Printing(ABC, Generic[P]):
    """The part of `simulator.devices.device.Device` that printers share. Printing itself takes no time."""

    def __init__(self, knobs: tuple[Knob, ...], stream: Stream) -> None:
        self.knobs = Knobs(*knobs)
        self.paper = Paper()
        self._held = stream
        self._queue: deque[P] = deque()
        self._queued_bytes = 0
        self._answers: deque[bytes] = deque(maxlen=ANSWERS_KEPT)
        self._stalled = False
        self._plugged = True
        self._pulses = 0

    # What a model adds

    @abstractmethod
    def _offline(self) -> bool:
        """Something (cover, paper, an error, a switch) keeps it from printing."""

    @abstractmethod
    def _follow(self, was_powered: bool, now_s: float) -> None:
        """What a turned knob, or the plug, changes in the printer itself."""

    @abstractmethod
    def _execute(self, piece: P) -> None:
        """Do what comes out of the buffer."""

    @abstractmethod
    def _notice(self) -> None:
        """After anything may have changed: tell those who asked to be told."""

    # Turned from outside

    def turn(self, knob: str, value: str, now_s: float) -> None:
        was_powered = self.powered()
        self.knobs.turn(knob, value)
        self._follow(was_powered, now_s)

    def plug(self, plugged: bool, now_s: float) -> None:
        was_powered = self.powered()
        self._plugged = plugged
        self._follow(was_powered, now_s)

    def stall(self, stalled: bool, now_s: float) -> None:  # noqa: ARG002 - the contract tells every model
        self._stalled = stalled
        self._work()

    def powered(self) -> bool:
        return self.knobs["power"] == "on" and (self._plugged or self.knobs["supply"] == "mains")

    def power_line(self) -> bool | None:
        return self.powered() if self.knobs["dsr"] == "wired" else None

    def intake_bytes_s(self) -> float | None:
        rate = self.knobs["rate"]
        return None if rate == "unlimited" else float(rate)

    def room(self) -> int:
        if self._moving() or not self.powered():
            return ROOM_BYTES
        return max(0, BUFFER_BYTES - self._waiting_bytes())

    def next_s(self, now_s: float) -> float | None:
        return now_s if self._answers else None

    def print_to(self, sink: PrintSink) -> None:
        self.paper.to(sink)

    def notices(self, now_s: float) -> list[bytes]:  # noqa: ARG002 - a printer has no interrupt pipe
        return []

    # Inside

    def _said(self) -> list[bytes]:
        """Each answer, handed out once."""
        frames = list(self._answers)
        self._answers.clear()
        return frames

    def _waiting_bytes(self) -> int:
        return self._queued_bytes + self._held.held()

    def _moving(self) -> bool:
        return self.powered() and not self._stalled and not self._offline()

    def _wait(self, piece: P) -> None:
        self._queue.append(piece)
        self._queued_bytes += len(piece.data)

    def _work(self) -> None:
        """Do what waits, for as long as nothing holds it up."""
        while self._queue and self._moving():
            piece = self._queue.popleft()
            self._queued_bytes -= len(piece.data)
            self._execute(piece)

    def _clear_queue(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0

    def _recover(self) -> None:
        """Errors whose cause is gone are forgotten."""
        if self.knobs["cutter"] == "freed":
            self.knobs.turn("cutter", "ok")
        if self.knobs["error"] == "recoverable":
            self.knobs.turn("error", "none")

    def _pulse(self) -> None:
        """The kick-out solenoid: the drawer stands open until somebody shuts it."""
        self._pulses += 1
        self.knobs.turn("drawer", "open")
        self._notice()
