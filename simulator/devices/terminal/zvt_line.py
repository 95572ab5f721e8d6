"""How ZVT messages (APDUs) stand on a line: bare on a TCP stream, framed and acknowledged on a serial one.

Source: ZVT PA00P015 (APDU: class, instruction, length, data; a length of 255 and up is FF and two bytes, low
first); ecrterm crc.py and transmission (serial: 10 02, the APDU with each 10 doubled, 10 03, CRC low, CRC
high; 06 took it, 15 did not; T1 0.2 s between characters, T3 5 s for the 06, three tries). A terminal knows
which of the two it is by how it is spoken to: 10 begins no bare message. Once spoken to in the serial form it
keeps to that until it is switched off.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

DLE, STX, ETX, ACK, NAK = 0x10, 0x02, 0x03, 0x06, 0x15
T1_S = 0.2  #: from one character to the next
T3_S = 5.0  #: from a message to its 06; between two parts of a bare one
TRIES = 3
APDU_BYTES = 3 + 2 + 0xFFFF
QUEUED = 16
BARE_CLASSES = frozenset({0x04, 0x05, 0x06, 0x08, 0x0F, 0x80, 0x84})
"""How a message of the till may begin; anything else on a bare line is noise."""


@dataclass(frozen=True, slots=True)
class Apdu:
    """One whole message: class and instruction, and the data."""

    code: int  #: class * 256 + instruction
    data: bytes = b""

    def encoded(self) -> bytes:
        size = len(self.data)
        length = bytes([size]) if size < 0xFF else b"\xff" + size.to_bytes(2, "little")
        return self.code.to_bytes(2, "big") + length + self.data


@dataclass(frozen=True, slots=True)
class Took:
    """06: the other side has the last message; 15 (not `well`): it wants it again."""

    well: bool


@dataclass(frozen=True, slots=True)
class Garbled:
    """A serial message that does not check."""


Event: TypeAlias = Apdu | Took | Garbled


def crc(data: bytes) -> int:
    """Over the APDU and ETX."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0x8408 if value & 1 else value >> 1
    return value


def framed(apdu: bytes) -> bytes:
    """The serial form."""
    check = crc(apdu + bytes([ETX])).to_bytes(2, "little")
    doubled = apdu.replace(bytes([DLE]), bytes([DLE, DLE]))
    return bytes([DLE, STX]) + doubled + bytes([DLE, ETX]) + check


def apdu_length(held: bytes | bytearray) -> int | None:
    """How long the APDU is that `held` begins with; None: not known yet."""
    if len(held) < 3:
        return None
    if held[2] < 0xFF:
        return 3 + held[2]
    return 5 + int.from_bytes(held[3:5], "little") if len(held) >= 5 else None


def _apdu(held: bytes | bytearray) -> Apdu | None:
    """`held` as an APDU, if it is exactly one."""
    if apdu_length(held) != len(held):
        return None
    return Apdu(int.from_bytes(held[:2], "big"), bytes(held[5 if held[2] == 0xFF else 3 :]))


def lllvar(data: bytes) -> bytes:
    """A text with its length: three digits, each a byte F0 to F9."""
    return bytes(0xF0 | int(digit) for digit in f"{len(data):03}") + data


