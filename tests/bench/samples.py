"""Events as the daemon makes them, for the sections that store or send many."""

from __future__ import annotations

import time
from collections.abc import Mapping

from agent.messages import FaultEvent, Stamper, rfc3339
from agent.outbox.outbox import Row
from drivers.api import Json, SystemClock

STAMPER = Stamper(site="bench", boot="bench", clock=SystemClock(), up_s=time.monotonic, synced=lambda: True)


def event() -> Row:
    """One raised fault, stamped now."""
    raised_at = rfc3339(time.time())
    evidence: Mapping[str, Json] = {"source": "DLE EOT 4", "byte": "0x72"}
    body = FaultEvent(
        change="raised",
        occurrence="0123456789abcdef01234567",
        fault="receipt/paper_end",
        device="receipt",
        kind="paper_end",
        severity="major",
        active=True,
        raised_at=raised_at,
        evidence=dict(evidence),
        advice="paper_end",
    )
    return Row("event", STAMPER.stamp(body))
