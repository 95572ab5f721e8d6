"""What the bits mean, causes included; the frames themselves are in the golden transcripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer.escpos.belief import ASKED, PUSHED, Belief
from drivers.printer.escpos.consts import Query
from drivers.printer.escpos.status import CONDITIONS, Reading, conditions, facts, from_answers, from_asb

FINE = from_asb(bytes.fromhex("10000000"))
OPEN = from_asb(bytes.fromhex("38000000"))

bits = st.none() | st.booleans()
readings = st.builds(Reading, **dict.fromkeys(Reading.__dataclass_fields__, bits))


def test_nothing_answered_is_nothing_known() -> None:
    assert from_answers({}) == Reading()
    assert conditions(Reading()) == dict.fromkeys(CONDITIONS)
    assert facts(Reading(), "high") == {}


def test_a_printer_without_the_roll_question_may_still_say_that_paper_ended() -> None:
    assert from_answers({Query.OFFLINE_CAUSE: 0x32}).paper_end is True
    assert from_answers({Query.OFFLINE_CAUSE: 0x12}).paper_end is False  # else it could never be cleared


@pytest.mark.parametrize(("cover", "head"), [(False, True), (True, None), (None, None)])
def test_a_hot_head_needs_a_cover_known_to_be_closed(cover: bool | None, head: bool | None) -> None:
    assert conditions(Reading(auto_recoverable=True, cover_open=cover))["head_hot"] is head


def test_both_ways_of_asking_mean_the_same() -> None:
    asked = from_answers(
        {Query.PRINTER: 0x1E, Query.OFFLINE_CAUSE: 0x56, Query.ERROR_CAUSE: 0x7E, Query.ROLL_PAPER: 0x7E}
    )
    assert asked == from_asb(bytes.fromhex("3c6c0f00"))


@pytest.mark.parametrize(("level", "drawer"), [(None, None), ("high", "open"), ("low", "closed")])
def test_the_drawer_needs_a_configured_level(level: str | None, drawer: str | None) -> None:
    said = facts(Reading(pin3_high=True, offline=False), level)
    assert said["pin3"] == "high"
    assert said.get("drawer") == drawer


@given(reading=readings)
def test_an_open_cover_leaves_paper_and_head_unknown(reading: Reading) -> None:
    values = conditions(reading)
    assert tuple(values) == CONDITIONS
    if reading.cover_open:
        assert (values["paper_end"], values["paper_near_end"], values["head_hot"]) == (None, None, None)
    if reading.cutter:
        assert values["error_recoverable"] is False


@given(one=readings, other=readings)
def test_comparing_readings(one: Reading, other: Reading) -> None:
    assert one.agrees(other) == other.agrees(one)
    assert one.within(one.over(other))
    if one.within(other):
        assert one.agrees(other)


def test_idle_means_that_queued_commands_are_worked_off() -> None:
    assert FINE.idle
    assert not OPEN.idle
    assert Reading().idle


def test_a_change_is_believed_at_the_third_equal_look() -> None:
    belief = Belief()
    assert [belief.hear(FINE, ASKED) for _ in range(3)] == [False, False, True]
    assert [belief.hear(OPEN, ASKED) for _ in range(2)] == [False, False]
    assert belief.doubtful
    assert belief.reading == FINE
    assert belief.hear(OPEN, ASKED)
    assert belief.reading == OPEN


def test_a_look_that_disagrees_ends_the_doubt() -> None:
    belief = Belief()
    for _ in range(3):
        belief.hear(FINE, ASKED)
    belief.hear(OPEN, PUSHED)
    assert not belief.hear(FINE, ASKED)
    assert not belief.doubtful


def test_a_push_needs_one_look_and_fills_what_looks_do_not_tell() -> None:
    belief = Belief()
    belief.hear(OPEN, PUSHED)
    assert belief.hear(Reading(offline=True), ASKED)
    assert belief.reading == OPEN
    belief.forget()
    assert belief.reading is None
