"""What the status bits mean: pure, from bytes to conditions.

A `Reading` is one look at the printer, whichever way it came; None is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields

from drivers.api import Json
from drivers.printer.escpos.consts import (
    Asb1,
    Asb2,
    Asb3,
    ErrorCause,
    OfflineCause,
    Printer,
    Query,
    RollPaper,
)

CONDITIONS = (
    "paper_end",
    "paper_near_end",
    "cover_open",
    "cutter_error",
    "head_hot",
    "error_recoverable",
    "error_unrecoverable",
)
"""A printer's own conditions, in their fixed order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The bits as reported, before causes are weighed. The buttons' bits pass too fast to be kept."""

    pin3_high: bool | None = None
    offline: bool | None = None
    cover_open: bool | None = None
    paper_end: bool | None = None
    paper_near_end: bool | None = None
    cutter: bool | None = None
    recoverable: bool | None = None
    unrecoverable: bool | None = None
    auto_recoverable: bool | None = None

    def agrees(self, other: Reading) -> bool:
        """Nothing that both know differs."""
        return all(
            a is b or a is None or b is None for a, b in zip(astuple(self), astuple(other), strict=True)
        )

    def within(self, other: Reading) -> bool:
        """All that this one knows, `other` knows to be the same."""
        return all(a is None or a is b for a, b in zip(astuple(self), astuple(other), strict=True))

    def over(self, other: Reading) -> Reading:
        """This one, with the gaps filled from `other`."""
        known = {
            f.name: mine if (mine := getattr(self, f.name)) is not None else getattr(other, f.name)
            for f in fields(Reading)
        }
        return Reading(**known)

    @property
    def idle(self) -> bool:
        """Online and without an error, as far as it says: queued commands are worked off."""
        return self.offline is not True and not any(
            (self.cover_open, self.paper_end, self.cutter, self.recoverable, self.unrecoverable)
        )


def from_answers(answers: Mapping[Query, int], errors: ErrorCause | None = None) -> Reading:
    """From the answers to DLE EOT; a question without one leaves its part unknown.

    So do bits of DLE EOT 3 that are not among `errors`: they mean something else on this model.
    """

    def bit(query: Query, mask: int) -> bool | None:
        return None if query not in answers else bool(answers[query] & mask)

    def error(cause: ErrorCause) -> bool | None:
        return None if errors is not None and cause not in errors else bit(Query.ERROR_CAUSE, cause)

    paper_end = bit(Query.ROLL_PAPER, RollPaper.END)
    if paper_end is None:
        paper_end = bit(Query.OFFLINE_CAUSE, OfflineCause.PAPER_END)
    return Reading(
        pin3_high=bit(Query.PRINTER, Printer.PIN3_HIGH),
        offline=bit(Query.PRINTER, Printer.OFFLINE),
        cover_open=bit(Query.OFFLINE_CAUSE, OfflineCause.COVER_OPEN),
        paper_end=paper_end,
        paper_near_end=bit(Query.ROLL_PAPER, RollPaper.NEAR_END),
        cutter=error(ErrorCause.CUTTER),
        recoverable=error(ErrorCause.RECOVERABLE),
        unrecoverable=error(ErrorCause.UNRECOVERABLE),
        auto_recoverable=error(ErrorCause.AUTO_RECOVERABLE),
    )


def from_asb(frame: bytes, errors: ErrorCause | None = None) -> Reading:
    """From one frame of automatic status, whose second byte has the bits of DLE EOT 3."""
    first, second, third = frame[0], frame[1], frame[2]

    def error(cause: Asb2) -> bool | None:
        return None if errors is not None and not errors & cause else bool(second & cause)

    return Reading(
        pin3_high=bool(first & Asb1.PIN3_HIGH),
        offline=bool(first & Asb1.OFFLINE),
        cover_open=bool(first & Asb1.COVER_OPEN),
        paper_end=bool(third & Asb3.END),
        paper_near_end=bool(third & Asb3.NEAR_END),
        cutter=error(Asb2.CUTTER),
        recoverable=error(Asb2.RECOVERABLE),
        unrecoverable=error(Asb2.UNRECOVERABLE),
        auto_recoverable=error(Asb2.AUTO_RECOVERABLE),
    )


def conditions(reading: Reading) -> dict[str, bool | None]:
    """Every condition, causes weighed: an open cover makes paper and head unknown, a jam is a jam only."""
    covered = reading.cover_open is True
    # The same bit says that the cover was opened while printing, so it needs a cover known to be closed.
    hot = reading.auto_recoverable
    if covered or (hot and reading.cover_open is None):
        hot = None
    values = (
        None if covered else reading.paper_end,
        None if covered else reading.paper_near_end,
        reading.cover_open,
        reading.cutter,
        hot,
        False if reading.cutter else reading.recoverable,
        reading.unrecoverable,
    )
    return dict(zip(CONDITIONS, values, strict=True))


def facts(reading: Reading, drawer_open_level: str | None) -> dict[str, Json]:
    """What is no condition: pin 3, the drawer if its open level is configured, and being offline."""
    said: dict[str, Json] = {}
    if reading.offline is not None:
        said["offline"] = reading.offline
    if reading.pin3_high is not None:
        level = "high" if reading.pin3_high else "low"
        said["pin3"] = level
        if drawer_open_level is not None:
            said["drawer"] = "open" if level == drawer_open_level else "closed"
    return said