class Ear:
    """Cuts what comes into messages, whichever of the two forms it has."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.serial: bool | None = None  #: which form was heard last
        self._drop()

    def _drop(self) -> None:
        self._held = bytearray()
        self._in_frame = False
        self._after_dle = False
        self._check = b""  #: the CRC, as it comes
        self._in_check = False
        self._heard_s: float | None = None  #: the last byte of what is not complete

    def held(self) -> int:
        return len(self._held)

    def feed(self, data: bytes, now_s: float) -> list[Event]:
        events = [event for byte in data if (event := self._byte(byte)) is not None]
        open_ended = self._in_frame or self._after_dle or self._in_check or self._held
        self._heard_s = now_s if open_ended else None
        return events

    def gives_up_s(self) -> float | None:
        """When what is not complete by then is given up."""
        if self._heard_s is None:
            return None
        return self._heard_s + (T1_S if self._in_frame or self._in_check else T3_S)

    def due(self, now_s: float) -> list[Event]:
        """A serial message that ended in its middle is garbled; a bare one is dropped."""
        until_s = self.gives_up_s()
        if until_s is None or now_s < until_s:
            return []
        in_frame = self._in_frame or self._in_check
        self._drop()
        return [Garbled()] if in_frame else []

    def _byte(self, byte: int) -> Event | None:
        if self._in_check:
            return self._crc_byte(byte)
        if self._in_frame:
            return self._frame_byte(byte)
        if self._held:
            return self._bare_byte(byte)
        return self._first_byte(byte)

    def _first_byte(self, byte: int) -> Event | None:
        """Between two messages."""
        if self._after_dle:
            self._after_dle = byte == DLE
            self._in_frame = byte == STX
            if self._in_frame:
                self.serial = True
        elif byte == DLE:
            self._after_dle = True
        elif self.serial:
            return Took(byte == ACK) if byte in (ACK, NAK) else None
        elif byte in BARE_CLASSES:
            self.serial = False
            self._held.append(byte)
        return None

    def _bare_byte(self, byte: int) -> Event | None:
        self._held.append(byte)
        whole = _apdu(self._held)
        if whole is not None:
            self._held.clear()
        return whole

    def _frame_byte(self, byte: int) -> Event | None:
        if not self._after_dle:
            if byte == DLE:
                self._after_dle = True
            else:
                self._held.append(byte)
        else:
            self._after_dle = False
            if byte == DLE:
                self._held.append(byte)
            elif byte == ETX:
                self._in_frame, self._in_check = False, True
            elif byte == STX:
                self._held.clear()
            else:
                return self._garbled()
        return self._garbled() if len(self._held) > APDU_BYTES else None

    def _crc_byte(self, byte: int) -> Event | None:
        self._check += bytes([byte])
        if len(self._check) < 2:
            return None
        held, check = bytes(self._held), int.from_bytes(self._check, "little")
        self._drop()
        whole = _apdu(held)
        return whole if whole and check == crc(held + bytes([ETX])) else Garbled()

    def _garbled(self) -> Garbled:
        self._drop()
        return Garbled()


class Mouth:
    """What the terminal says, in the form that it is spoken to; a serial message waits for its 06."""

    def __init__(self) -> None:
        self._out: deque[bytes] = deque(maxlen=QUEUED)  #: to be sent now
        self.clear()

    def clear(self) -> None:
        self._out.clear()
        self.hush()

    def hush(self) -> None:
        """Drop what was not taken yet."""
        self._waiting: deque[bytes] = deque(maxlen=QUEUED)  #: serial: not sent yet
        self._flying: bytes | None = None  #: serial: sent, and not taken yet
        self._tries = 0
        self._again_s = 0.0

    def say(self, apdu: Apdu, *, serial: bool, now_s: float) -> None:
        if not serial:
            self._out.append(apdu.encoded())
            return
        self._waiting.append(framed(apdu.encoded()))
        self._next(now_s)

    def confirm(self, *, well: bool) -> None:
        """Answer a serial message with 06 or 15."""
        self._out.append(bytes([ACK if well else NAK]))

    def taken(self, *, well: bool, now_s: float) -> bool:
        """06 or 15 came. False: the third try failed too, and all that waited is dropped."""
        if self._flying is None:
            return True
        if well:
            self._flying = None
            self._next(now_s)
            return True
        return self._try_again(now_s)

    def silent(self) -> bool:
        """Nothing waits to be sent or taken."""
        return not (self._flying or self._waiting)

    def again_s(self) -> float | None:
        """When it sends again what was not taken."""
        return None if self._flying is None else self._again_s

    def due(self, now_s: float) -> bool:
        """Send again what is overdue; False as in `taken`."""
        return self._flying is None or now_s < self._again_s or self._try_again(now_s)

    def spoken(self) -> list[bytes]:
        """What leaves now; each is handed out once."""
        frames = list(self._out)
        self._out.clear()
        return frames

    def speaks(self) -> bool:
        return bool(self._out)

    def _next(self, now_s: float) -> None:
        if self._flying is None and self._waiting:
            self._flying, self._tries = self._waiting.popleft(), 0
            self._try_again(now_s)

    def _try_again(self, now_s: float) -> bool:
        if self._flying is None or self._tries == TRIES:
            self.hush()
            return False
        self._tries += 1
        self._again_s = now_s + T3_S
        self._out.append(self._flying)
        return True
