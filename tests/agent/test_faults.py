"""The judge of faults, example by example, on a turned clock."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent.diagnosis.catalogue import CATALOGUE, Kind
from agent.diagnosis.faults import Change, Diagnosis
from drivers.api import Json
from tests.clock import TurnedClock

BIT_ON_S = CATALOGUE["paper_end"].on_s
BIT_OFF_S = CATALOGUE["paper_end"].off_s


class Bench:
    """A diagnosis with its clock and the database it would write to."""

    def __init__(self) -> None:
        self.clock = TurnedClock()
        self.stored: dict[str, Json] = {}
        self.diagnosis = Diagnosis(CATALOGUE, self.clock)

    def sees(self, seconds: float = 0.0, device: str = "receipt", /, **conditions: bool | None) -> list[str]:
        """Observe, let `seconds` pass, and tell what changed as `change kind`."""
        self.diagnosis.observe(device, conditions)
        return self.passes(seconds)

    def passes(self, seconds: float) -> list[str]:
        return [f"{c.event.change} {c.event.kind}" for c in self.changes(seconds)]

    def changes(self, seconds: float) -> list[Change]:
        self.clock.advance(seconds)
        return self.keep(self.diagnosis.advance())

    def keep(self, changes: list[Change]) -> list[Change]:
        for change in changes:
            if change.state is None:
                del self.stored[change.key]
            else:
                self.stored[change.key] = change.state
        return changes

    def restart(self) -> None:
        self.diagnosis = Diagnosis(CATALOGUE, self.clock)
        assert self.diagnosis.restore(self.stored) == []


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_condition_raises_after_its_on_delay_and_clears_after_its_off_delay(bench: Bench) -> None:
    assert bench.sees(BIT_ON_S - 0.01, paper_end=True) == []
    assert bench.passes(0.01) == ["raised paper_end"]
    assert bench.sees(BIT_OFF_S - 0.01, paper_end=False) == []
    assert bench.passes(0.01) == ["cleared paper_end"]
    assert bench.stored == {}


def test_an_event_tells_all_of_its_fault(bench: Bench) -> None:
    bench.diagnosis.observe("receipt", {"paper_end": True}, {"paper_end": {"raw": "7e"}, "cover_open": {}})
    (raised,) = bench.changes(BIT_ON_S)
    event = raised.event
    assert (event.fault, event.device, event.kind) == ("receipt/paper_end", "receipt", "paper_end")
    assert (event.severity, event.advice, event.active) == ("major", "load_paper", True)
    assert event.evidence == {"raw": "7e"}
    assert (event.raised_at, event.cleared_at) == ("2026-09-21T14:13:20.500Z", None)
    bench.diagnosis.observe("receipt", {"paper_end": True}, {"paper_end": {"raw": "32"}})
    bench.diagnosis.observe("receipt", {"paper_end": False})
    (cleared,) = bench.changes(BIT_OFF_S)
    assert cleared.event.occurrence == event.occurrence
    assert cleared.event.evidence == event.evidence
    assert (cleared.event.active, cleared.event.cleared_at) == (False, "2026-09-21T14:13:21.500Z")
    assert (cleared.key, cleared.state) == ("receipt/paper_end", None)


def test_each_raise_is_an_occurrence_of_its_own(bench: Bench) -> None:
    bench.diagnosis.observe("receipt", {"paper_end": True})
    (first,) = bench.changes(BIT_ON_S)
    bench.sees(60, paper_end=False)
    bench.diagnosis.observe("receipt", {"paper_end": True})
    (second,) = bench.changes(BIT_ON_S)
    assert first.event.occurrence != second.event.occurrence


def test_a_flicker_shorter_than_the_on_delay_is_nothing(bench: Bench) -> None:
    for _ in range(20):
        assert bench.sees(BIT_ON_S - 0.1, paper_end=True) == []
        assert bench.sees(0.1, paper_end=False) == []
    assert bench.diagnosis.next_due_s() is None


def test_unknown_drops_a_raise_that_was_pending(bench: Bench) -> None:
    bench.sees(BIT_ON_S - 0.1, paper_end=True)
    assert bench.sees(60, paper_end=None) == []
    assert bench.sees(BIT_ON_S - 0.1, paper_end=True) == []
    assert bench.passes(0.1) == ["raised paper_end"]


def test_unknown_leaves_a_raised_fault_raised(bench: Bench) -> None:
    bench.sees(BIT_ON_S, paper_end=True)
    assert bench.sees(3600, paper_end=None) == []
    assert [fault.kind for fault in bench.diagnosis.open_faults()] == ["paper_end"]
    assert bench.sees(0.5, paper_end=False) == []
    assert bench.sees(0.5, paper_end=None) == []
    assert bench.sees(BIT_OFF_S, paper_end=False) == ["cleared paper_end"]


def test_a_condition_not_in_the_catalogue_is_no_fault(bench: Bench) -> None:
    assert bench.sees(60, drawer_open=True) == []


def test_conditions_not_named_stay_as_they_were(bench: Bench) -> None:
    bench.sees(0.1, paper_end=True)
    assert bench.sees(BIT_ON_S, driver_stuck=False) == ["raised paper_end"]


def test_what_fell_due_between_two_observations_is_not_lost(bench: Bench) -> None:
    bench.diagnosis.observe("receipt", {"paper_end": True})
    bench.clock.advance(10)
    bench.diagnosis.observe("receipt", {"paper_end": False})
    bench.clock.advance(10)
    bench.diagnosis.observe("receipt", {"paper_end": True})
    assert bench.diagnosis.next_due_s() == bench.clock.monotonic_s()
    assert bench.passes(0) == ["raised paper_end", "cleared paper_end"]


def test_a_jump_of_the_wall_clock_disturbs_no_delay(bench: Bench) -> None:
    bench.sees(BIT_ON_S / 2, paper_end=True)
    bench.clock.step_wall(-86_400)
    assert bench.passes(0) == []
    bench.clock.step_wall(10 * 86_400)
    assert bench.passes(0) == []
    assert bench.passes(BIT_ON_S / 2) == ["raised paper_end"]


def test_next_due_is_when_advance_has_something_to_say(bench: Bench) -> None:
    start_s = bench.clock.monotonic_s()
    assert bench.diagnosis.next_due_s() is None
    bench.sees(paper_end=True)
    assert bench.diagnosis.next_due_s() == start_s + BIT_ON_S
    bench.passes(BIT_ON_S)
    assert bench.diagnosis.next_due_s() is None
    bench.sees(paper_end=False)
    assert bench.diagnosis.next_due_s() == start_s + BIT_ON_S + BIT_OFF_S


# Causes


def test_paper_end_suppresses_near_end_also_while_it_is_pending(bench: Bench) -> None:
    assert bench.sees(BIT_ON_S, paper_near_end=True, paper_end=True) == ["raised paper_end"]
    assert bench.passes(60) == []
    assert bench.sees(BIT_OFF_S, paper_end=False) == ["cleared paper_end", "raised paper_near_end"]


def test_a_fault_raised_before_its_cause_stays_and_names_it(bench: Bench) -> None:
    bench.sees(BIT_ON_S, paper_end=True)
    bench.diagnosis.observe("receipt", {"unplugged": True, "paper_end": None})
    (unplugged,) = bench.changes(0)
    faults = {fault.kind: fault for fault in bench.diagnosis.open_faults()}
    assert faults["paper_end"].suppressed_by == unplugged.event.occurrence
    assert faults["unplugged"].suppressed_by is None
    bench.diagnosis.observe("receipt", {"unplugged": False, "paper_end": False})
    assert [c.event.kind for c in bench.changes(BIT_OFF_S)] == ["paper_end"]
    assert bench.passes(5) == ["cleared unplugged"]


@pytest.mark.parametrize("kind", [k for k in CATALOGUE.values() if "unplugged" in k.causes])
def test_unplugged_suppresses_all_else_of_its_device(bench: Bench, kind: Kind) -> None:
    assert bench.sees(60, unplugged=True, **{kind.kind: True}) == ["raised unplugged"]


def test_a_cause_suppresses_nothing_of_another_device(bench: Bench) -> None:
    bench.sees(0, unplugged=True)
    assert bench.sees(BIT_ON_S, "kitchen", paper_end=True) == ["raised paper_end"]


# Chattering


def toggle(bench: Bench, seconds: float, times: int, kind: str) -> list[str]:
    said = []
    for _ in range(times):
        said += bench.sees(seconds, **{kind: True})
        said += bench.sees(seconds, **{kind: False})
    return said


@pytest.mark.parametrize("seconds", [0.3, 0.5, 1.0, 2.0, 2.45, 2.5])
def test_a_flapping_plug_is_one_raise_one_mark_one_clear(bench: Bench, seconds: float) -> None:
    said = toggle(bench, seconds, 12, "unplugged") + bench.passes(60)
    assert said == ["raised unplugged", "chattering unplugged", "cleared unplugged"]
    said = toggle(bench, seconds, 12, "unplugged") + bench.passes(60)
    assert said == ["raised unplugged", "chattering unplugged", "cleared unplugged"]


def test_the_mark_comes_at_the_third_raise_and_clearing_waits_for_quiet(bench: Bench) -> None:
    assert toggle(bench, 1.0, 2, "unplugged") == ["raised unplugged"]
    assert bench.sees(0, unplugged=True) == ["chattering unplugged"]
    assert bench.sees(9.9, unplugged=False) == []
    assert bench.sees(0.1, unplugged=True) == []
    assert bench.sees(9.9, unplugged=False) == []
    assert bench.passes(0.1) == ["cleared unplugged"]


def test_raises_that_were_cleared_in_between_count_too(bench: Bench) -> None:
    assert toggle(bench, 1.5, 2, "paper_end") == ["raised paper_end", "cleared paper_end"] * 2
    assert bench.sees(BIT_ON_S, paper_end=True) == ["raised paper_end", "chattering paper_end"]


def test_being_told_a_little_late_does_not_hide_chattering(bench: Bench) -> None:
    assert toggle(bench, 2.55, 4, "unplugged") == ["raised unplugged", "chattering unplugged"]


def test_an_episode_that_is_over_does_not_count_for_the_next(bench: Bench) -> None:
    toggle(bench, 0.05, 3, "unplugged")
    assert bench.passes(10) == ["cleared unplugged"]
    assert bench.sees(0, unplugged=True) == ["raised unplugged"]


def test_slow_toggling_is_no_chattering(bench: Bench) -> None:
    assert toggle(bench, 3.0, 5, "paper_end") == ["raised paper_end", "cleared paper_end"] * 5


def test_going_unknown_and_back_is_no_raise(bench: Bench) -> None:
    bench.sees(0, unplugged=True)
    for _ in range(5):
        assert bench.sees(0.5, unplugged=None) + bench.sees(0.5, unplugged=True) == []


def test_what_was_true_before_a_restart_is_no_new_raise(bench: Bench) -> None:
    bench.sees(0, unplugged=True)
    bench.restart()
    bench.sees(1, unplugged=True)
    assert toggle(bench, 1.0, 2, "unplugged") == []
    assert bench.sees(0, unplugged=True) == []


def test_the_mark_survives_a_restart(bench: Bench) -> None:
    toggle(bench, 1.0, 3, "unplugged")
    bench.restart()
    assert bench.sees(9.9, unplugged=False) == []
    assert bench.passes(0.1) == ["cleared unplugged"]


# Restart, and what is watched no more


def test_a_restart_raises_nothing_anew_and_keeps_the_time(bench: Bench) -> None:
    bench.diagnosis.observe("receipt", {"paper_end": True}, {"paper_end": {"raw": "7e"}})
    (raised,) = bench.changes(BIT_ON_S)
    bench.clock.advance(100)
    bench.restart()
    assert bench.sees(60, paper_end=True) == []
    (fault,) = bench.diagnosis.open_faults()
    assert fault.occurrence == raised.event.occurrence
    assert fault.raised_at == raised.event.raised_at
    assert fault.evidence == {"raw": "7e"}


def test_a_fault_gone_meanwhile_is_cleared_once_that_is_known(bench: Bench) -> None:
    bench.sees(BIT_ON_S, paper_end=True)
    bench.restart()
    assert bench.passes(3600) == []
    assert bench.sees(BIT_OFF_S, paper_end=False) == ["cleared paper_end"]


def test_a_stored_severity_that_the_catalogue_changed_is_told(bench: Bench) -> None:
    bench.sees(BIT_ON_S, paper_end=True)
    state = bench.stored["receipt/paper_end"]
    assert isinstance(state, dict)
    state["severity"] = "minor"
    bench.restart()
    (change,) = bench.changes(0)
    assert (change.event.change, change.event.severity) == ("severity", "major")
    assert bench.passes(60) == []


def test_a_stored_kind_that_the_catalogue_lost_is_removed(bench: Bench) -> None:
    bench.sees(BIT_ON_S, paper_end=True)
    bench.stored["receipt/no_such_kind"] = bench.stored.pop("receipt/paper_end")
    bench.restart()
    (change,) = bench.changes(0)
    assert (change.event.change, change.event.kind, change.state) == ("removed", "no_such_kind", None)
    assert change.event.advice == "call_support"
    assert bench.sees(60, no_such_kind=True) == []


@pytest.mark.parametrize(
    "states", [{"receipt/paper_end": 7}, {"receipt/paper_end": {"occurrence": "x"}}, {"receipt": None}]
)
def test_a_state_that_cannot_be_read_is_named(bench: Bench, states: Mapping[str, Json]) -> None:
    assert bench.diagnosis.restore(states) == list(states)
    assert bench.diagnosis.open_faults() == []


def test_forget_says_what_was_due_and_then_removed(bench: Bench) -> None:
    bench.sees(BIT_ON_S, paper_end=True)
    bench.sees(0.1, "kitchen", paper_end=True)
    bench.diagnosis.observe("receipt", {"cover_open": True})
    bench.clock.advance(60)
    changes = bench.keep(bench.diagnosis.forget("receipt"))
    assert [(c.event.change, c.event.fault) for c in changes] == [
        ("raised", "kitchen/paper_end"),
        ("raised", "receipt/cover_open"),
        ("removed", "receipt/paper_end"),
        ("removed", "receipt/cover_open"),
    ]
    assert list(bench.stored) == ["kitchen/paper_end"]
    assert bench.sees(BIT_ON_S, cover_open=False) == []
    assert bench.diagnosis.forget("nobody") == []


def test_forget_can_name_the_kinds(bench: Bench) -> None:
    bench.sees(BIT_ON_S, paper_end=True, cover_open=True)
    (change,) = bench.diagnosis.forget("receipt", {"cover_open", "head_hot"})
    assert change.event.fault == "receipt/cover_open"
    assert [fault.kind for fault in bench.diagnosis.open_faults()] == ["paper_end"]


# What closing explains


INF = float("inf")


def test_what_closing_explains_is_not_raised_while_it_is_excused(bench: Bench) -> None:
    bench.diagnosis.excuse(INF, INF)
    assert bench.sees(3600, unplugged=True, paper_end=None) == []
    assert bench.diagnosis.excused() == {"receipt"}
    assert bench.diagnosis.next_due_s() is None
    assert bench.sees(60, "kitchen", paper_end=True) == ["raised paper_end"]
    assert bench.diagnosis.excused() == {"receipt"}


def test_what_is_open_when_the_shop_closes_stays_open_and_clears_as_ever(bench: Bench) -> None:
    assert bench.sees(1, silent=True) == ["raised silent"]
    bench.diagnosis.excuse(INF, INF)
    assert bench.passes(12 * 3600) == []
    assert bench.diagnosis.excused() == set()
    bench.restart()
    bench.diagnosis.excuse(INF, INF)
    assert bench.sees(60, silent=True) == []
    assert bench.sees(CATALOGUE["silent"].off_s, silent=False) == ["cleared silent"]
    assert bench.sees(60, silent=True) == []


def test_what_is_still_off_after_the_grace_is_raised_then(bench: Bench) -> None:
    bench.diagnosis.excuse(INF, INF)
    bench.sees(8 * 3600, silent=True, unplugged=False)
    opened_s = bench.clock.monotonic_s()
    bench.diagnosis.excuse(opened_s + 900, opened_s)
    assert bench.diagnosis.next_due_s() == opened_s + 900
    assert bench.sees(899, silent=None, unplugged=True) == []
    assert bench.passes(1) == ["raised unplugged"]


def test_what_was_well_since_opening_and_goes_is_raised_at_once(bench: Bench) -> None:
    bench.sees(60, silent=False)
    opened_s = bench.clock.monotonic_s()
    bench.diagnosis.excuse(opened_s + 900, opened_s)
    assert bench.sees(0, silent=True) == ["raised silent"], "it was well when the shop opened"
    assert bench.sees(0, "kitchen", silent=True) == []
    assert bench.sees(60, "kitchen", silent=False) == []
    assert bench.sees(0, "kitchen", silent=True) == ["raised silent"]


def test_a_restart_at_night_raises_nothing(bench: Bench) -> None:
    bench.diagnosis.excuse(INF, INF)
    bench.sees(60, silent=True)
    bench.restart()
    bench.diagnosis.excuse(INF, INF)
    assert bench.sees(3600, silent=True) == []


def test_without_an_excuse_all_is_judged_as_ever(bench: Bench) -> None:
    bench.diagnosis.excuse(INF, INF)
    bench.sees(60, unplugged=True)
    bench.diagnosis.excuse(-INF, -INF)
    assert bench.passes(0) == ["raised unplugged"]
