"""What each kind of Star printer may be asked beyond ESC ACK SOH, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.printer.rated import Rated


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    asb: bool = False  #: ESC RS a
    completion: bool = False  #: ETB, and its counter
    rated: Rated | None = None


PROFILES: Mapping[str, Profile] = {
    "plain": Profile(),
    "star-line": Profile(asb=True, completion=True),
    # Star Line Mode Command Specifications, 5-18: estimated life of the TSP700II.
    "star-tsp700ii": Profile(asb=True, completion=True, rated=Rated(head_km=100, cutter_cuts=200_000)),
}
