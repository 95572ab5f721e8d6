"""What a device says of itself when it is asked seldom, on a turned clock."""

from __future__ import annotations

from collections.abc import Callable

from drivers.api import Deadline, Setup
from drivers.belief import NEEDED
from drivers.seldom import ANEW_S, CHECK_S, REFUSED_MOST, RETRY_S, Seldom
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink

POLL_S = 2.0
ASKING_S = 0.1


class Desk:
    """A device that says `answers[key]`; no answer where that is None."""

    def __init__(self, *keys: str, ask: Callable[[str], str | None] | None = None) -> None:
        self.clock = TurnedClock()
        self.answers: dict[str, str | None] = {key: key.upper() for key in keys}
        self.asked: list[str] = []
        self._answer = ask or (lambda key: self.answers[key])
        setup = Setup(device="it", link=ScriptedLink(self.clock), clock=self.clock, memory={}, poll_s=POLL_S)
        self.seldom: Seldom[str, str] = Seldom(setup, keys, self._ask)

    def _ask(self, key: str, deadline: Deadline) -> str | None:
        assert not deadline.expired()
        self.clock.advance(ASKING_S)
        self.asked.append(key)
        return self._answer(key)

    def look(self, *, within_s: float = POLL_S, ask: bool = True) -> dict[str, str]:
        began_s = self.clock.monotonic_s()
        said = self.seldom.look(Deadline.after(self.clock, within_s), ask=ask)
        self.clock.turn_to(max(began_s + POLL_S, self.clock.monotonic_s()))
        return said

    def look_for(self, seconds: float) -> list[dict[str, str]]:
        return [self.look() for _ in range(round(seconds / POLL_S))]


def test_each_counts_when_it_was_read_alike_three_times() -> None:
    words = iter(["A1", "A1", "B1", "A1", "A1", "B1", "A1", "A1", "A1"])
    desk = Desk("serial", ask=lambda _key: next(words))
    assert desk.look() == {}
    assert desk.look() == {"serial": "A1"}
    assert next(words, None) is None


def test_three_that_one_look_has_no_time_for_may_come_in_two() -> None:
    desk = Desk("serial")
    assert desk.look(within_s=0.65) == {}
    assert len(desk.asked) == NEEDED - 1
    assert desk.look(within_s=0.65) == {"serial": "SERIAL"}


def test_nothing_is_told_until_all_is_settled_and_what_is_said_to_be_none_is_left_out() -> None:
    desk = Desk("serial", "firmware", "maker")
    desk.answers |= {"serial": "", "maker": None}
    assert desk.look() == {}
    desk.answers["maker"] = "M"
    assert desk.look_for(2 * RETRY_S)[-1] == {"firmware": "FIRMWARE", "maker": "M"}


def test_what_is_never_answered_is_not_asked_for_ever() -> None:
    desk = Desk("serial", "firmware")
    desk.answers["serial"] = None
    assert desk.look_for(10 * RETRY_S)[-1] == {"firmware": "FIRMWARE"}
    assert desk.asked.count("serial") == REFUSED_MOST


def test_what_was_answered_once_is_asked_for_till_it_is_settled() -> None:
    """A line that spoils every third answer never makes a device one that has no serial number."""
    times = iter(range(1, 1000))
    spoilt = 40
    desk = Desk("serial", ask=lambda _key: "A1" if (n := next(times)) > spoilt or n % 3 else None)
    assert desk.look_for(40 * RETRY_S)[-1] == {"serial": "A1"}


def test_a_question_that_no_answer_could_be_awaited_to_is_not_put() -> None:
    desk = Desk("serial")
    desk.answers["serial"] = None
    for _ in range(5):
        desk.look(within_s=0.3)
    assert desk.asked == []
    desk.answers["serial"] = "A1"
    assert desk.look() == {"serial": "A1"}


def test_another_answer_to_the_first_puts_all_in_doubt_within_a_minute() -> None:
    desk = Desk("serial", "firmware")
    desk.look()
    desk.asked.clear()
    desk.look_for(CHECK_S - 10)
    assert desk.asked == []
    desk.answers |= {"serial": "OTHER", "firmware": "2.0"}
    assert desk.look_for(20)[-1] == {"serial": "OTHER", "firmware": "2.0"}


def test_no_answer_to_the_check_changes_nothing() -> None:
    desk = Desk("serial", "firmware")
    desk.look()
    desk.answers["serial"] = None
    assert desk.look_for(3 * CHECK_S)[-1] == {"serial": "SERIAL", "firmware": "FIRMWARE"}


def test_a_poll_that_was_missed_puts_all_in_doubt() -> None:
    desk = Desk("serial")
    desk.look()
    desk.answers["serial"] = "OTHER"
    assert desk.look() == {"serial": "SERIAL"}
    desk.clock.advance(POLL_S)
    assert desk.look() == {"serial": "OTHER"}


def test_a_look_that_may_not_ask_is_a_look_all_the_same() -> None:
    desk = Desk("serial")
    desk.look()
    for _ in range(5):
        assert desk.look(ask=False) == {"serial": "SERIAL"}
    assert len(desk.asked) == NEEDED


def test_all_is_asked_anew_each_hour() -> None:
    desk = Desk("serial", "firmware")
    desk.look()
    desk.answers["firmware"] = "2.0"
    before = desk.look_for(ANEW_S - 10)
    assert {said["firmware"] for said in before} == {"FIRMWARE"}
    assert desk.look_for(20)[-1] == {"serial": "SERIAL", "firmware": "2.0"}
