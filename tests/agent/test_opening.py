"""What closing time excuses, and when the clock cannot tell: on a turned clock."""

from __future__ import annotations

import math

import pytest

from agent.diagnosis.hours import hours
from agent.diagnosis.opening import CLOCK_KEPT_S, CLOCK_WAIT_S, OPENING_GRACE_S, Opening
from tests.clock import TurnedClock

DAY_S = 86_400.0
NONE = (-math.inf, -math.inf)


class Shop:
    """Open from 08:00 to 20:00 UTC; it is noon on a clock that is synchronised."""

    def __init__(self, said: str = "Mo-Su 08:00-20:00", *, synced: bool = True, hour: float = 12) -> None:
        self.clock = TurnedClock()
        self.clock.step_wall(hour * 3600 - self.clock.wall_s() % DAY_S)
        self.synced = synced
        self.opening = Opening(hours(said, (), "UTC") if said else None, self.clock, lambda: self.synced)

    def to_the_next_change(self) -> None:
        due_s = self.opening.next_due_s()
        assert due_s is not None
        self.clock.turn_to(due_s)


def test_without_hours_nothing_is_known_and_nothing_excused() -> None:
    shop = Shop("")
    assert (shop.opening.open(), shop.opening.excuse(), shop.opening.next_due_s()) == (None, NONE, None)
    assert shop.opening.clock_known()


def test_it_closes_and_opens_with_a_grace_from_opening() -> None:
    shop = Shop()
    assert shop.opening.open() is True
    shop.to_the_next_change()
    assert shop.clock.wall_s() % DAY_S == pytest.approx(20 * 3600, abs=0.1)
    assert (shop.opening.open(), shop.opening.excuse()) == (False, (math.inf, math.inf))
    shop.to_the_next_change()
    opened_s = shop.clock.monotonic_s()
    assert shop.clock.wall_s() % DAY_S == pytest.approx(8 * 3600, abs=0.1)
    shop.clock.advance(60)
    assert shop.opening.open() is True
    assert shop.opening.excuse() == pytest.approx((opened_s + OPENING_GRACE_S, opened_s), abs=0.1)


def test_one_that_never_closes_excuses_nothing() -> None:
    shop = Shop("24/7")
    assert (shop.opening.open(), shop.opening.excuse()) == (True, NONE)


def test_with_a_clock_that_is_not_right_nothing_is_hidden_but_for_a_moment_after_the_start() -> None:
    shop = Shop(synced=False, hour=3)
    started_s = shop.clock.monotonic_s()
    assert shop.opening.open() is None
    assert shop.opening.excuse() == (started_s + CLOCK_WAIT_S, started_s)
    assert shop.opening.next_due_s() == started_s + CLOCK_WAIT_S
    shop.clock.advance(3600)
    assert shop.opening.excuse()[0] < shop.clock.monotonic_s()
    assert shop.opening.next_due_s() is None
    shop.synced = True
    assert (shop.opening.open(), shop.opening.excuse()) == (False, (math.inf, math.inf))


def test_a_router_that_is_off_at_night_takes_the_time_server_and_not_the_time() -> None:
    shop = Shop(hour=21)
    assert shop.opening.open() is False
    shop.synced = False
    shop.clock.advance(10 * 3600)
    assert shop.opening.open() is False
    shop.clock.advance(CLOCK_KEPT_S)
    assert shop.opening.open() is None


def test_the_end_of_what_an_old_clock_is_worth_is_a_moment_of_its_own() -> None:
    shop = Shop("Mo off")
    assert shop.opening.open() is False
    shop.synced = False
    assert shop.opening.next_due_s() == shop.clock.monotonic_s() + CLOCK_KEPT_S
