"""The self-test's slip for an ESC/POS printer, as bytes. Pure."""

from __future__ import annotations

from drivers.api import Occasion
from drivers.printer.escpos.wire import feed_and_cut, initialise
from drivers.printer.slip import text


def slip(device: str, occasion: Occasion, result: str, *, initialised: bool = True) -> bytes:
    """The slip, and the cut.

    Not `initialised`, it leaves the printer's settings as they are: on a shared one they are the till's.
    """
    return (initialise() if initialised else b"") + text(device, occasion, result) + feed_and_cut()
