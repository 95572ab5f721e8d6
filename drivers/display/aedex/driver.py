"""Customer displays that speak Aedex, over a serial line; they say nothing."""

from __future__ import annotations

from drivers.display.aedex.wire import CLEAR, show
from drivers.display.panel import Language
from drivers.display.write_only import spec

SPEC = spec("aedex", Language(show=show, clear=CLEAR))
