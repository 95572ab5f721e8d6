"""What bursts of probes tell of the way: how long it takes, and how much of it is lost. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from drivers.network.findings import Quality

BURST = 8
WINDOW = 2 * BURST  #: one burst alone could be bad luck
LATE_MS = 800.0  #: later than the fastest by this: the first packet was lost (RFC 6298: repeated after 1 s)
SLOW_MS = 800.0  #: a satellite's 600 ms are no reason to keep asking


class Probes:
    """The last bursts. An outage is no loss: what lies around one does not count."""

    def __init__(self) -> None:
        self._kept: deque[bool] = deque(maxlen=WINDOW)  #: each one came through
        self._fastest_ms: deque[float] = deque(maxlen=2)  #: of the last two bursts
        self._gone = False

    def take(self, burst: Sequence[float | None]) -> bool:
        """How many ms each probe of a burst took, None if it did not come through. True if all is well."""
        times = [ms for ms in burst if ms is not None]
        was_gone, self._gone = self._gone, not times
        if self._gone:
            self._kept.clear()
            return False
        fastest_ms = min(times)
        through = [ms is not None and ms <= fastest_ms + LATE_MS for ms in burst]
        well = all(through) and fastest_ms <= SLOW_MS
        if was_gone and not well:
            return False  # the way came back in the midst of this one
        self._fastest_ms.append(fastest_ms)
        self._kept.extend(through)
        return well

    def bad(self) -> bool:
        """They are not all well."""
        return False in self._kept or max(self._fastest_ms, default=0.0) > SLOW_MS

    def quality(self) -> Quality:
        """Not as the kernel has it: after an outage that takes the outage for the time of an answer.

        A burst may do so as well, whose first packets were all lost; so the better one of two counts.
        """
        lost = self._kept.count(False)
        pct = round(100 * lost / WINDOW, 1) if len(self._kept) == WINDOW else None
        rtt_ms = min(self._fastest_ms, default=None)
        return Quality(rtt_ms=rtt_ms, lost_pct=pct, probes=len(self._kept), lost=lost)
