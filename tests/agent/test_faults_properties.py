"""What holds of the judge of faults whatever happens, in whatever order."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.diagnosis.catalogue import CATALOGUE
from agent.diagnosis.faults import Change, Diagnosis
from drivers.api import Json
from tests.clock import TurnedClock

DEVICES = st.sampled_from(["receipt", "kitchen"])
KINDS = st.sampled_from(
    ["unplugged", "silent", "held_by_other", "paper_end", "paper_near_end", "identity_changed"]
)
VALUES = st.sampled_from([True, False, None])
CONDITIONS = st.dictionaries(KINDS, VALUES, min_size=1)
SECONDS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0]) | st.floats(0, 12)

EXCUSED_S = st.sampled_from([-math.inf, -20.0, -1.0, 0.0, 1.0, 20.0, math.inf])
"""From now, before and after: till when, and which devices not."""
CLOSING = [name for name, kind in CATALOGUE.items() if kind.closing]


class Judged(RuleBasedStateMachine):
    """Observes, waits, restarts and forgets at random; holds every change against the model here."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = TurnedClock()
        self.diagnosis = Diagnosis(CATALOGUE, self.clock)
        self.values: dict[str, bool | None] = {}
        self.open: dict[str, str] = {}
        self.marked: set[str] = set()
        self.stored: dict[str, Json] = {}
        self.occurrences: set[str] = set()
        self.excuse = (-math.inf, -math.inf)
        self.well_s: dict[str, float] = {}

    @rule(device=DEVICES, conditions=CONDITIONS, ask=st.booleans())
    def observe(self, device: str, conditions: dict[str, bool | None], ask: bool) -> None:
        self.take(self.diagnosis.advance())
        self.note_well(device)
        self.diagnosis.observe(device, conditions)
        self.values |= {f"{device}/{kind}": value for kind, value in conditions.items()}
        self.note_well(device)
        if ask:
            self.take(self.diagnosis.advance())

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.take(self.diagnosis.advance())

    @rule()
    def wait_till_it_is_due(self) -> None:
        self.take(self.diagnosis.advance())
        due_s = self.diagnosis.next_due_s()
        if due_s is not None:
            assert due_s > self.clock.monotonic_s()
            self.clock.turn_to(due_s - 0.01)
            assert due_s - self.clock.monotonic_s() < 0.02 or self.diagnosis.advance() == []
            self.clock.turn_to(due_s)
            self.clock.advance(1e-6)  # turning adds, so the clock may stand a rounding short
            changes = self.diagnosis.advance()
            assert changes
            self.take(changes)

    @rule(till_s=EXCUSED_S, since_s=EXCUSED_S)
    def excuse_what_closing_explains(self, till_s: float, since_s: float) -> None:
        self.take(self.diagnosis.advance())
        now_s = self.clock.monotonic_s()
        self.excuse = (now_s + till_s, now_s + since_s)
        self.diagnosis.excuse(*self.excuse)
        self.take(self.diagnosis.advance())

    @rule(seconds=st.floats(-1e6, 1e6))
    def step_the_wall_clock(self, seconds: float) -> None:
        self.take(self.diagnosis.advance())
        self.clock.step_wall(seconds)
        assert self.diagnosis.advance() == []

    @rule()
    def restart(self) -> None:
        self.take(self.diagnosis.advance())
        self.diagnosis = Diagnosis(CATALOGUE, self.clock)
        assert self.diagnosis.restore(self.stored) == []
        self.values.clear()
        self.well_s.clear()
        self.diagnosis.excuse(*self.excuse)
        assert self.diagnosis.advance() == []

    @rule(device=DEVICES)
    def forget(self, device: str) -> None:
        self.take(self.diagnosis.advance())
        changes = self.diagnosis.forget(device)
        assert all(change.event.change == "removed" for change in changes)
        self.take(changes)
        assert not any(key.startswith(f"{device}/") for key in self.open)
        self.values = {key: value for key, value in self.values.items() if not key.startswith(f"{device}/")}
        self.well_s.pop(device, None)

    def take(self, changes: list[Change]) -> None:
        for change in changes:
            event = change.event
            assert change.key == event.fault
            if event.change == "raised":
                assert event.fault not in self.open
                assert event.occurrence not in self.occurrences
                assert not self.causes_last(event.device, event.kind)
                assert not self.is_excused(event.device, event.kind)
                self.occurrences.add(event.occurrence)
                self.open[event.fault] = event.occurrence
            elif event.change == "chattering":
                assert self.open[event.fault] == event.occurrence
                assert event.occurrence not in self.marked
                self.marked.add(event.occurrence)
            else:
                assert event.change in ("cleared", "removed")
                assert self.open.pop(event.fault) == event.occurrence
            ended = event.change in ("cleared", "removed")
            assert (change.state is None) is ended
            assert event.active is not ended
            if change.state is None:
                del self.stored[change.key]
            else:
                self.stored[change.key] = change.state

    def causes_last(self, device: str, kind: str) -> bool:
        keys = [f"{device}/{cause}" for cause in CATALOGUE[kind].causes]
        return any(self.values.get(key) or key in self.open for key in keys)

    def note_well(self, device: str) -> None:
        known = [self.values.get(f"{device}/{kind}", "") for kind in CLOSING]
        if False in known and all(value in (False, "") and value is not None for value in known):
            self.well_s[device] = self.clock.monotonic_s()

    def is_excused(self, device: str, kind: str) -> bool:
        till_s, since_s = self.excuse
        held = self.clock.monotonic_s() < till_s and self.well_s.get(device, -math.inf) < since_s
        return held and CATALOGUE[kind].closing

    @invariant()
    def what_is_excused_is_neither_open_nor_well(self) -> None:
        self.take(self.diagnosis.advance())
        expected = {
            key.partition("/")[0]
            for key, value in self.values.items()
            if value and key not in self.open and self.is_excused(*key.split("/"))
        }
        assert self.diagnosis.excused() == expected

    @invariant()
    def what_is_open_is_what_was_told_and_stored(self) -> None:
        faults = self.diagnosis.open_faults()
        if self.diagnosis.next_due_s() != self.clock.monotonic_s():  # nothing waits to be told
            assert {fault.fault: fault.occurrence for fault in faults} == self.open
            assert set(self.stored) == set(self.open)
        occurrences = {fault.occurrence for fault in faults}
        assert all(fault.suppressed_by in occurrences for fault in faults if fault.suppressed_by)
        assert all(fault.suppressed_by != fault.occurrence for fault in faults)


