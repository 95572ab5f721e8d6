"""Opening hours: what is written, what it means on the wall's clock, and the nights when it is changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.diagnosis import hours as hours_module
from agent.diagnosis.hours import DAYS, Hours, hours, read_holiday, read_week, read_zone

BERLIN = "Europe/Berlin"
ZONES = (BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")


def at(local: str, zone: str = BERLIN, *, second_time: bool = False) -> float:
    """Wall seconds of what that zone's clocks show."""
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=second_time).timestamp()


def shown(wall_s: float | None, zone: str = BERLIN) -> str | None:
    return None if wall_s is None else f"{datetime.fromtimestamp(wall_s, ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def opened(shop: Hours, *moments: str) -> list[bool]:
    return [shop.open_at(at(moment)) for moment in moments]


def test_days_and_spans() -> None:
    shop = hours("Mo-Fr 08:00-20:00; Sa 10:00-14:00,16:00-02:00; Su off", (), BERLIN)
    # 2026-11-23 is a Monday.
    assert opened(shop, "2026-11-23 07:59:59", "2026-11-23 08:00") == [False, True]
    assert opened(shop, "2026-11-23 19:59:59", "2026-11-23 20:00") == [True, False]
    assert opened(shop, "2026-11-28 13:59", "2026-11-28 15:00", "2026-11-28 23:59") == [True, False, True]
    assert opened(shop, "2026-11-29 01:59", "2026-11-29 02:00", "2026-11-29 12:00") == [True, False, False]
    assert shown(shop.next_change_s(at("2026-11-28 16:00"))) == "2026-11-29 02:00"
    assert shown(shop.next_change_s(at("2026-11-29 02:00"))) == "2026-11-30 08:00"
    stretch = shop.stretch(at("2026-11-29 01:00"))
    assert (shown(stretch.begins_s), stretch.open) == ("2026-11-28 16:00", True)
    closed = shop.stretch(at("2026-11-29 12:00"))
    assert (shown(closed.begins_s), closed.open) == ("2026-11-29 02:00", False)


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("Fr-Mo 08:00-09:00", "Mo Fr Sa Su"),
        ("Mo,We-Th,Su 08:00-09:00", "Mo We Th Su"),
        ("Mo-Su 08:00-09:00; We,Fr closed", "Mo Tu Th Sa Su"),
        ("Tu-Tu 08:00-09:00", "Tu"),
        (" Sa   08:00-09:00 , 10:00-11:00 ;Su off", "Sa"),
        ("Mo 8:00-9:00; ", "Mo"),
    ],
)
def test_which_days(said: str, days: str) -> None:
    assert [day for day, spans in zip(DAYS, read_week(said), strict=True) if spans] == days.split()


def test_always_open() -> None:
    for said in ("24/7", "Mo-Su 00:00-24:00", "Mo-Su 12:00-06:00,06:00-12:00"):
        shop = hours(said, (), BERLIN)
        assert shop.open_at(at("2026-11-29 03:00"))
        assert shop.next_change_s(at("2026-11-29 03:00")) is None
        assert shop.stretch(at("2026-11-29 03:00")).begins_s is None


def test_never_open_and_closed_for_years() -> None:
    shop = hours("Mo off", (), BERLIN)
    assert not shop.open_at(at("2026-11-29 03:00"))
    assert shop.next_change_s(at("2026-11-29 03:00")) is None


def test_spans_that_touch_are_one() -> None:
    shop = hours("Fr 20:00-24:00; Sa 00:00-03:00,02:00-04:00", (), BERLIN)
    assert shown(shop.next_change_s(at("2026-11-27 21:00"))) == "2026-11-28 04:00"


def test_a_holiday_replaces_its_date_and_the_evening_before_runs_out() -> None:
    holidays = ("2026-12-25", "2026-12-24 08:00-14:00", "12-31 off", "2027-12-31 10:00-11:00", "02-29")
    shop = hours("Mo-Su 18:00-02:00", holidays, BERLIN)
    assert opened(shop, "2026-12-24 01:00", "2026-12-24 13:59", "2026-12-24 14:00", "2026-12-24 19:00") == [
        True, True, False, False,
    ]  # fmt: skip
    assert shown(shop.next_change_s(at("2026-12-24 14:00"))) == "2026-12-26 18:00"
    assert opened(shop, "2026-12-31 01:00", "2026-12-31 19:00", "2027-01-01 01:00") == [True, False, False]
    assert opened(shop, "2027-12-31 10:30", "2027-12-31 19:00", "2028-02-29 19:00") == [True, False, False]


