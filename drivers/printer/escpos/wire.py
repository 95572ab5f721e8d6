"""ESC/POS as bytes: requests out, events in. Sans-IO.

Answers of several kinds arrive mixed on one line (Citizen CBM-1000 appendix):

    0xx1xx10                          answer to DLE EOT: StatusByte
    0xx1xx00 + 3 x 0xx0xxxx           automatic status: Asb; XON and XOFF may stand inside
    5F|3D|3B|37 ... 00                block answer: Block
    11, 13                            XON, XOFF: passed over
    0xx0xxxx                          one-byte answer: ShortAnswer, only if one was announced

The first bytes are disjoint. Anything else is Noise; the demultiplexer always goes on behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from drivers.printer.escpos.consts import (
    ASB_BITS,
    ASB_BYTES,
    ASB_MASK,
    BLOCK_HEADERS,
    BLOCK_MOST,
    DLE,
    ENQ,
    EOT,
    ESC,
    GS,
    NUL,
    PROCESS_ID_BYTES,
    STATUS_BITS,
    STATUS_MASK,
    TAIL_BITS,
    TAIL_MASK,
    XOFF,
    XON,
    AsbItem,
    Counter,
    Info,
    Query,
    Recovery,
)


@dataclass(frozen=True, slots=True)
class StatusByte:
    """An answer to DLE EOT; which question it answers only the asker knows."""

    value: int


@dataclass(frozen=True, slots=True)
class Asb:
    """One frame of automatic status, four bytes."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block answer without its header and its closing NUL."""

    header: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are none of the protocol's; broken frames included."""

    seen: bytes


Event: TypeAlias = StatusByte | Asb | Block | Noise


class Demultiplexer:
    """Takes the device's bytes in any pieces; keeps at most one unfinished frame."""

    def __init__(self) -> None:
        self._frame = bytearray()

    def reset(self) -> None:
        """Forget what is unfinished: the line is silent, or was opened anew."""
        self._frame.clear()

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes; equal for every way of cutting a stream into pieces."""
        events: list[Event] = []
        for byte in data:
            if byte in (XON, XOFF):
                continue
            if self._frame and not self._fits(byte):
                events.append(Noise(bytes(self._frame)))
                self._frame.clear()
            if self._frame:
                self._continue(byte, events)
            else:
                self._begin(byte, events)
        return events

    def _fits(self, byte: int) -> bool:
        if self._frame[0] in BLOCK_HEADERS:
            return byte == NUL or (byte >= 0x20 and len(self._frame) <= BLOCK_MOST)
        return byte & TAIL_MASK == TAIL_BITS

    def _continue(self, byte: int, events: list[Event]) -> None:
        self._frame.append(byte)
        if self._frame[0] in BLOCK_HEADERS:
            if byte == NUL:
                events.append(Block(self._frame[0], bytes(self._frame[1:-1])))
                self._frame.clear()
        elif len(self._frame) == ASB_BYTES:
            events.append(Asb(bytes(self._frame)))
            self._frame.clear()

    def _begin(self, byte: int, events: list[Event]) -> None:
        if byte & STATUS_MASK == STATUS_BITS:
            events.append(StatusByte(byte))
        elif byte & ASB_MASK == ASB_BITS or byte in BLOCK_HEADERS:
            self._frame.append(byte)
        else:
            events.append(Noise(bytes((byte,))))


def ask_status(query: Query) -> bytes:
    """DLE EOT n. To be sent in one piece: some printers clear themselves on a lone DLE."""
    return bytes((DLE, EOT, query))


def arm_asb(items: AsbItem) -> bytes:
    """GS a n: answers at once, and from then on at every change of these items."""
    return bytes((GS, ord("a"), items))


def ask_info(info: Info) -> bytes:
    """GS I n: answers with a Block."""
    return bytes((GS, ord("I"), info))


def ask_counter(counter: Counter) -> bytes:
    """GS g 2: answers with a Block of decimal digits."""
    return bytes((GS, ord("g"), 0x32, 0x00)) + int(counter).to_bytes(2, "little")


def ask_completion(token: bytes) -> bytes:
    """GS ( H function 48: answers with a Block `22 token` when all before it is printed."""
    if len(token) != 4 or any(byte not in PROCESS_ID_BYTES for byte in token):
        raise ValueError(f"a process id is four bytes of 20 to 7E, not {token.hex(' ')}")
    return bytes((GS, ord("("), ord("H"), 0x06, 0x00, 0x30, 0x30)) + token


def recover(how: Recovery) -> bytes:
    """DLE ENQ n: after a cutter jam or another recoverable error whose cause is removed."""
    return bytes((DLE, ENQ, how))


def kick_drawer() -> bytes:
    """ESC p: a pulse of 100 ms to pin 2 of the drawer connector, then 500 ms of rest (T88: units of 2 ms)."""
    return bytes((ESC, ord("p"), 0, 50, 250))


def initialise() -> bytes:
    """ESC @: settings as at power-on; also ends automatic status."""
    return bytes((ESC, ord("@")))


def feed_and_cut() -> bytes:
    """GS V 66 0: to the cutter, then a cut that leaves one point."""
    return bytes((GS, ord("V"), 66, 0))
