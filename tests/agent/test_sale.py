"""Is a sale in progress? Word by word, whole days of three shops, and days at random."""

from __future__ import annotations

import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.diagnosis.hours import hours
from agent.diagnosis.sale import SaleState, SaleWord
from tests.clock import TurnedClock

QUIET_S = 120.0
STARTED_S = QUIET_S + 1


class Counter:
    """A sale's state on a turned clock, past the first quiet minutes unless told otherwise."""

    def __init__(self, *, started: bool = True, maintenance: str = "") -> None:
        self.clock = TurnedClock()
        self.clock_known = True
        window = hours(maintenance, (), "UTC") if maintenance else None
        self.sale = SaleState(self.clock, QUIET_S, window, clock_known=lambda: self.clock_known)
        if started:
            self.clock.advance(STARTED_S)

    def says(
        self, source: str, busy: bool | None, lasts_s: float | None = None, at_s: float | None = None
    ) -> str:
        sees = "part" if source.startswith("device") or source == "payment" else "whole"
        self.sale.tell(SaleWord(source, busy, sees, lasts_s, at_s))  # type: ignore[arg-type]  # one of the two
        return self.sale.state()

    def passes(self, seconds: float) -> str:
        self.clock.advance(seconds)
        return self.sale.state()


def test_where_nobody_tells_nothing_is_known() -> None:
    counter = Counter()
    assert counter.passes(86_400) == "unknown"
    assert counter.sale.next_due_s() is None
    assert counter.sale.why() == []


def test_the_tills_own_word_begins_and_ends_a_sale_at_once() -> None:
    counter = Counter(started=False)
    assert counter.says("till", False) == "no"
    assert counter.says("till", True) == "yes"
    assert counter.passes(4 * 3600) == "yes"
    assert counter.says("till", False) == "no"


def test_one_of_several_tills_that_sells_is_a_sale() -> None:
    counter = Counter()
    counter.says("till/1", True)
    assert counter.says("till/2", False) == "yes"
    assert counter.says("till/1", False) == "no"


def test_activity_that_ends_is_a_sale_for_a_while_longer() -> None:
    counter = Counter()
    assert counter.says("input", True) == "yes"
    assert counter.says("input", False) == "yes"
    due_s = counter.sale.next_due_s()
    assert due_s == counter.clock.monotonic_s() + QUIET_S
    assert counter.passes(QUIET_S - 0.1) == "yes"
    assert counter.says("input", False) == "yes"
    assert counter.passes(0.2) == "no"


def test_what_is_noticed_late_counts_from_when_it_was() -> None:
    counter = Counter()
    counter.says("input", True)
    counter.clock.advance(60)
    assert counter.says("input", False, at_s=counter.clock.monotonic_s() - 50) == "yes"
    assert counter.passes(QUIET_S - 50) == "no"
    assert counter.says("input", False, at_s=counter.clock.monotonic_s() - 1) == "yes"


def test_print_data_says_yes_and_proves_no_no() -> None:
    counter = Counter()
    assert counter.says("device/receipt", False) == "unknown"
    assert counter.says("device/receipt", True) == "yes"
    counter.says("device/receipt", False)
    assert counter.passes(QUIET_S) == "unknown"
    counter.says("device/receipt", True)
    assert counter.says("till", False) == "yes", "it is printing yet"


def test_a_tills_word_that_is_withdrawn_or_too_old_proves_nothing() -> None:
    counter = Counter()
    counter.says("till", True)
    assert counter.says("till", None) == "unknown"
    assert counter.says("till", None) == "unknown"
    counter.says("till", True, lasts_s=900)
    assert counter.passes(899) == "yes"
    assert counter.sale.next_due_s() == counter.clock.monotonic_s() + 1
    assert counter.passes(1) == "unknown"
    assert counter.sale.why() == []


@pytest.mark.parametrize("others", ["no", "unknown"])
@pytest.mark.parametrize("source", ["input", "device/receipt"])
def test_activity_counts_for_quiet_s_also_if_its_source_is_lost_just_then(source: str, others: str) -> None:
    counter = Counter()
    if others == "no":
        counter.says("till/2", False)
    counter.says(source, True)
    counter.clock.advance(60)
    assert counter.says(source, None) == "yes"
    counter.clock.advance(QUIET_S / 2)
    assert counter.says(source, None) == "yes"
    assert counter.sale.next_due_s() == counter.clock.monotonic_s() + QUIET_S / 2
    assert counter.passes(QUIET_S / 2) == others
    counter.says(source, True, lasts_s=60)
    assert counter.passes(60 + QUIET_S - 1) == "yes", "a word that ran out was true till then"
    assert counter.passes(1) == others
    counter.says(source, False, lasts_s=20, at_s=counter.clock.monotonic_s() - 10)
    assert counter.passes(QUIET_S - 11) == "yes"
    assert counter.says(source, None) == "yes"
    assert counter.passes(1) == others
    assert source not in [name for name, _, _ in counter.sale.why()]