def test_a_year_of_holidays_is_searched_and_what_lies_beyond_becomes_current() -> None:
    shop = hours("24/7", ("2028-12-25",), BERLIN)
    assert shop.next_change_s(at("2026-11-29 03:00")) is None
    assert shown(shop.next_change_s(at("2028-02-01 03:00"))) == "2028-12-25 00:00"
    assert shop.stretch(at("2028-12-24 03:00")).begins_s is None


def test_the_night_of_the_long_hour() -> None:
    # 2026-10-25 is a Sunday: at 03:00 clocks in Berlin go back to 02:00.
    shop = hours("Sa 20:00-02:30; Su 02:15-02:45", (), BERLIN)
    assert shown(shop.next_change_s(at("2026-10-24 21:00"))) == "2026-10-25 02:45"
    assert shop.next_change_s(at("2026-10-24 21:00")) == at("2026-10-25 02:45")
    assert not shop.open_at(at("2026-10-25 02:20", second_time=True))
    late = hours("Sa 20:00-04:00", (), BERLIN)
    end_s = late.next_change_s(at("2026-10-24 21:00"))
    assert end_s == at("2026-10-24 20:00") + 9 * 3600, "an hour more than by the clock"


def test_the_night_of_the_short_hour() -> None:
    # 2026-03-29: at 02:00 clocks in Berlin go forward to 03:00.
    shop = hours("Sa 20:00-02:30", (), BERLIN)
    assert shown(shop.next_change_s(at("2026-03-28 21:00"))) == "2026-03-29 03:30"
    assert (
        shown(hours("Su 02:30-10:00", (), BERLIN).next_change_s(at("2026-03-29 00:00"))) == "2026-03-29 03:30"
    )
    none = hours("Su 02:30-03:15; Mo 08:00-09:00", (), BERLIN)
    assert shown(none.next_change_s(at("2026-03-29 00:00"))) == "2026-03-30 08:00"


@pytest.fixture
def _in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_new_york")
def test_without_a_time_zone_it_is_the_systems() -> None:
    ours, named = hours("Mo-Su 02:30-05:00"), hours("Mo-Su 02:30-05:00", (), "America/New_York")
    # 2026-03-08 and 2026-11-01 are the nights of the change there.
    for day in ("2026-03-07", "2026-11-01", "2026-07-01"):
        wall_s = at(f"{day} 06:00", "America/New_York")
        assert ours.stretch(wall_s) == named.stretch(wall_s)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", 'not ""'),
        ("Mon 08:00-20:00", 'not "Mon 08:00-20:00"'),
        ("Mo-Fr", 'not "Mo-Fr"'),
        ("Mo- 08:00-20:00", 'not "Mo- 08:00-20:00"'),
        ("Mo 08:00-25:00", "there is no 08:00-25:00 on a clock"),
        ("Mo 24:00-25:00", "there is no 24:00-25:00 on a clock"),
        ("Mo 08:60-09:00", "there is no 08:60-09:00 on a clock"),
        ("Mo 08:00-24:01", "there is no 08:00-24:01 on a clock"),
        ("Mo 08:00-08:00", "08:00-08:00 has no length; a whole day is 00:00-24:00"),
        ("Mo 08:00-09:00,", 'not "Mo 08:00-09:00,"'),
    ],
)
def test_what_are_no_hours(said: str, why: str) -> None:
    with pytest.raises(ValueError, match="expected hours as in") as wrong:
        read_week(said)
    assert str(wrong.value).endswith(why)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Christmas", 'not "Christmas"'),
        ("25.12.", 'not "25.12."'),
        ("2026-02-29", "day is out of range for month"),
        ("13-01", "month must be in 1..12"),
        ("12-24 08-14", 'not "12-24 08-14"'),
        ("0000-01-01", 'not "0000-01-01": year 0 is out of range'),
    ],
)
def test_what_is_no_holiday(said: str, why: str) -> None:
    with pytest.raises(ValueError, match="expected a holiday as in") as wrong:
        read_holiday(said)
    assert str(wrong.value).endswith(why)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "Europe", "/etc/localtime"])
