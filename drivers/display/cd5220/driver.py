"""Customer displays that speak CD5220, over a serial line; they say nothing."""

from __future__ import annotations

from drivers.display.cd5220.wire import BRIGHTNESSES, CLEAR, show
from drivers.display.panel import Language
from drivers.display.write_only import spec

SPEC = spec("cd5220", Language(show=show, clear=CLEAR, brightness=BRIGHTNESSES))
