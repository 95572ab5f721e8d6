"""How long a printer's head and cutter are built to last: what its maker says, as facts."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """Of the printer's data sheet; None where that does not say."""

    head_km: int | None = None  #: of paper printed
    head_lines: int | None = None  #: text lines printed
    cutter_cuts: int | None = None

    def facts(self) -> dict[str, Json]:
        said: dict[str, Json] = {
            name: value
            for name in ("head_km", "head_lines", "cutter_cuts")
            if (value := getattr(self, name)) is not None
        }
        return {"rated": said}
