"""Sales that tills said are in progress, kept in the runtime directory over a restart of the agent.

A till says it once and sells on; an agent that is started anew meanwhile would take the quiet of a
long sale for none. Words that there is no sale are not kept: they are said again.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

FILE_BYTES = 65536


class KeptWords:
    """Source -> when its word runs out (monotonic), in this boot of the machine."""

    def __init__(self, path: Path, boot: str) -> None:
        self._path = path
        self._boot = boot
        self._written: dict[str, float] = {}

    def read(self) -> dict[str, float]:
        """Empty where nothing was kept in this boot, or nothing that can be read."""
        try:
            with self._path.open("rb") as file:
                kept = json.loads(file.read(FILE_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        busy = kept.get("busy") if isinstance(kept, dict) and kept.get("boot") == self._boot else None
        ends = busy.items() if isinstance(busy, dict) else ()
        self._written = {source: float(ends_s) for source, ends_s in ends if _is_moment(ends_s)}
        return dict(self._written)

    def write(self, ends_s: Mapping[str, float]) -> None:
        """Whole or not at all; where it cannot be written, a restart forgets, and nothing else is lost."""
        if ends_s == self._written:
            return
        self._written = dict(ends_s)
        new = self._path.with_name(f"{self._path.name}.new")
        with contextlib.suppress(OSError):
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump({"boot": self._boot, "busy": self._written}, file)
            new.replace(self._path)


def _is_moment(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < 1e12 and math.isfinite(value)
