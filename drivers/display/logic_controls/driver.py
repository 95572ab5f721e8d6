"""Customer displays of Logic Controls (PD3000, LD9000), over a serial line; they say nothing."""

from __future__ import annotations

from drivers.display.logic_controls.wire import BRIGHTNESSES, CLEAR, show
from drivers.display.panel import Language
from drivers.display.write_only import spec

SPEC = spec("logic_controls", Language(show=show, clear=CLEAR, brightness=BRIGHTNESSES))
