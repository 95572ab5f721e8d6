"""Star Line Mode as bytes: requests out, events in. Sans-IO.

One kind of answer, whether it was asked for or not: the automatic status, a frame that says its length.

    00x0xxx1                  header 1; bits 1-3 and 5: how many bytes, headers included
    xxx0xxx0                  header 2: version; bit 7: two bytes of length and so much data follow the frame
    0xx0xxx0 ...              printer status 1, 2...
    11, 13                    XON, XOFF: passed over
    00 between two frames     padding: passed over

Anything else is Noise; the demultiplexer always goes on behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from drivers.printer.star.consts import (
    ACK,
    BEL,
    COUNTER_BYTE,
    COUNTER_HIGH,
    COUNTER_LOW,
    ESC,
    ETB,
    EXTENDED,
    EXTENSION_MOST,
    FRAME_LEAST,
    FRAME_MOST,
    HEADER_BITS,
    HEADER_MASK,
    LENGTH_HIGH,
    LENGTH_LOW,
    RS,
    SOH,
    TAIL_BITS,
    TAIL_MASK,
    VERSION_BITS,
    VERSION_MASK,
    XOFF,
    XON,
    Printer,
)


@dataclass(frozen=True, slots=True)
class Asb:
    """One whole status, headers included and without what an interface appends."""

    frame: bytes

    @property
    def counter(self) -> int | None:
        """How many ETB it has come to, 0 to 31; None where this model does not count them."""
        if len(self.frame) <= COUNTER_BYTE:
            return None
        byte = self.frame[COUNTER_BYTE]
        return (byte & COUNTER_HIGH) >> 2 | (byte & COUNTER_LOW) >> 1

    @property
    def state(self) -> bytes:
        """The status but for what ETB brings: two that are equal say the same of the printer."""
        state = bytearray(self.frame)
        state[2] &= ~Printer.ETB
        if len(state) > COUNTER_BYTE:
            state[COUNTER_BYTE] = 0
        return bytes(state)


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are none of the protocol's; broken frames included."""

    seen: bytes


Event: TypeAlias = Asb | Noise


class Demultiplexer:
    """Takes the device's bytes in any pieces; keeps at most one unfinished frame."""

    def __init__(self) -> None:
        self._frame = bytearray()
        self._length = 0  # of the frame that is begun
        self._skip = 0  # bytes of an extension still to come

    def reset(self) -> None:
        """Forget what is unfinished: the link was opened anew."""
        self._frame.clear()
        self._skip = 0

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes; equal for every way of cutting a stream into pieces."""
        events: list[Event] = []
        for byte in data:
            if self._skip:
                self._skip -= 1
            elif len(self._frame) >= self._length > 0:
                self._extend(byte, events)
            elif byte not in (XON, XOFF):
                self._take(byte, events)
        return events

    def _take(self, byte: int, events: list[Event]) -> None:
        if self._frame and not self._fits(byte):
            events.append(Noise(bytes(self._frame)))
            self._frame.clear()
        if not self._frame:
            self._begin(byte, events)
            return
        self._frame.append(byte)
        if len(self._frame) == self._length and not self._frame[1] & EXTENDED:
            self._complete(events)

    def _fits(self, byte: int) -> bool:
        if len(self._frame) == 1:
            return byte & VERSION_MASK == VERSION_BITS
        return byte & TAIL_MASK == TAIL_BITS

    def _begin(self, byte: int, events: list[Event]) -> None:
        self._length = 0
        length = (byte & LENGTH_LOW) >> 1 | (byte & LENGTH_HIGH) >> 2
        if byte & HEADER_MASK == HEADER_BITS and FRAME_LEAST <= length <= FRAME_MOST:
            self._frame.append(byte)
            self._length = length
        elif byte:
            events.append(Noise(bytes((byte,))))

    def _extend(self, byte: int, events: list[Event]) -> None:
        """The two bytes behind a frame that say how much data an interface appended."""
        self._frame.append(byte)
        if len(self._frame) < self._length + 2:
            return
        appended = int.from_bytes(self._frame[self._length :], "big")
        if appended > EXTENSION_MOST:
            events.append(Noise(bytes(self._frame)))
            self._frame.clear()
            self._length = 0
            return
        self._skip = appended
        del self._frame[self._length :]
        self._complete(events)

    def _complete(self, events: list[Event]) -> None:
        events.append(Asb(bytes(self._frame)))
        self._frame.clear()
        self._length = 0


def ask_status() -> bytes:
    """ESC ACK SOH: answered with the status at once, also while offline; prints nothing."""
    return bytes((ESC, ACK, SOH))


def automatic(on: bool) -> bytes:
    """ESC RS a n: the status at every change, or no more."""
    return bytes((ESC, RS, ord("a"), int(on)))


def count() -> bytes:
    """ETB: the counter goes up, and the automatic status tells it, when all before it is printed."""
    return bytes((ETB,))


def initialise() -> bytes:
    """ESC @: settings as at power-on."""
    return bytes((ESC, ord("@")))


def feed_and_cut() -> bytes:
    """ESC d 3: to the cutter, then a partial cut; a full one where the model knows no other (SLM)."""
    return bytes((ESC, ord("d"), 3))


def drive_drawer() -> bytes:
    """BEL: the pulse to peripheral 1, as wide as is set."""
    return bytes((BEL,))