def test_a_source_that_is_lost_says_no_no_any_more() -> None:
    counter = Counter()
    counter.says("input", True)
    counter.says("input", False)
    counter.says("input", None)
    assert counter.passes(QUIET_S) == "unknown"


def test_an_input_counter_alone_says_no_only_after_the_first_quiet_minutes() -> None:
    counter = Counter(started=False)
    assert counter.says("input", False) == "unknown"
    assert counter.sale.next_due_s() == counter.clock.monotonic_s() + QUIET_S
    assert counter.passes(QUIET_S) == "no"


def test_in_a_maintenance_window_it_is_no_unless_somebody_says_yes() -> None:
    counter = Counter(maintenance="Mo-Su 03:00-04:00")
    to_three_s = 3 * 3600 - counter.clock.wall_s() % 86_400
    counter.clock.advance(to_three_s % 86_400 - 1)
    assert counter.sale.state() == "unknown"
    due_s = counter.sale.next_due_s()
    assert due_s is not None
    assert counter.passes(due_s - counter.clock.monotonic_s()) == "no"
    assert counter.sale.why() == [("maintenance", "no", 0.0)]
    assert counter.says("till", True) == "yes"
    counter.says("till", None)
    counter.clock_known = False
    assert counter.sale.state() == "unknown"
    counter.clock_known = True
    assert counter.passes(3600) == "unknown"


def test_why_names_each_source_and_how_old_its_word_is() -> None:
    counter = Counter()
    counter.says("till", False)
    counter.clock.advance(5)
    counter.says("device/receipt", True)
    assert counter.sale.why() == [("till", "no", 5.0), ("device/receipt", "yes", 0.0)]


# Days


@dataclass(frozen=True, slots=True)
class Day:
    """When the shop sells, and what each source says when. All in seconds from its opening."""

    sales: list[tuple[float, float]]
    words: list[tuple[float, SaleWord]]
    ends_s: float


def bar(seed: int) -> Day:
    """Tabs that stay open for hours; the till says when the first is opened and the last is paid."""
    chance = random.Random(seed)
    sales, words = [], [(5.0, SaleWord("till", False, "whole", 3600))]
    at_s = chance.uniform(60, 1800)
    while at_s < 9 * 3600:
        ends_s = at_s + chance.uniform(300, 3 * 3600)
        sales.append((at_s, ends_s))
        # It says so again every few minutes, as a word lasts for some time only.
        repeats = [at_s + n * 600 for n in range(int((ends_s - at_s) / 600) + 1)]
        words += [(each_s, SaleWord("till", True, "whole", 900)) for each_s in repeats]
        words.append((ends_s, SaleWord("till", False, "whole", 86_400)))
        at_s = ends_s + chance.uniform(10, 1800)
    return Day(sales, words, 13 * 3600)


def supermarket(seed: int) -> Day:
    """Scan, scan, pay, print: an input counter looked at each two seconds, and print data."""
    chance = random.Random(seed)
    sales: list[tuple[float, float]] = []
    words: list[tuple[float, SaleWord]] = [(0.0, SaleWord("device/receipt", False, "part"))]
    inputs: list[float] = []
    at_s = 200.0
    while at_s < 4 * 3600:
        begins_s = at_s
        for _ in range(chance.randint(1, 30)):
            inputs.append(at_s)
            at_s += chance.uniform(0.5, 20)
        at_s += chance.uniform(5, 90)  # paying: nothing is typed
        words.append((at_s, SaleWord("device/receipt", True, "part")))
        at_s += chance.uniform(0.3, 3)
        words.append((at_s, SaleWord("device/receipt", False, "part")))
        sales.append((begins_s, at_s))
        at_s += chance.choice([3.0, 20.0, 400.0])
    words += idle_counter(inputs, at_s + 600)
    return Day(sales, words, at_s + 600)


def idle_counter(inputs: list[float], ends_s: float) -> Iterator[tuple[float, SaleWord]]:
    """What one that looks each two seconds tells: input since the last look, or when it was last."""
    last_s: float | None = None
    coming = deque(inputs)
    for look in range(int(ends_s / 2)):
        now_s = look * 2.0
        fresh = bool(coming) and coming[0] <= now_s
        while coming and coming[0] <= now_s:
            last_s = coming.popleft()
        yield now_s, SaleWord("input", fresh, "whole", 5.0, None if fresh else last_s and last_s + 1000)


def kiosk(seed: int) -> Day:
    """Nothing but print data at the end of each sale, and nobody who says that one began."""
    chance = random.Random(seed)
    sales, words = [], []
    at_s = 200.0
    while at_s < 6 * 3600:
        ends_s = at_s + chance.uniform(20, 300)
        sales.append((at_s, ends_s))
        words.append((ends_s - 2, SaleWord("device/receipt", True, "part")))
        words.append((ends_s, SaleWord("device/receipt", False, "part")))
        at_s = ends_s + chance.uniform(5, 1800)
    return Day(sales, words, at_s + 600)


