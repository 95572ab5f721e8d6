"""Another device in one's place: believed when said twice, over after a day or when the old one is back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Json, Memory
from drivers.exchange import LASTS_S, Exchange, Seen
from tests.clock import TurnedClock

OLD = {"manufacturer": "EPSON", "model": "TM-T88III", "serial": "A1", "firmware": "1.00"}
NEW = {**OLD, "serial": "B2"}


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


def met(clock: TurnedClock, memory: Memory, *who: dict[str, str]) -> Exchange:
    exchange = Exchange(memory, clock)
    for identity in who:
        exchange.seen(identity)
    return exchange


def test_nobody_is_known_and_then_somebody_is(clock: TurnedClock) -> None:
    exchange = Exchange({}, clock)
    assert exchange.changed() is None
    assert exchange.seen({}) is Seen.SAME
    assert exchange.changed() is None, "what says nothing of itself is nobody"
    exchange.seen(OLD)
    assert exchange.changed() is False


def test_another_is_believed_when_it_says_so_twice_in_a_row(clock: TurnedClock) -> None:
    exchange = met(clock, {}, OLD)
    assert exchange.seen(NEW) is Seen.DOUBTFUL
    assert exchange.changed() is False
    assert exchange.seen(OLD) is Seen.SAME, "one garbled answer"
    assert exchange.seen({**OLD, "serial": "A!"}) is Seen.DOUBTFUL
    assert exchange.seen(NEW) is Seen.DOUBTFUL, "two different ones are none"
    assert exchange.seen(NEW) is Seen.EXCHANGED
    assert exchange.changed() is True
    assert exchange.evidence() == {"before": OLD, "now": NEW}


@pytest.mark.parametrize(
    ("now", "changes"),
    [
        ({**OLD, "firmware": "2.00"}, False),
        ({**OLD, "model": "TM-T88IV"}, False),  # a serial number decides alone
        ({"model": "TM-T88III"}, False),
        ({"model": "TM-T20"}, True),  # one that tells no serial number
        ({**OLD, "serial": "0000"}, False),  # a factory's placeholder
        ({"manufacturer": "Other"}, False),
    ],
)
def test_what_makes_another_device(clock: TurnedClock, now: dict[str, str], changes: bool) -> None:
    assert met(clock, {}, OLD, now, now).changed() is changes


def test_two_that_both_have_a_factorys_serial_number_are_told_apart_by_their_models(
    clock: TurnedClock,
) -> None:
    zeros = {**OLD, "serial": "0" * 10}
    other = {**zeros, "model": "TM-T20"}
    assert met(clock, {}, zeros, zeros, zeros).changed() is False
    assert met(clock, {}, zeros, other, other).changed() is True


def test_it_is_over_after_a_day_also_over_a_restart(clock: TurnedClock) -> None:
    memory: dict[str, Json] = {}
    met(clock, memory, OLD, NEW, NEW)
    clock.advance(LASTS_S - 1)
    again = Exchange(memory, clock)
    assert again.changed() is True
    clock.advance(1)
    assert again.changed() is None
    again.seen(NEW)
    assert again.changed() is False


def test_it_is_over_when_the_old_one_is_back_with_its_own_counters(clock: TurnedClock) -> None:
    memory: dict[str, Json] = {}
    exchange = met(clock, memory, OLD)
    first = exchange.counted({"PaperCutCount": 100.0})
    clock.advance(3600)
    exchange.seen(NEW)
    exchange.seen(NEW)
    assert exchange.counted({}) == {}
    fresh = exchange.counted({"PaperCutCount": 7.0})
    assert fresh["counted_from"] == {"PaperCutCount": 7.0}
    assert fresh["counted_since"] > first["counted_since"]  # type: ignore[operator]
    third = {**OLD, "serial": "C3"}
    exchange.seen(third)
    exchange.seen(third)
    assert exchange.evidence()["before"] == OLD, "the one that was there before all this"
    exchange.seen(OLD)
    exchange.seen(OLD)
    assert exchange.changed() is False
    assert exchange.counted({"PaperCutCount": 150.0}) == first


def test_a_counter_that_falls_counts_from_there(clock: TurnedClock) -> None:
    exchange = met(clock, {}, OLD)
    exchange.counted({"PaperCutCount": 100.0, "ReceiptLineFeedCount": 9.0})
    assert exchange.counted({"PaperCutCount": 3.0, "ReceiptLineFeedCount": 10.0})["counted_from"] == {
        "PaperCutCount": 3.0,
        "ReceiptLineFeedCount": 9.0,
    }


def test_a_clock_that_is_set_back_a_little_does_not_end_it(clock: TurnedClock) -> None:
    exchange = met(clock, {}, OLD, NEW, NEW)
    clock.step_wall(-600)
    assert exchange.changed() is True


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(["now", "base", "before", "values", "since_wall_s"]), inner
    ),
)


@given(JUNK)
def test_whatever_was_kept_it_goes_on(kept: Json) -> None:
    exchange = met(TurnedClock(), {"identity": kept}, OLD, NEW, NEW)
    exchange.counted({"PaperCutCount": 1.0})
    assert exchange.changed() in (True, False)
