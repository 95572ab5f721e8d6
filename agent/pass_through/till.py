"""The till's door as a lane sees it, whichever kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Line:
    """How the till has set its end of a serial line."""

    baud: int
    rtscts: bool = False
    xonxoff: bool = False


class DoorSpent(Exception):
    """No till can come through this door any more: the supervisor has to renew it."""


class Till(Protocol):
    """One till at a time. Nothing here ever waits."""

    connected: bool
    ended: bool  #: it wrote all that it will write: it hung up, or closed its half
    spent: bool  #: no till can come any more until `renew`
    edge: bool  #: while not connected, `fileno` must be watched edge-triggered
    each_connects: bool  #: it connects for each job, so a connection's end is a job's end

    def fileno(self) -> int:
        """What to watch: for a till to come, or for what it says."""
        ...

    def came(self) -> bool:
        """Whether one is connected now, looked at anew."""
        ...

    def waiting_bytes(self) -> int:
        """At least so many bytes can be read now."""
        ...

    def read(self, most: int) -> bytes:
        """What it wrote; `b""` for nothing now, or for the end: then `ended` is set."""
        ...

    def write(self, data: bytes) -> None:
        """As much as it takes; what it does not read in time is lost, as on a line."""
        ...

    def line(self) -> Line | None:
        """How its end of the line is set; None where there is no line."""
        ...

    def hang_up(self, *, reset: bool = False) -> None:
        """Have done with this till. `reset`: as a device that broke off."""
        ...

    def renew(self) -> None:
        """Make it usable again after a till that left it locked; between two workers."""
        ...

    def close(self) -> None: ...
