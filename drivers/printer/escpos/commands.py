"""How long every ESC/POS command is, and which of them bring what answer. Data, pure.

Sources: the manuals named in `consts`; lengths compared with kunif/EscPosUtils' command tables and
with what python-escpos and escpos-php write. Where manuals differ, the longer-lived (Epson) holds.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from drivers.printer.escpos.consts import DC4, DLE, ENQ, EOT, ESC, FS, GS, US

LEADS = bytes((DLE, ESC, FS, GS, US))  #: each begins a command of two bytes and its parameters

Rest: TypeAlias = "tuple[int, Shape | Until | None]"
"""So many bytes of data, and what comes behind them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Parameters of a fixed number; `then` reads from them what follows."""

    head: int = 0
    then: Callable[[bytes], Rest] | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """Bytes up to NUL, `most` at most; where they must ascend, one that does not is no part of it."""

    most: int
    ascending: bool = False


def _counted(at: int, times: int = 1) -> Callable[[bytes], Rest]:
    """Two bytes of the head, low first, say how many follow."""
    return lambda head: (int.from_bytes(head[at : at + 2], "little") * times, None)


def _area(at: int) -> Callable[[bytes], Rest]:
    """xL xH yL yH: bytes across, dots down."""
    return lambda head: (
        int.from_bytes(head[at : at + 2], "little") * int.from_bytes(head[at + 2 : at + 4], "little"),
        None,
    )


BIT_IMAGE: Mapping[int, int] = {
    **dict.fromkeys(range(8), 1),
    **dict.fromkeys((32, 33, 38, 39, 40), 3),
    **dict.fromkeys((71, 72, 73), 6),
}
"""ESC *: bytes in a column by mode; 8 and 24 dots, and 48 of 24-pin printers."""


def _bit_image(head: bytes) -> Rest:
    return BIT_IMAGE.get(head[0], 0) * int.from_bytes(head[1:3], "little"), None


def _barcode(head: bytes) -> Rest:
    """GS k: m up to 6 and NUL at the end, or m from 65 and a length."""
    if head[0] <= 6:
        return 0, Until(BARCODE_MOST)
    return 0, _LENGTH_BYTE if head[0] >= 65 else None


def _user_characters(head: bytes) -> Rest:
    """ESC & y c1 c2: for each character its width, then so many columns of y bytes."""
    return 0, _character(head[0], head[2] - head[1] + 1)


def _character(height: int, left: int) -> Shape | None:
    if left <= 0:
        return None
    return Shape(1, lambda head: (height * head[0], _character(height, left - 1)))


def _stored_image(left: int) -> Shape | None:
    """FS q n: each image is xL xH yL yH in units of eight dots, then its data."""
    if left <= 0:
        return None
    area = _area(0)
    return Shape(4, lambda head: (area(head)[0] * 8, _stored_image(left - 1)))


def _windows_bitmap(head: bytes) -> Rest:
    """GS D m fn a kc1 kc2 b c, then a BMP file, which says its own size behind "BM"."""
    if head[7:9] != b"BM":
        return 0, None
    return max(0, int.from_bytes(head[9:13], "little") - 6), None


def _longer_if(codes: bytes, more: int = 1) -> Callable[[bytes], Rest]:
    """Some first parameters bring further ones."""
    return lambda head: (0, Shape(more) if head[0] in codes else None)


def _by_code(lengths: Mapping[int, int]) -> Callable[[bytes], Rest]:
    return lambda head: (0, Shape(lengths.get(head[0], 0)))


BARCODE_MOST = 255
TABS_MOST = 33  #: 32 positions and NUL
_LENGTH_BYTE = Shape(1, lambda head: (head[0], None))
_BLOCK = Shape(3, _counted(1))  # a letter, pL pH, data
_REAL_TIME_LENGTHS: Mapping[int, int] = {1: 2, 2: 2, 3: 5, 7: 1, 8: 7}  # DLE DC4, behind the function

_NOTHING = {
    ESC: b"\x0c2<@LSimqv",
    FS: b"&.Lbc",
    GS: b":c",
    DLE: b"",
    US: b"\x01\x02\x03\x0a\x0d:@BU",
}
_ONE = {
    ESC: b" !%-3=?CEFGJKMRTUVadertu{",
    FS: b"!-CW",
    GS: b"!/BEHITabfhjrw\x03\x04\x05",
    DLE: bytes((ENQ,)),
    US: b",.;CEXrv",
}
_TWO = {ESC: b"$\\cf", FS: b"?Sp", GS: b"$&LPW\\", DLE: b"", US: b"#$T^"}
_THREE = {ESC: b"p", GS: b"^z"}

_FIXED = {
    bytes((lead, code)): Shape(count)
    for count, table in enumerate((_NOTHING, _ONE, _TWO, _THREE))
    for lead, codes in table.items()
    for code in codes
}

COMMANDS: Mapping[bytes, Shape | Until] = {
    **_FIXED,
    b"\x1bW": Shape(8),
    b"\x1b&": Shape(3, _user_characters),
    b"\x1b(": _BLOCK,
    b"\x1b*": Shape(3, _bit_image),
    b"\x1bD": Until(TABS_MOST, ascending=True),
    b"\x1c(": _BLOCK,
    b"\x1c2": Shape(2 + 72),  # a character of 24 by 24 dots, the usual size
    b"\x1ca": Shape(1, _longer_if(b"0")),
    b"\x1cg": Shape(8, lambda head: _counted(6)(head) if head[0] == 0x31 else (0, None)),
    b"\x1cq": Shape(1, lambda head: (0, _stored_image(head[0]))),
    b"\x1d(": _BLOCK,
    b"\x1d*": Shape(2, lambda head: (head[0] * head[1] * 8, None)),
    b"\x1d8": Shape(5, lambda head: (int.from_bytes(head[1:5], "little"), None)),
    b"\x1dC": Shape(1, _by_code({0x30: 2, 0x31: 6, 0x32: 2})),
    b"\x1dD": Shape(13, _windows_bitmap),
    b"\x1dQ": Shape(6, _area(2)),
    b"\x1dV": Shape(1, _longer_if(b"ABabgh")),
    b"\x1dg": Shape(4),
    b"\x1dk": Shape(1, _barcode),
    b"\x1dv": Shape(6, _area(2)),
    b"\x1d\xe0": Shape(1),  # Custom: status by itself
    b"\x1f(": _BLOCK,
    bytes((DLE, EOT)): Shape(1, _longer_if(b"\x00\x07\x08\x12")),
    bytes((DLE, DC4)): Shape(1, _by_code(_REAL_TIME_LENGTHS)),
}
"""By their first two bytes. A pair that is not here is taken for a command without parameters."""


class Kind(enum.Enum):
    """What an answer looks like."""

    STATUS = "one byte 0xx1xx10"
    SHORT = "one byte 0xx0xxxx"
    BLOCK = "a header, text, NUL"
    PROCESS = "37 22 id NUL"
    FRAME = "four bytes of automatic status"
    ANY = "not known"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question brings: `headers` of a block, `real_time` if it does not wait behind print data."""

    kind: Kind
    headers: bytes = b""
    real_time: bool = False


