"""What a device's silence means: one judge for every driver, pure.

It is told how each poll ended and answers with the power state and the conditions that any device
may have over its kind of link. A device that never answered is unknown: nothing is raised, but
for what the way to it says by itself (somebody else holds it, no permission, only garbage comes).
One that says nothing by its nature is judged by its way alone: it can be unplugged, unreachable,
held, and never frozen or silent.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping

from drivers.api import ANSWERED_KEY, Memory, Power

POLLS = 3
"""So many polls in a row without a valid answer, and the device is called silent or garbled."""

OPENED = "opened"
"""In Memory, for ANSWERED_KEY: it never said anything, and the way to it was open in this power session."""

LINE_KEY = "power_line"  #: in Memory: what the DSR line was seen to mean
SHOWS_POWER = "shows_power"  #: high while the device answered: it is wired
SHOWS_BUSY = "shows_busy"  #: low while the device answered: it means something else


class Outcome(enum.StrEnum):
    """How one poll ended. All but the first four are the codes of `drivers.errors.LinkError`s."""

    ANSWERED = "answered"
    OPEN = "open"  #: the way is open, and that is all to be had: the device never says anything
    MISSED = "missed"
    GARBLED = "garbled"
    ABSENT = "absent"
    UNREACHABLE = "unreachable"
    LOST = "link_lost"
    NO_PERMISSION = "no_permission"
    HELD_BY_OTHER = "held_by_other"
    UNUSABLE = "link_unusable"
    PASS_THROUGH_DOWN = "pass_through_down"  # noqa: S105 - no password
    SERVICE_DOWN = "card_service_down"
    STUCK = "driver_stuck"


KINDS: Mapping[str, tuple[str, ...]] = {
    "serial": ("unplugged", "power_off", "frozen", "silent", "garbled", "held_by_other", "no_permission"),
    "tcp": ("unreachable", "frozen", "garbled"),
    "usb": ("unplugged", "frozen", "garbled", "held_by_other", "no_permission", "driver_stuck"),
    "hid": ("unplugged", "frozen", "garbled", "held_by_other", "no_permission", "driver_stuck"),
    "pcsc": ("unplugged", "frozen", "garbled", "no_permission", "card_service_down", "driver_stuck"),
}
"""Link scheme -> the conditions possible over it, in their fixed order."""

SHARED_KINDS = ("pass_through_down",)
"""And of a device that is shared with the till."""

_AT_ONCE: Mapping[Outcome, str] = {
    Outcome.HELD_BY_OTHER: "held_by_other",
    Outcome.NO_PERMISSION: "no_permission",
    Outcome.PASS_THROUGH_DOWN: "pass_through_down",
    Outcome.SERVICE_DOWN: "card_service_down",
    Outcome.STUCK: "driver_stuck",
}
"""What one poll says beyond doubt, also of a device that never answered."""

_OPEN = (Outcome.ANSWERED, Outcome.OPEN, Outcome.MISSED, Outcome.GARBLED)
_WAY = (
    "unplugged",
    "unreachable",
    "held_by_other",
    "no_permission",
    "pass_through_down",
    "card_service_down",
    "driver_stuck",
)
"""What is certainly not so while the link is open."""

_POWER: Mapping[str, Power] = {
    "unplugged": Power.OFF_OFFLINE,
    "unreachable": Power.OFF_OFFLINE,
    "power_off": Power.OFF,
    "frozen": Power.OFFLINE,
    "silent": Power.OFF_OFFLINE,
    "garbled": Power.UNKNOWN,
    "held_by_other": Power.UNKNOWN,
    "no_permission": Power.UNKNOWN,
    "pass_through_down": Power.UNKNOWN,
    "card_service_down": Power.UNKNOWN,
    "driver_stuck": Power.UNKNOWN,
}


_BY_ANSWERS = ("frozen", "silent", "garbled")
"""What nobody can know of a device that never says anything."""


def kinds(scheme: str, *, shared: bool = False, answers: bool = True) -> tuple[str, ...]:
    """The conditions possible over such a link, in their fixed order; `answers`: it may say something."""
    possible = [kind for kind in KINDS[scheme] if answers or kind not in _BY_ANSWERS]
    return (*possible, *(SHARED_KINDS if shared else ()))


class Judge:
    """Fed with the outcome of each poll; `memory` keeps what was learned over restarts."""

    def __init__(self, *, scheme: str, proves_power: bool, memory: Memory, shared: bool = False) -> None:
        self._kinds = kinds(scheme, shared=shared)
        self._proves_power = proves_power
        self._memory = memory
        self._missed: deque[Outcome] = deque(maxlen=POLLS)
        self._low_answers = 0
        self._known = False  # anything can be said of the device itself
        self._open = False  # its link was open at the last poll
        self._shows_on = False  # and all that is known of it is that its power line is high
        self.kind: str | None = None  #: the one condition that holds now
        self.power = Power.UNKNOWN

    @property
    def blind(self) -> bool:
        """So long without an answer that nothing is known of the device's own state any more."""
        return self.kind == "unplugged" or len(self._missed) == POLLS

    @property
    def missed(self) -> int:
        """Polls without a valid answer, since the last one or since the device came back; at most POLLS."""
        return len(self._missed)

    def feed(self, outcome: Outcome, power_line: bool | None = None) -> None:
        """One poll ended so; `power_line` is the DSR line at that moment."""
        self._open, self._shows_on = outcome in _OPEN, False
        if outcome is Outcome.ANSWERED:
            self._answered(power_line)
        elif outcome is Outcome.OPEN:
            self._opened(power_line)
        elif outcome is Outcome.ABSENT:
            self._missed.clear()
            self._hold("unplugged" if self._memory.get(ANSWERED_KEY) else None)
        elif outcome in _AT_ONCE:
            self._missed.append(outcome)
            self._hold(_AT_ONCE[outcome])
        else:
            self._unanswered(outcome, power_line)

    def proves_off(self, power_line: bool | None) -> bool:
        """The line that was learned to show the device's power is low."""
        return power_line is False and self._memory.get(LINE_KEY) == SHOWS_POWER

    def conditions(self) -> dict[str, bool | None]:
        """Every condition possible over this link; None where it cannot be said."""
        if not self._known:
            not_so = (*_WAY, "power_off") if self._shows_on else _WAY
            return {kind: False if self._open and kind in not_so else None for kind in self._kinds}
        if self.kind in _AT_ONCE.values():
            return {kind: True if kind == self.kind else None for kind in self._kinds}
        return {kind: kind == self.kind for kind in self._kinds}

    def _answered(self, power_line: bool | None) -> None:
        self._missed.clear()
        self.kind, self._known, self.power = None, True, Power.ONLINE
        self._memory[ANSWERED_KEY] = True
        if power_line:
            self._low_answers = 0
            self._memory.setdefault(LINE_KEY, SHOWS_POWER)
        elif power_line is False and self._memory.get(LINE_KEY) == SHOWS_POWER:
            # Twice, since the power may go between an answer and the look at the line.
            self._low_answers += 1
            if self._low_answers > 1:
                self._memory[LINE_KEY] = SHOWS_BUSY

    def _opened(self, power_line: bool | None) -> None:
        """Its silence is its nature; that it can be lost is known from now on."""
        self._missed.clear()
        self._shows_on = bool(power_line) and self._memory.get(LINE_KEY) == SHOWS_POWER
        self._hold(None)
        self.power = Power.ONLINE if self._proves_power else Power.UNKNOWN
        self._memory.setdefault(ANSWERED_KEY, OPENED)

    def _unanswered(self, outcome: Outcome, power_line: bool | None) -> None:
        self._missed.append(outcome)
        if len(self._missed) < POLLS:
            if self.kind in ("unplugged", *_AT_ONCE.values()):  # over; what comes instead is not known yet
                self._hold(None)
            return
        if Outcome.GARBLED in self._missed:
            self._hold("garbled")
        elif not self._memory.get(ANSWERED_KEY):
            self._hold(None)
        else:
            self._hold(self._silence(outcome, power_line))

    def _silence(self, last: Outcome, power_line: bool | None) -> str | None:
        if last is Outcome.UNREACHABLE:
            return "unreachable"
        if last is Outcome.UNUSABLE:
            return None
        if self.proves_off(power_line):
            return "power_off"
        if self._memory.get(ANSWERED_KEY) == OPENED:
            return None
        shown = bool(power_line) and self._memory.get(LINE_KEY) == SHOWS_POWER
        return "frozen" if shown or self._proves_power else "silent"

    def _hold(self, kind: str | None) -> None:
        self.kind = kind
        self._known = kind is not None
        self.power = Power.UNKNOWN if kind is None else _POWER[kind]
