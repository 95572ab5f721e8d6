"""A till that nobody here wrote: python-escpos, with every byte kept that it wrote and read."""

from __future__ import annotations

import random
import re
import socket
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from escpos.printer import Network, Serial
from PIL import Image

PROFILE = "TM-T88III"
ANSWER_S = 8.0  #: an answer may wait behind a receipt on a slow line
_ASKED = re.compile(rb"\x10\x04[\x01-\x04]")
OURS = re.compile(rb"(?:\x10\x04[\x01-\x04]|\x1da.|\x1dI.|\x1dg2\x00..|\x1d\(H\x06\x0000....)", re.DOTALL)
"""What the agent may ask, where it may."""
MAKER = b"\x1dIB", b"_EPSON\x00"

# What a picture must be able to hold without a printer or a junction taking it for more than it is. DLE ENQ 2
# and DLE DC4 8 are left out: they empty the printer's buffer, and the receipt with it, here as without us. So
# is DLE DC4 7: its answer looks like automatic status, so a till that asks it gets the agent's frames, too.
TRAPS = (
    *(b"\x10\x04" + bytes((n,)) for n in (1, 2, 3, 4)),
    b"\x10\x05\x01",
    b"\x10\x14\x01\x00\x01",  # a drawer's pulse
    b"\x10\x10\x04\x01\x10",
    b"\x1da\xff",
    b"\x1da\x00",
    b"\x1dI\x41",
    b"\x1dr\x01",
    b"\x1dg2\x00\x14\x00",
    b"\x1d(H\x06\x0000trap",
    b"\x1b@",
    b"\x1dV\x00",
    b"\x1dV\x42\x00",
    b"\x1bi",
    b"\x1dv0\x00\xff\xff\xff\xff",
    b"\x11\x13",
    bytes(range(256)),
)


