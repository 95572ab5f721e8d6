"""Notices that another device answers in this one's place, and since when its counters count. Pure.

What was known stays in the driver's Memory, so an exchange is noticed over a restart too. It is over
after a day, by when somebody has read of it, or as soon as the old device is back.
"""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from drivers.api import Clock, Json, Memory
from drivers.identity import is_own_serial

IDENTITY_CHANGED = "identity_changed"  #: the condition that comes of it
LASTS_S = 86400.0
CLOCK_SLACK_S = 3600.0  #: the wall clock may be set back; by more, and the day is over

_DECIDING = ("serial", "model")
"""The first that both have decides. Firmware does not: it is updated."""


class Seen(enum.Enum):
    """What an answer to "who are you" brought."""

    SAME = enum.auto()
    DOUBTFUL = enum.auto()  #: another, said once: ask again
    EXCHANGED = enum.auto()


@dataclass(frozen=True, slots=True)
class _Base:
    """From what its counters count, and since when."""

    since_wall_s: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Record:
    """What is kept. `before` is empty unless somebody else was here within the last day."""

    now: Mapping[str, str] = field(default_factory=dict)
    base: _Base = field(default_factory=_Base)
    before: Mapping[str, str] = field(default_factory=dict)
    before_base: _Base = field(default_factory=_Base)
    since_wall_s: float | None = None


class Exchange:
    """One device, or one source of its identity; `name` keeps several apart in one memory."""

    def __init__(self, memory: Memory, clock: Clock, name: str = "") -> None:
        self._memory = memory
        self._clock = clock
        self._key = f"identity.{name}" if name else "identity"
        self._record = _read(memory.get(self._key))
        self._heard: Mapping[str, str] | None = None  # who seems to be there, said once
        self._judged = False

    def seen(self, identity: Mapping[str, str]) -> Seen:
        """A whole answer to "who are you". Another device is believed only if it says so twice in a row."""
        own = {name: text for name, text in identity.items() if name != "serial" or is_own_serial(text)}
        known = self._record.now
        if not any(own.get(name) for name in _DECIDING):
            return Seen.SAME
        if not _differ(known, own):
            self._heard, self._judged = None, True
            self._keep(replace(self._record, now={**known, **own}))
            return Seen.SAME
        if self._heard is None or _differ(self._heard, own):
            self._heard = own
            return Seen.DOUBTFUL
        self._heard, self._judged = None, True
        self._exchanged(own)
        return Seen.EXCHANGED

    @property
    def doubtful(self) -> bool:
        """Another seems to be there, and has said so once."""
        return self._heard is not None

    def changed(self) -> bool | None:
        """Whether another device is here; None before anybody said who it is."""
        since_s = self._record.since_wall_s
        if since_s is not None:
            if -CLOCK_SLACK_S <= self._clock.wall_s() - since_s < LASTS_S:
                return True
            self._keep(_Record(self._record.now, self._record.base))
        return False if self._judged else None

    def evidence(self) -> dict[str, Json]:
        """`before` and `now`, while `changed`."""
        return {"before": dict(self._record.before), "now": dict(self._record.now)}

    def counted(self, statistics: Mapping[str, float]) -> dict[str, Json]:
        """As facts: since when the device's own counters count for this device, and from what."""
        base = self._record.base
        # A counter that fell was reset, or its board was changed: it counts from there.
        news = {name: value for name, value in statistics.items() if value < base.values.get(name, math.inf)}
        if news:
            since_s = self._clock.wall_s() if base.since_wall_s is None else base.since_wall_s
            base = _Base(since_s, {**base.values, **news})
            self._keep(replace(self._record, base=base))
        if base.since_wall_s is None:
            return {}
        return {
            "counted_since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(base.since_wall_s)),
            "counted_from": dict(base.values),
        }

    def _exchanged(self, own: Mapping[str, str]) -> None:
        was = self._record
        if was.before and not _differ(was.before, own):
            self._keep(_Record(own, was.before_base))  # the old one is back, with its counters
            return
        first = (was.before, was.before_base) if was.before else (was.now, was.base)
        self._keep(_Record(own, _Base(), *first, self._clock.wall_s()))

    def _keep(self, record: _Record) -> None:
        if record != self._record:
            self._record = record
            self._memory[self._key] = {
                "now": dict(record.now),
                "base": _written(record.base),
                "before": dict(record.before),
                "before_base": _written(record.before_base),
                "since_wall_s": record.since_wall_s,
            }


def _differ(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    for name in _DECIDING:
        if one.get(name) and other.get(name):
            return one[name] != other[name]
    return False


def _written(base: _Base) -> Json:
    return {"since_wall_s": base.since_wall_s, "values": dict(base.values)}


def _read(kept: Json) -> _Record:
    """A record as it was kept; what cannot be read is forgotten."""
    if not isinstance(kept, Mapping):
        return _Record()
    return _Record(
        _texts(kept.get("now")),
        _base(kept.get("base")),
        _texts(kept.get("before")),
        _base(kept.get("before_base")),
        _number(kept.get("since_wall_s")),
    )


def _base(kept: Json) -> _Base:
    if not isinstance(kept, Mapping):
        return _Base()
    values = kept.get("values")
    known = values if isinstance(values, Mapping) else {}
    numbers = {name: number for name, value in known.items() if (number := _number(value)) is not None}
    return _Base(_number(kept.get("since_wall_s")), numbers)


def _texts(kept: Json) -> dict[str, str]:
    known = kept if isinstance(kept, Mapping) else {}
    return {name: text for name, text in known.items() if isinstance(text, str)}


def _number(kept: Json) -> float | None:
    return kept if isinstance(kept, int | float) and not isinstance(kept, bool) else None
