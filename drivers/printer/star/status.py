"""What the status bits mean: pure, from a frame to conditions and facts."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from drivers.api import Json
from drivers.printer.star.consts import Error, Error2, Paper, Printer

CONDITIONS = (
    "paper_end",
    "paper_near_end",
    "cover_open",
    "cutter_error",
    "head_hot",
    "error_recoverable",
    "error_unrecoverable",
    "paper_jam",
)
"""A printer's own conditions, in their fixed order."""


@dataclass(frozen=True, slots=True)
class Status:
    """One frame's status bytes 1 to 4, by name."""

    printer: Printer
    error: Error
    error2: Error2
    paper: Paper

    @property
    def idle(self) -> bool:
        """Online and without an error: queued commands are worked off."""
        stops = self.error or self.error2 & ~Error2.BLACK_MARK or Paper.END in self.paper
        return not (stops or self.printer & (Printer.OFFLINE | Printer.COVER_OPEN))


def read(frame: bytes) -> Status:
    """Of a whole frame; bits that have no name are left out."""
    return Status(
        Printer(frame[2] & _named(Printer)),
        Error(frame[3] & _named(Error)),
        Error2(frame[4] & _named(Error2)),
        Paper(frame[5] & _named(Paper)),
    )


def _named(flags: type[enum.IntFlag]) -> int:
    return sum(flags)


def conditions(status: Status) -> dict[str, bool | None]:
    """Every condition, causes weighed: an open cover makes paper and head unknown, a jam is a jam only."""
    covered = Printer.COVER_OPEN in status.printer
    cutter = Error.CUTTER in status.error
    values = (
        None if covered else Paper.END in status.paper,
        None if covered else bool(status.paper & (Paper.NEAR_END_INNER | Paper.NEAR_END_OUTER)),
        covered,
        cutter,
        None if covered else Error.HEAD_HOT in status.error,
        Error.MECHANICAL in status.error and not cutter,
        Error.UNRECOVERABLE in status.error,
        Error2.PRESENTER_JAM in status.error2,
    )
    return dict(zip(CONDITIONS, values, strict=True))


SAID = (
    (Error2.HEAD_UP, "head_up"),
    (Error2.BLACK_MARK, "black_mark_error"),
    (Error2.PAGE_MODE, "page_mode_error"),
    (Error2.OVERFLOW, "receive_overflow"),
)
"""Facts that are told while they are so."""


def drawer_level(status: Status) -> str:
    """What the compulsion switch reads."""
    return "high" if Printer.DRAWER_SWITCH in status.printer else "low"


def facts(status: Status, drawer_open_level: str | None) -> dict[str, Json]:
    """What is no condition: being offline, the drawer's switch, errors that a job's own data makes."""
    level = drawer_level(status)
    said: dict[str, Json] = {"offline": Printer.OFFLINE in status.printer, "drawer_switch": level}
    if drawer_open_level is not None:
        said["drawer"] = "open" if level == drawer_open_level else "closed"
    if Printer.OFFLINE_SWITCH in status.printer:
        said["offline_switch"] = True
    return said | {name: True for bit, name in SAID if bit in status.error2}
