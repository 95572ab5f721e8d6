"""What each kind of printer may be asked beyond DLE EOT, as data.

A cheap clone prints what it does not know as text, so nothing here is ever tried on a printer
whose profile does not list it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    asb: bool = False  #: GS a
    identity: bool = False  #: GS I 65-68
    counters: bool = False  #: GS g 2
    completion: bool = False  #: GS ( H function 48
    recover: bool = False  #: DLE ENQ 1 and 2


PROFILES: Mapping[str, Profile] = {
    "plain": Profile(),
    "epson-tm": Profile(asb=True, identity=True, counters=True, completion=True, recover=True),
}