@cache
def lived(shop: Callable[[int], Day], seed: int) -> tuple[Day, list[tuple[float, str]]]:
    """A day, and (moment, state) at each change.

    Time moves from word to word, and to what is due by itself.
    """
    day = shop(seed)
    clock = TurnedClock()
    sale = SaleState(clock, QUIET_S)
    told: list[tuple[float, str]] = [(0.0, sale.state())]
    words = deque(sorted(day.words, key=lambda each: each[0]))
    zero_s = clock.monotonic_s()

    def look() -> None:
        if sale.state() != told[-1][1]:
            told.append((clock.monotonic_s() - zero_s, sale.state()))

    while (now_s := clock.monotonic_s() - zero_s) < day.ends_s:
        due_s = sale.next_due_s()
        next_s = min(words[0][0] if words else day.ends_s, math.inf if due_s is None else due_s - zero_s)
        clock.advance(max(next_s - now_s, 0.0))
        while words and words[0][0] <= clock.monotonic_s() - zero_s + 1e-9:
            sale.tell(words.popleft()[1])
        look()
    return day, told


def spans_of(told: list[tuple[float, str]], word: str, ends_s: float) -> list[tuple[float, float]]:
    ends = [at_s for at_s, _ in told[1:]] + [ends_s]
    return [(at_s, end_s) for (at_s, said), end_s in zip(told, ends, strict=True) if said == word]


LOOK_S = 2.0
"""An input counter that is looked at each two seconds may tell of the first input so late."""


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("shop", "late_s"), [(bar, 0.0), (supermarket, LOOK_S), (kiosk, 0.0)], ids=["bar", "supermarket", "kiosk"]
)
def test_a_day_never_says_no_while_the_shop_sells(
    shop: Callable[[int], Day], late_s: float, seed: int
) -> None:
    day, told = lived(shop, seed)
    for from_s, to_s in spans_of(told, "no", day.ends_s):
        for begins_s, ends_s in day.sales:
            assert min(to_s, ends_s) - max(from_s, begins_s) <= late_s + 0.001, (from_s, begins_s)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shop", [bar, supermarket], ids=["bar", "supermarket"])
def test_no_comes_within_quiet_s_of_a_sales_end(shop: Callable[[int], Day], seed: int) -> None:
    day, told = lived(shop, seed)
    nos = spans_of(told, "no", day.ends_s)
    sales = [*day.sales, (day.ends_s, day.ends_s)]
    late = [
        ends_s
        for (_, ends_s), (begins_s, _) in itertools.pairwise(sales)
        if begins_s > ends_s + QUIET_S + LOOK_S
        and not any(from_s <= ends_s + QUIET_S + 0.1 < to_s + LOOK_S for from_s, to_s in nos)
    ]
    assert late == []
    assert len(nos) > 1


@pytest.mark.parametrize("seed", range(5))
def test_a_kiosk_is_yes_or_unknown(seed: int) -> None:
    day, told = lived(kiosk, seed)
    assert {said for _, said in told} == {"yes", "unknown"}
    yes = spans_of(told, "yes", day.ends_s)
    assert all(any(from_s <= ends_s <= to_s for from_s, to_s in yes) for _, ends_s in day.sales)


SOURCES = st.sampled_from(
    [
        ("till", "whole"),
        ("till/2", "whole"),
        ("input", "whole"),
        ("device/receipt", "part"),
        ("payment", "part"),
    ]
)
WORDS = st.builds(
    lambda source, busy, lasts_s: SaleWord(source[0], busy, source[1], lasts_s),
    SOURCES,
    st.sampled_from([True, False, None]),
    st.sampled_from([None, 1.0, 60.0, 900.0]),
)


@settings(deadline=None)
@given(st.lists(st.tuples(WORDS, st.sampled_from([0.0, 0.5, 30.0, 119.0, 121.0, 500.0])), max_size=25))
def test_whatever_is_said_the_rules_hold(said: list[tuple[SaleWord, float]]) -> None:
    counter = Counter(started=False)
    latest: dict[str, tuple[SaleWord, float]] = {}
    for word, hold_s in said:
        counter.sale.tell(word)
        latest[word.source] = (word, counter.clock.monotonic_s())
        ends_s = counter.clock.monotonic_s() + hold_s
        while True:
            now_s = counter.clock.monotonic_s()
            lives = [w for w, at_s in latest.values() if w.lasts_s is None or now_s < at_s + w.lasts_s]
            state = counter.sale.state()
            if any(w.busy for w in lives):
                assert state == "yes"
            if state == "no":
                assert any(w.busy is False and w.sees == "whole" for w in lives)
            due_s = counter.sale.next_due_s()
            assert due_s is None or due_s > now_s
            if due_s is None or due_s > ends_s:
                break
            # Till then nothing changes by itself.
            counter.clock.advance((due_s - now_s) * 0.99)
            assert counter.sale.state() == state
            counter.clock.advance(due_s - counter.clock.monotonic_s())
        counter.clock.advance(max(0.0, ends_s - counter.clock.monotonic_s()))
