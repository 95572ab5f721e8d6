"""CCID as bytes: requests out, answers and notices in. Sans-IO. Layout: CCID rev 1.1, 6.1 to 6.3.

No byte that a card said is kept: of an answer's data only the length is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from drivers.reader.ccid.consts import (
    CARD_MASK,
    DATA_MOST,
    FAILED,
    HARDWARE_ERROR_BYTES,
    HEADER_BYTES,
    TIME_EXTENSION,
    Answer,
    Command,
    Notice,
    Power,
)

SEQUENCES = 256


@dataclass(frozen=True, slots=True)
class Said:
    """One answer; `data_bytes` is how long its data was."""

    header: bytes
    data_bytes: int

    @property
    def slot(self) -> int:
        return self.header[5]

    @property
    def seq(self) -> int:
        return self.header[6]

    @property
    def card(self) -> int:
        """A `consts.Card`; 3 is none of them."""
        return self.header[7] & CARD_MASK

    @property
    def more_time(self) -> bool:
        """The reader asks for more time: it lives, and is busy."""
        return bool(self.header[7] & TIME_EXTENSION)

    @property
    def error(self) -> int | None:
        """bError where the command failed, else None."""
        return self.header[8] if self.header[7] & FAILED else None


@dataclass(frozen=True, slots=True)
class SlotChange:
    """A card came or went."""


@dataclass(frozen=True, slots=True)
class HardwareError:
    slot: int
    code: int


@dataclass(frozen=True, slots=True)
class Noise:
    """So many bytes that are no message; they might be anything, and are not kept."""

    count: int


Unasked: TypeAlias = SlotChange | HardwareError | Noise


class Answers:
    """Takes what the bulk IN pipe brings, in any pieces; keeps a header at most."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._missing = 0  # bytes of the open message's data

    def reset(self) -> None:
        """The link was opened anew."""
        self._header.clear()
        self._missing = 0

    def feed(self, data: bytes) -> list[Said | Noise]:
        """What `data` completes, noise first. Zeros between messages are passed over."""
        found: list[Said | Noise] = []
        noise = 0
        for byte in data:
            if self._missing:
                self._missing -= 1
            elif self._header or byte:
                noise += self._take(byte)
            if len(self._header) == HEADER_BYTES and not self._missing:
                found.append(Said(bytes(self._header), _length(self._header)))
                self._header.clear()
        return [*([Noise(noise)] if noise else []), *found]

    def _take(self, byte: int) -> int:
        """One more byte of a header; how many of those before it were none."""
        self._header.append(byte)
        noise = 0
        while self._header and not _begins(self._header):
            del self._header[0]
            noise += 1
        if len(self._header) == HEADER_BYTES:
            self._missing = _length(self._header)
        return noise


class Notices:
    """Takes what the interrupt IN pipe brings; keeps one notice at most."""

    def __init__(self, slots: int) -> None:
        self._lengths: dict[int, int] = {
            Notice.SLOT_CHANGE: 1 + (2 * slots + 7) // 8,
            Notice.HARDWARE_ERROR: HARDWARE_ERROR_BYTES,
        }
        self._notice = bytearray()

    def reset(self) -> None:
        """The link was opened anew."""
        self._notice.clear()

    def feed(self, data: bytes) -> list[Unasked]:
        """What `data` completes."""
        found: list[Unasked] = []
        for byte in data:
            self._notice.append(byte)
            length = self._lengths.get(self._notice[0])
            if length is None:
                found.append(Noise(1))
            elif len(self._notice) < length:
                continue
            elif self._notice[0] == Notice.SLOT_CHANGE:
                found.append(SlotChange())
            else:
                found.append(HardwareError(self._notice[1], self._notice[3]))
            self._notice.clear()
        return found


def get_slot_status(slot: int, seq: int) -> bytes:
    """PC_to_RDR_GetSlotStatus, 6.1.3: answered by SLOT_STATUS; the card is left as it is."""
    return _request(Command.GET_SLOT_STATUS, slot, seq)


def power_on(slot: int, seq: int, power: Power = Power.AUTOMATIC) -> bytes:
    """PC_to_RDR_IccPowerOn, 6.1.1: answered by DATA_BLOCK. For an external self-test alone."""
    return _request(Command.POWER_ON, slot, seq, power)


def power_off(slot: int, seq: int) -> bytes:
    """PC_to_RDR_IccPowerOff, 6.1.2: answered by SLOT_STATUS."""
    return _request(Command.POWER_OFF, slot, seq)


def _request(command: Command, slot: int, seq: int, parameter: int = 0) -> bytes:
    return bytes((command, 0, 0, 0, 0, slot, seq % SEQUENCES, parameter, 0, 0))


def _length(header: bytearray) -> int:
    return int.from_bytes(header[1:5], "little")


def _begins(header: bytearray) -> bool:
    """Whether a message may begin so."""
    if header[0] not in _TYPES:
        return False
    return len(header) < 5 or _length(header) <= (0 if header[0] == Answer.SLOT_STATUS else DATA_MOST)


_TYPES = frozenset(Answer)
