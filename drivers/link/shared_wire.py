"""What the daemon and the pass-through say to each other: one message, one datagram. Sans-IO.

    to the pass-through   Open(token)    the driver wants the device now
                          Leave()        and now no more
                          Ask(data)      one question, to be asked between two jobs of the till's
                          Print(data)    print data, to be printed between two jobs, with the till held off
    to the daemon         State(...)     at once after an Open, and whenever something changed
                          Heard(data)    what the device said to the agent
                          Printed(count) so much of a Print was taken

The first byte names the kind. What cannot be read is None: either end passes it over.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from dataclasses import dataclass
from typing import TypeAlias

DATA_MOST = 4096
FRAME_MOST = 1 + 2 * DATA_MOST
QUESTION_MOST = 32
"""No question of any driver's is longer; what is, is print data."""
OPEN = "open"  #: State.link where the device's own link is open; else the code of its LinkError

_COUNT = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Open:
    token: int


@dataclass(frozen=True, slots=True)
class Leave:
    pass


@dataclass(frozen=True, slots=True)
class Ask:
    data: bytes


@dataclass(frozen=True, slots=True)
class Print:
    data: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    data: bytes


@dataclass(frozen=True, slots=True)
class Printed:
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How it stands between till and device. Counts are since the till's folder was made, at boot."""

    opened: int = 0  #: the token of the last Open that was answered
    link: str = ""
    text: str = ""  #: of the link's trouble
    hint: str = ""
    busy: bool = False  #: a job of the till's is in progress
    stuck: bool = False  #: for long the device has taken nothing of what waits for it
    till_connected: bool = False
    power_line: bool | None = None
    baud: int = 0  #: as the till has set it; 0 where there is none
    jobs: int = 0
    till_bytes: int = 0
    restarts: int = 0  #: times that the process broke off
    lost_bytes: int = 0  #: so many of the till's may be lost by that


Frame: TypeAlias = Open | Leave | Ask | Print | Heard | Printed | State

_DATA: dict[bytes, type[Ask | Print | Heard]] = {b"a": Ask, b"p": Print, b"h": Heard}
_COUNTS: dict[bytes, type[Open | Printed]] = {b"o": Open, b"w": Printed}
_LETTERS = {kind: letter for table in (_DATA, _COUNTS) for letter, kind in table.items()}
_TYPES = {field.name: type(field.default) for field in dataclasses.fields(State)}


def encode(frame: Frame) -> bytes:
    """One datagram."""
    match frame:
        case State():
            return b"s" + json.dumps(dataclasses.asdict(frame)).encode()
        case Leave():
            return b"l"
        case Open(number) | Printed(number):
            return _LETTERS[type(frame)] + _COUNT.pack(number & 0xFFFFFFFF)
        case Ask(data) | Print(data) | Heard(data):
            return _LETTERS[type(frame)] + data


def decode(datagram: bytes) -> Frame | None:
    """The frame, or None if this is none."""
    letter, rest = datagram[:1], datagram[1:]
    if letter in _DATA:
        return _DATA[letter](rest) if len(rest) <= DATA_MOST else None
    if letter in _COUNTS:
        return _COUNTS[letter](*_COUNT.unpack(rest)) if len(rest) == _COUNT.size else None
    if letter == b"l":
        return Leave()
    return _state(rest) if letter == b"s" else None


def _state(text: bytes) -> State | None:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not all(_fits(key, value) for key, value in said.items()):
        return None
    return State(**said)


def _fits(key: str, value: object) -> bool:
    if key == "power_line":
        return value is None or isinstance(value, bool)
    return type(value) is _TYPES.get(key)