STATUS = Answer(Kind.STATUS, real_time=True)
SHORT = Answer(Kind.SHORT)
INFO_A, INFO_B = Answer(Kind.BLOCK, b"\x3d"), Answer(Kind.BLOCK, b"\x5f")
PROCESS = Answer(Kind.PROCESS)
FRAME = Answer(Kind.FRAME)
ANY = Answer(Kind.ANY)
ANY_REAL_TIME = Answer(Kind.ANY, real_time=True)

_INFO: Mapping[int, Answer] = {
    **dict.fromkeys((1, 2, 3, 49, 50, 51), SHORT),
    **dict.fromkeys((33, 35, 36, 96, 110), INFO_A),
    **dict.fromkeys((*range(65, 70), 111, 112), INFO_B),
}
_TRANSMITS: Mapping[bytes, tuple[int, bytes]] = {
    b"\x1d(C": (4, b"\x02\x03\x04\x052345"),
    b"\x1d(E": (3, b"\x01\x04\x06\x0c\x0e\x1024d"),
    b"\x1d(G": (3, b"\x20<=@ABFG"),
    b"\x1d(L": (4, b"\x00\x03\x04034@P"),
    b"\x1d(k": (4, b"R"),
    b"\x1d(z": (3, b"?"),
    b"\x1c(E": (3, b"="),
    b"\x1c(L": (3, b"\x220"),
    b"\x1c(e": (3, b"3"),
    b"\x1c(g": (3, b"PQZad"),
}
"""Which functions of the commands with a length answer: where the function stands, and which they are."""


