"""Faults out of conditions: delays, causes, chattering. Pure but for the clock it is given.

One thread owns a `Diagnosis`: it tells what was observed, asks `advance` for what became of it,
and sleeps no longer than `next_due_s`. Only the monotonic clock decides; the wall clock is written
down, never compared.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from agent.diagnosis.catalogue import Kind
from agent.messages import FaultChange, FaultEvent, Severity, new_id, rfc3339
from drivers.api import Clock, Json

CHATTER_RAISES = 3
CHATTER_WINDOW_S = 10.0
CHATTER_QUIET_S = 10.0
HEARD_LATE_S = 0.25
"""A raise is timed when the agent hears of it, so the window allows for being told late."""

_NO_EVIDENCE: Mapping[str, Mapping[str, Json]] = {}
_UNKNOWN_KIND_ADVICE = "call_support"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one fault, and what to store under `key` with it (None: nothing any more)."""

    event: FaultEvent
    key: str
    state: Json | None


@dataclass(slots=True)
class _Occurrence:
    """One raise of a fault, till it is closed; exactly what is stored."""

    occurrence: str
    severity: Severity
    raised_at: str
    evidence: dict[str, Json]
    chattering: bool = False

    def stored(self) -> Json:
        return {
            "occurrence": self.occurrence,
            "severity": self.severity,
            "raised_at": self.raised_at,
            "evidence": self.evidence,
            "chattering": self.chattering,
        }


@dataclass(slots=True)
class _Track:
    """One kind of one device: its condition, and its fault if one is open."""

    device: str
    kind: Kind
    value: bool | None = None
    since_s: float = 0.0  #: when `value` became what it is
    was_true: bool = False  #: the last value that was known
    evidence: dict[str, Json] = field(default_factory=dict)
    raises_s: deque[float] = field(default_factory=lambda: deque(maxlen=CHATTER_RAISES))
    open: _Occurrence | None = None

    @property
    def key(self) -> str:
        return f"{self.device}/{self.kind.kind}"

    def chatters(self) -> bool:
        return (
            len(self.raises_s) == CHATTER_RAISES
            and self.raises_s[-1] - self.raises_s[0] <= CHATTER_WINDOW_S + HEARD_LATE_S
        )


