"""The text of a self-test's slip. Pure."""

from __future__ import annotations

from drivers.api import Occasion

WIDTH = 32  #: characters that the narrowest common paper (58 mm) holds
CHARACTERS = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789 !\"#$%&'()*+,-./:;<=>?",
)
QUESTION = "Is the slip readable, complete and cut?"
LF = 0x0A


def text(device: str, occasion: Occasion, result: str) -> bytes:
    """Terminal, device, time and result, and a line of every character; each line ends with LF."""
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
    return b"".join(line.encode("ascii", "replace") + bytes((LF,)) for line in lines)