def _block_answer(name: bytes, params: bytes) -> Answer | None:
    if name == b"\x1d(" and params[:1] == b"H" and params[3:5] == b"00" and len(params) == 9:
        return PROCESS
    at, functions = _TRANSMITS.get(name + params[:1], (0, b""))
    return ANY if functions and params[at : at + 1] in {bytes((f,)) for f in functions} else None


def _if_first(codes: bytes, answer: Answer) -> Callable[[bytes], Answer | None]:
    return lambda params: answer if params[0] in codes else None


_QUEUED: Mapping[bytes, Callable[[bytes], Answer | None]] = {
    b"\x1dI": lambda params: _INFO.get(params[0], ANY),
    b"\x1dr": lambda _: SHORT,
    b"\x1bu": lambda _: SHORT,
    b"\x1bv": lambda _: SHORT,
    b"\x1da": lambda params: FRAME if params[0] else None,
    b"\x1dg": _if_first(b"2", INFO_B),
    b"\x1dj": lambda params: ANY if params[0] else None,
    b"\x1d\xe0": lambda _: ANY,
    b"\x1d\x03": lambda _: ANY,  # Axiohm's other names of the real-time commands
    b"\x1d\x04": lambda _: ANY,
    b"\x1ca": _if_first(b"0", ANY),
    b"\x1cb": lambda _: ANY,
    b"\x1cg": _if_first(b"2", ANY),
    b"\x1d(": lambda params: _block_answer(b"\x1d(", params),
    b"\x1c(": lambda params: _block_answer(b"\x1c(", params),
}

POWER_OFF, CLEAR_BUFFERS = b"\x02\x01\x08", b"\x08\x01\x03\x14\x01\x06\x02\x08"  # behind DLE DC4


def answer(name: bytes, params: bytes) -> Answer | None:
    """What this command brings, worked off in line with print data; `params` may be cut short."""
    find = _QUEUED.get(name)
    return find(params) if find is not None else None


def real_time_length(sequence: bytes) -> int:
    """Of a sequence that begins with DLE, as far as it is known: 0 if it is none."""
    if len(sequence) < 2:
        return 2
    shape = COMMANDS.get(sequence[:2])
    if not isinstance(shape, Shape):
        return 0
    if len(sequence) < 3 or shape.then is None:
        return 3
    behind = shape.then(sequence[2:3])[1]
    return 3 + (behind.head if isinstance(behind, Shape) else 0)


def real_time_answer(sequence: bytes) -> Answer | None:
    """What a whole sequence that begins with DLE brings, wherever it stands."""
    code, params = sequence[1], sequence[2:]
    if code == EOT:
        return STATUS if params[0] in b"\x01\x02\x03\x04\x05\x06\x07\x08\x12" else ANY_REAL_TIME
    if code == DC4 and params[0] == 7:
        return ANY_REAL_TIME
    if code == DC4 and params == POWER_OFF:
        return Answer(Kind.BLOCK, b"\x3b", real_time=True)
    if code == DC4 and params == CLEAR_BUFFERS:
        return Answer(Kind.BLOCK, b"\x37", real_time=True)
    return None


def clears_buffers(sequence: bytes) -> bool:
    """After this, what waited in the printer is not worked off any more."""
    return sequence in (bytes((DLE, ENQ, 2)), bytes((DLE, DC4)) + CLEAR_BUFFERS)
