"""What each kind of printer may be asked beyond DLE EOT, and what it means by its answers, as data.

A cheap clone prints what it does not know as text, so nothing here is ever tried on a printer
whose profile does not list it.

Sources: T88 and CH as in `consts`. T90: Epson TM-T90 specification F, sheet 14. H6000: Epson TM-H6000III
technical manual E, 1.6.3. U230: Epson TM-U230 specification D, sheet 8. CT: Citizen CT-S300/310 command
reference p91, p342. SNBC: BTP-R580 manual. IDIPOS: TP-80 manual. MOB: Maxim MOB-58 command list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from drivers.printer.escpos.consts import ErrorCause, Info, Query
from drivers.printer.rated import Rated

ALL_ERRORS = (
    ErrorCause.RECOVERABLE | ErrorCause.CUTTER | ErrorCause.UNRECOVERABLE | ErrorCause.AUTO_RECOVERABLE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    asb: bool = False  #: GS a
    info: tuple[Info, ...] = ()  #: GS I
    counters: bool = False  #: GS g 2
    completion: bool = False  #: GS ( H function 48
    recover: bool = False  #: DLE ENQ 1 and 2
    queries: frozenset[Query] = frozenset(Query)  #: DLE EOT
    errors: ErrorCause = ALL_ERRORS  #: bits of DLE EOT 3 that mean what they mean elsewhere
    rated: Rated | None = None


_EPSON = Profile(asb=True, info=tuple(Info), counters=True, completion=True, recover=True)
_HEAD_ONLY = ErrorCause.CUTTER | ErrorCause.AUTO_RECOVERABLE

PROFILES: Mapping[str, Profile] = {
    "plain": Profile(),
    "epson-tm": _EPSON,
    # T90: single-colour paper; on two-colour paper the head lasts half as long.
    "epson-tm-t90": replace(_EPSON, rated=Rated(head_km=150, head_lines=20_000_000, cutter_cuts=2_000_000)),
    # H6000: the receipt section, single-colour paper.
    "epson-tm-h6000iii": replace(
        _EPSON, rated=Rated(head_km=100, head_lines=15_000_000, cutter_cuts=1_500_000)
    ),
    # U230: an impact printer; its head is rated in characters, its mechanism in lines.
    "epson-tm-u230": replace(_EPSON, rated=Rated(cutter_cuts=1_000_000)),
    # CT: GS I knows no serial number there; the recoverable bit usually means that the cover was opened.
    "citizen": Profile(
        asb=True,
        info=(Info.MAKER, Info.MODEL, Info.FIRMWARE),
        errors=ALL_ERRORS ^ ErrorCause.RECOVERABLE,
    ),
    # SNBC: in DLE EOT 3 bit 2 is undefined, bit 5 fixed to 0.
    "snbc-btp-r580": Profile(errors=_HEAD_ONLY),
    # MOB: answers DLE EOT 1 and 4 only.
    "maxim-mob-58": Profile(queries=frozenset((Query.PRINTER, Query.ROLL_PAPER))),
}
