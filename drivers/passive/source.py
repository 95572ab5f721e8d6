"""The contract of a passive source: one place where a device can be looked at that another program owns.

A source opens nothing that the till could miss: it asks beside the print port, or reads what the kernel
shows. It looks within a deadline and tells what it saw; it keeps nothing open that blocks anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from drivers.api import Deadline, Json, Power
from drivers.errors import Absent, LinkError, LinkUnusable

NETWORK_EACH_S = 10.0
"""A device on the network is asked no more often, whatever `poll_s` says: it has a till to serve."""
LOOK_S = 1.0  #: one look at one source takes no longer

Whose = Literal["device", "kernel", "system"]
"""Who speaks: the device itself, the kernel of what it sees of it, another program of this machine."""


class SaysNo(LinkError):
    """Somebody answers, and will not tell; so it is there."""


class Closed(SaysNo, LinkUnusable):
    """Not to us."""


class NoSuchPrinter(SaysNo, Absent):
    hint = "`lpstat -e` lists the queues; correct the path or queue in `look`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What one look saw. A condition that the source could not tell is None, or absent."""

    conditions: Mapping[str, bool | None] = field(default_factory=dict)
    power: Power = Power.UNKNOWN
    in_use: bool | None = None  #: somebody's data is being printed, or somebody pays
    identity: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)
    statistics: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Json] = field(default_factory=dict)  #: raw, for whatever condition it explains
    says: str = ""  #: for a technician, one line


class Source(Protocol):
    """One source, used by one thread."""

    name: str  #: as `look` in the configuration names it, without what is secret
    whose: Whose
    kinds: tuple[str, ...]  #: every condition it can tell
    each_s: float  #: it is looked at no more often; 0: at every poll
    down: str | None  #: what it means if this source, which answered before, says nothing three times

    def look(self, deadline: Deadline) -> Findings:
        """Raises `drivers.errors.LinkError`, or ProtocolError for an answer that is none."""
        ...

    def close(self) -> None: ...