def test_what_is_no_time_zone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        read_zone(name)
    monkeypatch.setattr(hours_module, "Path", _nowhere)
    with pytest.raises(ValueError, match="apt-get install tzdata"):
        read_zone(name)


def _nowhere(_folder: str) -> object:
    class Nowhere:
        def is_dir(self) -> bool:
            return False

    return Nowhere()


# Against brute force

MINUTES = st.integers(0, 24 * 4 - 1).map(lambda quarter: quarter * 15)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


SPANS = st.tuples(MINUTES, MINUTES).filter(lambda span: span[0] != span[1])
RULES = st.builds(
    lambda days, spans: f"{days} " + ",".join(f"{_clock(a)}-{_clock(b)}" for a, b in spans),
    st.sampled_from([*DAYS, "Mo-Fr", "Sa-Mo", "We,Sa", "Mo-Su"]),
    st.lists(SPANS, min_size=1, max_size=2),
)
CHANGES = {
    BERLIN: ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),  # half an hour
    "Asia/Kathmandu": ("2026-05-01", "2026-05-02"),
    "UTC": ("2026-05-01", "2026-12-31"),
}


class BruteForce:
    """Each span of each day from its first moment to its last, counted in real seconds."""

    def __init__(self, week: str, zone: ZoneInfo) -> None:
        self._week = read_week(week)
        self._zone = zone
        self._ends_s: dict[date, list[tuple[float, float]]] = {}

    def open_at(self, wall_s: float) -> bool:
        today = datetime.fromtimestamp(wall_s, self._zone).date()
        around = [today - timedelta(days=back) for back in range(-1, 3)]
        return any(from_s <= wall_s < to_s for day in around for from_s, to_s in self._spans(day))

    def _spans(self, day: date) -> list[tuple[float, float]]:
        if day not in self._ends_s:
            spans = self._week[day.weekday()]
            self._ends_s[day] = [(self._at(day, start), self._at(day, end)) for start, end in spans]
        return self._ends_s[day]

    def _at(self, day: date, minutes: int) -> float:
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the wall's clock has no zone
        return (midnight + timedelta(minutes=minutes)).replace(tzinfo=self._zone).timestamp()


@settings(deadline=None, max_examples=60)
@given(
    rules=st.lists(RULES, min_size=1, max_size=3),
    zone=st.sampled_from(ZONES),
    near=st.booleans(),
    which=st.integers(0, 1),
    into_s=st.integers(-3 * 86_400, 3 * 86_400),
)
def test_open_and_its_next_change_by_brute_force(
    rules: list[str], zone: str, near: bool, which: int, into_s: int
) -> None:
    week = "; ".join(rules)
    shop = hours(week, (), zone)
    day = CHANGES[zone][which] if near else "2027-06-15"
    wall_s = at(f"{day} 02:30", zone) + into_s
    expected = BruteForce(week, ZoneInfo(zone))
    assert shop.open_at(wall_s) is expected.open_at(wall_s)
    next_s = shop.next_change_s(wall_s)
    step_s = 300
    for look_s in range(int(wall_s), int(wall_s) + 2 * 86_400, step_s):
        if next_s is None or look_s < next_s:
            assert expected.open_at(look_s) is shop.open_at(wall_s)
            continue
        # A neighbour that opens within the step may hide the change from so coarse a look.
        assert shop.open_at(next_s) is not shop.open_at(wall_s)
        assert shop.stretch(next_s).begins_s == next_s
        assert shop.open_at(next_s - 1) is shop.open_at(wall_s)
        break


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_every_change_of_three_years_is_where_brute_force_finds_it(zone: str) -> None:
    week = "Mo-Fr 08:00-20:00; Fr 18:00-02:30; Sa 01:45-03:15,22:00-02:15; Su 02:30-02:45"
    shop, expected = hours(week, (), zone), BruteForce(week, ZoneInfo(zone))
    wall_s = at("2026-01-01 00:00", zone)
    ends_s = wall_s + 3 * 366 * 86_400
    while wall_s < ends_s:
        next_s = shop.next_change_s(wall_s)
        assert next_s is not None
        moments = [wall_s, (wall_s + next_s) / 2, next_s - 0.001]
        said = {expected.open_at(moment) for moment in moments}
        assert said == {shop.open_at(wall_s)}
        assert expected.open_at(next_s) not in said
        wall_s = next_s
