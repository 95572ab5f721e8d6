"""The self-test's slip, as bytes. Pure."""

from __future__ import annotations

from drivers.api import Occasion
from drivers.printer.escpos.consts import LF
from drivers.printer.escpos.wire import feed_and_cut, initialise

WIDTH = 32  #: characters that the narrowest common paper (58 mm) holds
CHARACTERS = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789 !\"#$%&'()*+,-./:;<=>?",
)


def slip(device: str, occasion: Occasion, result: str, *, initialised: bool = True) -> bytes:
    """Terminal, device, time and result, a line of every character, and the cut.

    Not `initialised`, it leaves the printer's settings as they are: on a shared one they are the till's.
    """
    lines = (
        "TILLWATCH SELF-TEST".center(WIDTH).rstrip(),
        "-" * WIDTH,
        f"Terminal: {occasion.terminal}",
        f"Device:   {device}",
        f"Time:     {occasion.at}",
        f"Result:   {result}",
        "-" * WIDTH,
        *CHARACTERS,
        "",
    )
    text = b"".join(line.encode("ascii", "replace") + bytes((LF,)) for line in lines)
    return (initialise() if initialised else b"") + text + feed_and_cut()