class _Kept:
    """The part of both tills: all that passed, and where a job may be over."""

    def __init__(self, *where: Any, **how: Any) -> None:
        super().__init__(*where, **how)
        self.sent = bytearray()
        self.heard = bytearray()
        self.borders: list[int] = []  #: positions in `sent` where the agent may ask
        self.answers: list[tuple[str, bytes]] = []  #: what came, by what was done before
        self.between = True  #: two receipts: the agent may ask before each thing that is written now
        self.in_picture: Callable[[], None] | None = None  #: called once, half way through the next picture
        self._told = 0
        self._settled = 0, 0  # so much of what was sent and heard is done with

    def begin(self) -> None:
        """A receipt: up to `end` nothing may stand between its bytes."""
        self.borders.append(len(self.sent))
        self.between = False

    def end(self) -> None:
        self.between = True

    def write(self, data: bytes) -> None:
        self._raw(data)

    def _raw(self, msg: bytes) -> None:
        pause, middle = self.in_picture, msg.find(b"\x10\x04\x01", len(msg) // 2) + 3
        if pause is not None and len(msg) > 256 and middle > 3:
            self.in_picture = None
            self._raw(msg[:middle])
            self.until_status()
            pause()
            msg = msg[middle:]
        if self.between:
            self.borders.append(len(self.sent))
        self.sent += msg
        super()._raw(msg)  # type: ignore[misc]

    def _read(self) -> bytes:
        """python-escpos waits for sixteen bytes over a line; one is enough to go on."""
        data = self.some()
        self.heard += data
        return data

    def some(self) -> bytes:
        raise NotImplementedError

    def until(self, whole: Callable[[bytes], bool], what: str) -> None:
        """Read until all that came ends as `whole` says."""
        ends_s = time.monotonic() + ANSWER_S
        while not whole(bytes(self.heard[self._told :])):
            assert time.monotonic() < ends_s, f"no {what}, but {bytes(self.heard[self._told :])!r}"
            self._read()

    def until_status(self) -> None:
        """All that was asked by DLE EOT is answered, in pictures too."""
        sent, heard = self._settled
        asked = len(_ASKED.findall(self.sent, sent))
        # Nothing else that is asked before the next `ask` is answered by bytes of the form 0xx1xx10.
        self.until(
            lambda _came: sum(byte & 0x93 == 0x12 for byte in self.heard[heard:]) >= asked,
            f"answers to {asked} times DLE EOT",
        )

    def note(self, what: str) -> None:
        """What came since the last note is the answer to this."""
        self.answers.append((what, bytes(self.heard[self._told :])))
        self._told = len(self.heard)

    def status(self) -> None:
        """DLE EOT 1-4, one after the other."""
        for n in range(1, 5):
            self.write(b"\x10\x04" + bytes((n,)))
            self.until_status()
            self.note(f"DLE EOT {n}")

    def ask(self, what: str, question: bytes = b"") -> None:
        """A question that waits in the printer's queue, and one behind it whose answer has an end."""
        self.write(question + MAKER[0])
        self.until(lambda came: came.endswith(MAKER[1]), f"answer to {what}")
        self.note(what)
        self._settled = len(self.sent), len(self.heard)

    def linger(self, seconds: float) -> None:
        """Nothing should come now."""
        ends_s = time.monotonic() + seconds
        while (left_s := ends_s - time.monotonic()) > 0:
            self.heard += self.late(left_s)
        self.note("nothing")

    def late(self, seconds: float) -> bytes:
        raise NotImplementedError


class TtyTill(_Kept, Serial):  # type: ignore[misc]
    """At a serial port, which it keeps open."""

    def __init__(self, path: str, baud: int = 115200) -> None:
        super().__init__(path, baud, timeout=ANSWER_S, profile=PROFILE)

    def some(self) -> bytes:
        return bytes(self.device.read(max(1, self.device.in_waiting)))

    def late(self, seconds: float) -> bytes:
        self.device.timeout = seconds
        data = bytes(self.device.read(1))
        self.device.timeout = ANSWER_S
        return data


class TcpTill(_Kept, Network):  # type: ignore[misc]
    """At a network printer's port, one connection for each receipt."""

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1", port, timeout=ANSWER_S, profile=PROFILE)

    def open(self, raise_not_found: bool = True) -> None:
        super().open(raise_not_found)
        self.device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def some(self) -> bytes:
        data = bytes(self.device.recv(4096))
        assert data, "the printer closed the connection"
        return data

    def late(self, seconds: float) -> bytes:
        self.device.settimeout(seconds)
        try:
            return bytes(self.device.recv(1))
        except TimeoutError:
            return b""
        finally:
            self.device.settimeout(ANSWER_S)


def picture(chance: random.Random) -> Image.Image:
    """Its dots are traps, in random order, with DLE EOT 1 in its middle; 128 dots wide."""
    half = [chance.choice(TRAPS) for _ in range(8)]
    data = b"".join((*TRAPS, *half, b"\x10\x04\x01", *chance.sample(TRAPS, len(TRAPS))))
    rows = -(-len(data) // 16)
    dots = data.ljust(16 * rows, b"\x00")
    return Image.frombytes("1", (128, rows), bytes(dot ^ 0xFF for dot in dots))


def receipt(till: Any, number: int) -> None:
    """One of many kinds, up to before its cut: text, pictures, codes, questions in between."""
    chance = random.Random(number)
    till.hw("INIT")
    if number % 3 == 1:
        till.write(b"\x1da" + bytes((chance.choice((1, 2, 4, 8, 0x0F, 0xFF)),)))
        till.ask("GS a")
    till.set(align="center", bold=True, double_height=number % 2 == 0)
    till.textln(f"CORNER CAFÉ {number}")
    till.set_with_default()
    for _ in range(chance.randint(1, 8)):
        till.textln(f"{chance.randbytes(4).hex()}  {chance.randint(100, 9999) / 100:>8.2f} €")
    match number % 5:
        case 0:
            till.ask("GS r 1", b"\x1dr\x01")
            till.image(picture(chance), impl="graphics", center=False)
        case 1:
            till.image(picture(chance), impl="bitImageRaster", center=False)
        case 2:
            till.image(picture(chance), impl="bitImageColumn", center=False)
            till.write(b"\x1da\x08")
            till.ask("GS a 8")
        case 3:
            till.barcode("4006381333931", "EAN13")
            till.barcode("{B012ABCDabcd", "CODE128", function_type="B")
            till.ask("GS ( H", b"\x1d(H\x06\x0000till")
        case _:
            till.image(picture(chance), impl="bitImageRaster", center=False)
            till.qr(f"https://receipt.example/{number}", native=True)
    if number % 2:
        till.ask("GS r 2, GS I 3, GS I 67", b"\x1dr\x02\x1dI\x03\x1dI\x43")
    if number % 4 == 0:
        till.status()
        till.write(b"\x1da\x00")
        till.ask("GS g 2", b"\x1dg2\x00\x14\x00")
    if number % 7 == 0:
        till.cashdraw(2)
        till.ask("a drawer's pulse")


def receipt_with_picture(till: Any, number: int) -> None:
    """Plain lines around one picture. Nothing in it waits for an answer out of the queue, and no ESC @."""
    till.textln(f"receipt {number}")
    till.image(picture(random.Random(number)), impl="bitImageRaster", center=False)
    till.textln("thank you")


def hold_against(came: bytes, sent: bytes, borders: Iterable[int]) -> int:
    """`came` is `sent`, byte for byte, with whole questions of the agent at `borders` and nowhere else.

    Returns how many it asked.
    """
    edges = sorted({0, *borders, len(sent)})
    at = asked = 0
    for begin, end in pairwise(edges):
        job = sent[begin:end]
        while not came.startswith(job, at):
            question = OURS.match(came, at)
            assert question is not None, (
                f"behind byte {begin} of {len(sent)} that the till sent: {came[at : at + 40]!r}"
                f" instead of {job[:40]!r}"
            )
            at, asked = question.end(), asked + 1
        at += len(job)
    rest = re.compile(rb"(?:" + OURS.pattern + rb")*", re.DOTALL).fullmatch(came, at)
    assert rest is not None, f"behind all that the till sent: {came[at : at + 40]!r}"
    return asked + len(OURS.findall(came, at))