Judged.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
test_whatever_happens = Judged.TestCase

HOLD_S = st.floats(11, 40)
"""Longer than any delay of these kinds, and too slow to chatter."""


@settings(deadline=None)
@given(st.lists(st.tuples(CONDITIONS, HOLD_S, st.booleans()), max_size=12))
def test_a_restart_changes_nothing_in_what_is_told_of_a_fault(
    steps: list[tuple[dict[str, bool | None], float, bool]],
) -> None:
    def told(*, restarting: bool) -> dict[str, list[tuple[str, int]]]:
        clock, stored, said = TurnedClock(), dict[str, Json](), dict[str, list[tuple[str, int]]]()
        picture: dict[str, bool | None] = {}
        numbers: dict[str, int] = {}
        diagnosis = Diagnosis(CATALOGUE, clock)
        for conditions, hold_s, restart in steps:
            picture |= conditions
            diagnosis.observe("receipt", picture)
            for _ in range(2):
                clock.advance(hold_s)
                for change in diagnosis.advance():
                    stored[change.key] = change.state
                    of_this = said.setdefault(change.key, [])
                    number = numbers.setdefault(change.event.occurrence, len(of_this))
                    of_this.append((change.event.change, number))
                if restart and restarting:
                    diagnosis = Diagnosis(CATALOGUE, clock)
                    diagnosis.restore({key: state for key, state in stored.items() if state is not None})
                    diagnosis.observe("receipt", picture)
        return said

    assert told(restarting=True) == told(restarting=False)
