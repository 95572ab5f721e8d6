"""What a till says: that a sale is in progress, or that none is. Pure.

It comes as assignments in the manner of sd_notify(3), or as a JSON object.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from dataclasses import dataclass

LASTS_S = 900.0  #: a word lasts so long where it does not say
LASTS_MOST_S = 86_400.0  #: and no longer than this, whatever it says
WORD_BYTES = 4096

BUSY = "X_TILLWATCH_BUSY"
BUSY_S = "X_TILLWATCH_BUSY_S"
SOURCE = "X_TILLWATCH_SOURCE"

_BUSY_WORDS = {"1": True, "0": False}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_NAME_FORM = "a letter or digit, then at most 31 letters, digits, dots, underscores or dashes"
_KEYS = ("busy", "lasts_s", "source")


class Unclear(ValueError):
    """What was said is not understood; the text is one clause saying why."""


@dataclass(frozen=True, slots=True)
class Said:
    """One word of a till's. `name` tells tills of one speaker apart; empty where it needs none."""

    busy: bool
    lasts_s: float | None = None  #: as said, at most a day; None: nothing was said
    name: str = ""


def from_assignments(data: bytes) -> Said | None:
    """Newline-separated `NAME=value`; None where nothing of it is meant for us. Raises Unclear."""
    if len(data) > WORD_BYTES:
        raise Unclear(f"is longer than {WORD_BYTES} bytes")
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        raise Unclear("is not UTF-8") from None
    said: dict[str, str] = {}
    for line in filter(None, lines):
        name, equals, value = line.partition("=")
        if not equals:
            raise Unclear("expected lines of NAME=value")
        said[name] = value  # the last one counts, as with systemd
    if BUSY not in said:
        return None
    if said[BUSY] not in _BUSY_WORDS:
        raise Unclear(f"{BUSY} is 1 or 0")
    return Said(
        _BUSY_WORDS[said[BUSY]],
        _lasting(said[BUSY_S], BUSY_S) if BUSY_S in said else None,
        _named(said[SOURCE], SOURCE) if SOURCE in said else "",
    )


def from_json(body: bytes) -> Said:
    """`{"busy": true|false, "lasts_s"?: seconds, "source"?: "name"}`. Raises Unclear."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Unclear("the body is not JSON") from None
    if not isinstance(said, dict) or not isinstance(said.get("busy"), bool):
        raise Unclear('expected an object with "busy": true or false')
    if unknown := [key for key in said if key not in _KEYS]:
        raise Unclear(f"unknown key {json.dumps(unknown[0][:40])}; there are {', '.join(_KEYS)}")
    lasts_s, name = said.get("lasts_s"), said.get("source")
    return Said(
        said["busy"],
        None if lasts_s is None else _lasting(lasts_s, "lasts_s"),
        "" if name is None else _named(name, "source"),
    )


def _lasting(said: object, what: str) -> float:
    lasts_s = math.nan
    if isinstance(said, (str, int, float)) and not isinstance(said, bool):
        with contextlib.suppress(ValueError, OverflowError):
            lasts_s = float(said)
    if not 0 < lasts_s < math.inf:
        raise Unclear(f"{what} is a number of seconds above 0")
    return min(lasts_s, LASTS_MOST_S)


def _named(said: object, what: str) -> str:
    if not isinstance(said, str) or not _NAME.fullmatch(said):
        raise Unclear(f"{what} is {_NAME_FORM}")
    return said