class Diagnosis:
    """Judges conditions by a catalogue.

    - A condition that stays true for `on_s` raises its fault; one that stays false for `off_s`
      clears it. Unknown does neither, and a delay that was running starts anew after it.
    - While a cause of a kind is true or has a fault open, that kind is not raised; a fault raised
      before stays and names the cause in `suppressed_by`.
    - Turning true again during `off_s` counts as a raise. At the third raise within
      `CHATTER_WINDOW_S` a fault is marked `chattering` and clears only after `CHATTER_QUIET_S`.
    - What closing explains is not raised while it is excused (see `excuse`).
    - A condition that the catalogue does not have is no fault.
    """

    def __init__(self, catalogue: Mapping[str, Kind], clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._tracks: dict[str, dict[str, _Track]] = {}
        self._changes: list[Change] = []
        self._well_s: dict[str, float] = {}  #: device -> when nothing that closing explains held last
        self._excused_till_s = self._excused_unless_well_s = -math.inf

    def restore(self, states: Mapping[str, Json]) -> list[str]:
        """Take up the faults that were open, before anything is observed.

        A fault whose kind the catalogue has no more is closed as `removed`. Returns the keys whose
        state cannot be read; they are to be deleted.
        """
        unreadable = []
        for key, state in states.items():
            device, _, name = key.partition("/")
            occurrence = _read(state)
            if occurrence is None or not name:
                unreadable.append(key)
                continue
            known = self._catalogue.get(name)
            track = self._track(device, known or _gone_from_catalogue(name, occurrence.severity))
            track.open, track.was_true = occurrence, True
            if known is None:
                self._changes.append(self._close(track, occurrence, "removed"))
                del self._tracks[device][name]
        return unreadable

    def observe(
        self,
        device: str,
        conditions: Mapping[str, bool | None],
        evidence: Mapping[str, Mapping[str, Json]] = _NO_EVIDENCE,
    ) -> None:
        """What is known of some conditions of a device now; those not named stay as they were."""
        self._settle()
        now_s = self._clock.monotonic_s()
        if self._is_well(device):
            self._well_s[device] = now_s  # till now
        for name, value in conditions.items():
            if name not in self._catalogue:
                continue
            track = self._track(device, self._catalogue[name])
            if value is not track.value:
                if value and track.open and not track.was_true:
                    track.raises_s.append(now_s)
                track.value, track.since_s = value, now_s
                if value is not None:
                    track.was_true = value
            if value:
                track.evidence = dict(evidence.get(name, {}))
        if self._is_well(device):
            self._well_s[device] = now_s

    def excuse(self, till_s: float, unless_well_since_s: float) -> None:
        """From now on, what closing explains is not raised before `till_s` (monotonic).

        Devices that were well at or after `unless_well_since_s` are not excused. Infinite moments:
        as long as nothing else is said, and all devices. What is open stays open.
        """
        self._settle()
        self._excused_till_s, self._excused_unless_well_s = till_s, unless_well_since_s

    def excused(self) -> set[str]:
        """Devices that have something now which would be a fault, were it not excused."""
        now_s = self._clock.monotonic_s()
        return {t.device for t in self._all() if t.value and t.open is None and self._held_till_s(t) > now_s}

    def advance(self) -> list[Change]:
        """All that has become due by now, in order."""
        self._settle()
        changes, self._changes = self._changes, []
        return changes

    def next_due_s(self) -> float | None:
        """When (monotonic) `advance` next has something to say, if nothing is observed till then."""
        if self._changes:
            return self._clock.monotonic_s()
        due = self._earliest()
        return None if due is None else due[0]

    def forget(self, device: str, kinds: Collection[str] | None = None) -> list[Change]:
        """The device, or these kinds of it, are watched no more: what was due, then `removed`."""
        changes = self.advance()
        tracks = self._tracks.get(device, {})
        if kinds is None:
            self._well_s.pop(device, None)
        for name in [name for name in tracks if kinds is None or name in kinds]:
            track = tracks.pop(name)
            if track.open:
                changes.append(self._close(track, track.open, "removed"))
        return changes

    def open_faults(self) -> list[FaultEvent]:
        """Every open fault as an event would tell of it now; its `change` says nothing."""
        return [self._event("raised", track, track.open) for track in self._all() if track.open]

    def _all(self) -> Iterable[_Track]:
        return (track for tracks in self._tracks.values() for track in tracks.values())

    def _track(self, device: str, kind: Kind) -> _Track:
        tracks = self._tracks.setdefault(device, {})
        if kind.kind not in tracks:
            tracks[kind.kind] = _Track(device, kind, since_s=self._clock.monotonic_s())
        return tracks[kind.kind]

    def _settle(self) -> None:
        now_s = self._clock.monotonic_s()
        while (due := self._earliest()) is not None and due[0] <= now_s:
            self._changes.append(self._apply(*due))

    def _earliest(self) -> tuple[float, FaultChange, _Track] | None:
        steps = (step for track in self._all() if (step := self._next_step(track)) is not None)
        return min(steps, key=lambda step: step[0], default=None)

    def _next_step(self, track: _Track) -> tuple[float, FaultChange, _Track] | None:
        """What comes next for this fault if its condition stays as it is, and when."""
        fault = track.open
        if fault is None:
            if track.value and not any(self._causes(track)):
                due_s = max(track.since_s + track.kind.on_s, self._held_till_s(track))
                return None if due_s == math.inf else (due_s, "raised", track)
            return None
        if fault.severity != track.kind.severity:
            return track.since_s, "severity", track
        if not fault.chattering and track.chatters():
            return track.since_s, "chattering", track
        if track.value is False:
            wait_s = CHATTER_QUIET_S if fault.chattering else track.kind.off_s
            return track.since_s + wait_s, "cleared", track
        return None

    def _is_well(self, device: str) -> bool:
        """All that closing explains is known of the device, and none of it holds."""
        values = [track.value for track in self._tracks.get(device, {}).values() if track.kind.closing]
        return bool(values) and all(value is False for value in values)

    def _held_till_s(self, track: _Track) -> float:
        """Till when this is excused; in the past, or never, where it is not."""
        if not track.kind.closing:
            return -math.inf
        well = self._well_s.get(track.device, -math.inf) >= self._excused_unless_well_s
        return -math.inf if well else self._excused_till_s

    def _apply(self, due_s: float, change: FaultChange, track: _Track) -> Change:
        fault = track.open
        if fault is None:
            raised_at = rfc3339(self._clock.wall_s())
            fault = _Occurrence(new_id(), track.kind.severity, raised_at, track.evidence)
            track.open = fault
            track.raises_s.append(due_s)
        elif change == "severity":
            fault.severity = track.kind.severity
        elif change == "chattering":
            fault.chattering = True
        else:
            return self._close(track, fault, change)
        return Change(self._event(change, track, fault), track.key, fault.stored())

    def _close(self, track: _Track, fault: _Occurrence, change: FaultChange) -> Change:
        event = self._event(change, track, fault, cleared_at=rfc3339(self._clock.wall_s()))
        track.open = None
        if fault.chattering:
            track.raises_s.clear()  # the episode is over; the next raise starts a new count
        return Change(event, track.key, None)

    def _causes(self, track: _Track) -> Iterable[_Track]:
        """What suppresses this fault now, in the catalogue's order."""
        others = self._tracks[track.device]
        causes = (others[name] for name in track.kind.causes if name in others)
        return (cause for cause in causes if cause.value or cause.open)

    def _event(
        self, change: FaultChange, track: _Track, fault: _Occurrence, *, cleared_at: str | None = None
    ) -> FaultEvent:
        return FaultEvent(
            change=change,
            occurrence=fault.occurrence,
            fault=track.key,
            device=track.device,
            kind=track.kind.kind,
            severity=fault.severity,
            active=cleared_at is None,
            suppressed_by=next((c.open.occurrence for c in self._causes(track) if c.open), None),
            raised_at=fault.raised_at,
            cleared_at=cleared_at,
            evidence=dict(fault.evidence),
            advice=track.kind.advice,
        )


def _gone_from_catalogue(name: str, severity: Severity) -> Kind:
    """Stands in for a kind that an older or newer version knew, to close its fault."""
    return Kind(
        kind=name, layer="agent", severity=severity, on_s=0, off_s=0, advice=_UNKNOWN_KIND_ADVICE, meaning=""
    )


def _read(state: Json) -> _Occurrence | None:
    """An occurrence as it was stored; None if this is none."""
    match state:
        case {
            "occurrence": str(occurrence),
            "severity": "critical" | "major" | "minor" | "warning" | "indeterminate" as severity,
            "raised_at": str(raised_at),
            "evidence": dict(evidence),
            "chattering": bool(chattering),
        }:
            return _Occurrence(occurrence, severity, raised_at, evidence, chattering)
    return None
