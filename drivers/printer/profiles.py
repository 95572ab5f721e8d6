"""Which profile to recommend for a printer that says who it is. Pure.

Only what a printer of that name is known to have is recommended: a wrong `plain` asks too little, and any
other wrong profile prints questions on receipts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

KNOWN: tuple[tuple[str, str, str, str], ...] = (
    ("escpos", "EPSON", r"TM-T90", "epson-tm-t90"),
    ("escpos", "EPSON", r"TM-H6000III", "epson-tm-h6000iii"),
    ("escpos", "EPSON", r"TM-U230", "epson-tm-u230"),
    ("escpos", "EPSON", r".*", "epson-tm"),
    ("escpos", "CITIZEN|CBM", r"CT-S3[01]0", "citizen"),
    ("escpos", "SNBC", r"BTP-R580.*", "snbc-btp-r580"),
    ("escpos", "MAXIM", r"MOB-?58", "maxim-mob-58"),
    ("star", "STAR.*", r"TSP7\d\dII.*", "star-tsp700ii"),
    ("star", "STAR.*", r"(TSP[678]|TSP10|TUP9)\d\d.*", "star-line"),
)
"""Driver; maker and model (MFG, MDL of the IEEE-1284 id) as a whole; profile. The first that fits counts."""


def recommend(driver: str, id_1284: Mapping[str, str]) -> str:
    """The profile for a printer with this IEEE-1284 id, by its short keys; `plain` where it is not known."""
    maker, model = id_1284.get("MFG", "").strip(), id_1284.get("MDL", "").strip()
    for known, by, name, profile in KNOWN:
        if known == driver and re.fullmatch(by, maker, re.I) and re.fullmatch(name, model, re.I):
            return profile
    return "plain"
