"""Is a sale in progress? Yes, no or unknown, from what each source says. Pure but for its clock.

A source is one place that can tell: the till itself (`till`, or `till/NAME` where there are
several), a shared printer (`device/ID`), input, payment traffic. Nobody is heard saying "no" who
could not have seen a sale: print data comes at a sale's end, so it can say yes and proves no no.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agent.diagnosis.hours import Hours
from drivers.api import Clock, Sale

TILL = "till"
MAINTENANCE = "maintenance"  #: the window, as `why` names it

Reason = tuple[str, Literal["yes", "no"], float]


@dataclass(frozen=True, slots=True)
class SaleWord:
    """What one source says now; it holds until its next word, or for `lasts_s`.

    `busy` None withdraws what it said. `sees`: the whole of a sale, or a part of it alone. `at_s`
    (monotonic), with `busy` False: when activity was seen last, where that is not just now, such as
    an idle counter tells; `quiet_s` counts from there.
    """

    source: str
    busy: bool | None
    sees: Literal["whole", "part"]
    lasts_s: float | None = None
    at_s: float | None = None


@dataclass(slots=True)
class _Heard:
    """A source's latest word: how long it holds, and until when it keeps the state at yes."""

    word: SaleWord
    said_s: float
    ends_s: float
    yes_till_s: float

    def proves_no(self, now_s: float) -> bool:
        return self.word.sees == "whole" and not self.word.busy and now_s < self.ends_s


class SaleState:
    """Judges the words of all sources.

    - `yes` while any source says so. One that saw activity, and sees none any more, keeps it for
      `quiet_s`, also if it is lost meanwhile; the till's own word ends at once, since it says both
      begin and end.
    - `no` only if a source that sees the whole of a sale says so and none says yes; in the first
      `quiet_s` after the start only the till's. In a maintenance window: if none says yes.
    - else `unknown`. What is withdrawn, or older than it lasts, proves nothing.

    The callers bound how many sources there are. Where the wall clock is not known there is no window.
    """

    def __init__(
        self,
        clock: Clock,
        quiet_s: float,
        maintenance: Hours | None = None,
        *,
        clock_known: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clock = clock
        self._quiet_s = quiet_s
        self._maintenance = maintenance
        self._trusted_s = clock.monotonic_s() + quiet_s  #: when others than the till may say no
        self._clock_known = clock_known
        self._heard: dict[str, _Heard] = {}

    def tell(self, word: SaleWord) -> None:
        """A source says something."""
        now_s = self._clock.monotonic_s()
        before = self._living(now_s).pop(word.source, None)
        if word.busy is None and before is None:
            return
        lasts_s = math.inf if word.lasts_s is None else word.lasts_s
        ends_s = now_s if word.busy is None else now_s + lasts_s
        yes_till_s = self._yes_till_s(word, before, now_s, ends_s)
        self._heard[word.source] = _Heard(word, now_s, ends_s, yes_till_s)

    def state(self) -> Sale:
        """At this moment."""
        now_s = self._clock.monotonic_s()
        living = self._living(now_s).values()
        if any(now_s < heard.yes_till_s for heard in living):
            return "yes"
        trusted = now_s >= self._trusted_s
        if any(heard.proves_no(now_s) and (trusted or _is_till(heard.word.source)) for heard in living):
            return "no"
        return "no" if trusted and self._in_window() else "unknown"

    def next_due_s(self) -> float | None:
        """When (monotonic) the state may change with nothing said; None: not by itself."""
        now_s = self._clock.monotonic_s()
        moments = [self._trusted_s]
        for heard in self._living(now_s).values():
            moments += [heard.ends_s, heard.yes_till_s]
        window_s = self._maintenance.due_s(self._clock) if self._maintenance else None
        if window_s is not None:
            moments.append(window_s)
        return min((moment for moment in moments if now_s < moment < math.inf), default=None)

    def why(self) -> list[Reason]:
        """Each source that is heard: its name, what it says, and how many seconds ago it said so."""
        now_s = self._clock.monotonic_s()
        said: list[Reason] = [
            (source, "yes" if now_s < heard.yes_till_s else "no", now_s - heard.said_s)
            for source, heard in self._living(now_s).items()
        ]
        return [*said, (MAINTENANCE, "no", 0.0)] if self._in_window() else said

    def _living(self, now_s: float) -> dict[str, _Heard]:
        """The words that still count; those that do not are forgotten."""
        self._heard = {
            source: heard
            for source, heard in self._heard.items()
            if now_s < max(heard.ends_s, heard.yes_till_s)
        }
        return self._heard

    def _yes_till_s(self, word: SaleWord, before: _Heard | None, now_s: float, ends_s: float) -> float:
        if _is_till(word.source):
            return ends_s if word.busy else now_s
        if word.busy:
            return ends_s + self._quiet_s
        if word.at_s is not None:
            return word.at_s + self._quiet_s
        if before is None:
            return now_s  # it saw nothing yet
        saw = before.word.busy and now_s < before.ends_s
        return now_s + self._quiet_s if saw else before.yes_till_s

    def _in_window(self) -> bool:
        window = self._maintenance
        return window is not None and self._clock_known() and window.open_at(self._clock.wall_s())


def _is_till(source: str) -> bool:
    return source.partition("/")[0] == TILL
