"""Opening hours: from what the configuration says to open or closed at a moment. Pure.

    Mo-Fr 08:00-20:00; Sa 10:00-14:00,16:00-02:00; Su off

Rules stand between semicolons: days (single, lists, ranges; `Fr-Mo` wraps), then spans, `off` or
`closed`. A later rule replaces what an earlier one said of a day. A span that ends before it starts
goes on into the next day; `24:00` is the day's end. `24/7` is always open. A holiday, `2026-12-25`
or each year's `12-25`, is closed, or has the spans written behind it, and replaces its date's
hours; a span of the evening before still runs out.

Times are what the clock on the wall shows. One that occurs twice is the first, and one that does not
occur is read with the offset before the gap, as iCalendar does it (RFC 5545, section 3.3.5). Seconds
are those of `Clock.wall_s`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path

from drivers.api import Clock

SEARCHED_DAYS = (9, 370)
"""How far a change is looked for, both ways: a week first, then a year and its holidays."""

KNOWN_S = 86_400.0
"""How long one search is good for at most: what lies beyond a year comes nearer."""

LATE_S = 0.01
"""A change of the wall's clock is waited for on the other one, so that it is surely past then."""

DAY_MIN = 24 * 60
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")

Spans = tuple[tuple[int, int], ...]
"""From and to, in minutes from the day's beginning; beyond 1440 lies in the next day."""

HOURS_FORM = 'expected hours as in "Mo-Fr 08:00-20:00; Sa 10:00-14:00,16:00-02:00; Su off"'
HOLIDAY_FORM = 'expected a holiday as in "2026-12-25", "12-25" or "2026-12-24 08:00-14:00"'

_ALWAYS = "24/7"
_CLOSED = ("off", "closed")
_WHOLE_DAY: Spans = ((0, DAY_MIN),)
_MARGIN = timedelta(days=2)  #: a span reaches into the next day, and a change of the offset adds to it
_SPAN = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)")
_DATE = re.compile(r"(?:(?P<year>\d{4})-)?(?P<month>\d\d)-(?P<day>\d\d)")
_LEAP_YEAR = 2024  #: each year's 02-29 is a date too


@dataclass(frozen=True, slots=True)
class Holiday:
    """The hours of one date, or of that date in each year (`year` None)."""

    year: int | None
    month: int
    day: int
    spans: Spans


@dataclass(frozen=True, slots=True)
class Stretch:
    """Open or closed without a break; None: for longer than was searched, or always."""

    open: bool
    begins_s: float | None
    ends_s: float | None


class Hours:
    """The hours of one shop: seven days' spans from Monday, and what differs from them.

    `zone` None is the system's time zone. One thread uses it: it remembers what it found last.
    """

    def __init__(
        self, week: Sequence[Spans], holidays: Iterable[Holiday] = (), zone: tzinfo | None = None
    ) -> None:
        self._week = tuple(week)
        self._dates = {(holiday.year, holiday.month, holiday.day): holiday.spans for holiday in holidays}
        self._zone = zone
        self._found = Stretch(open=False, begins_s=None, ends_s=None)
        self._found_for_s = (0.0, 0.0)

    def open_at(self, wall_s: float) -> bool:
        return self.stretch(wall_s).open

    def next_change_s(self, wall_s: float) -> float | None:
        """When it opens or closes next."""
        return self.stretch(wall_s).ends_s

    def due_s(self, clock: Clock) -> float | None:
        """When it opens or closes next, on the monotonic clock."""
        wall_s = clock.wall_s()
        change_s = self.next_change_s(wall_s)
        return None if change_s is None else clock.monotonic_s() + (change_s - wall_s) + LATE_S

    def stretch(self, wall_s: float) -> Stretch:
        """What is the case at this moment, since when and until when."""
        from_s, to_s = self._found_for_s
        if not from_s <= wall_s < to_s:
            found = self._found = self._find(wall_s)
            from_s = wall_s if found.begins_s is None else found.begins_s
            to_s = wall_s + KNOWN_S
            self._found_for_s = (from_s, to_s if found.ends_s is None else min(to_s, found.ends_s))
        return self._found

    def _find(self, wall_s: float) -> Stretch:
        today = datetime.fromtimestamp(wall_s, self._zone).date()
        for days in SEARCHED_DAYS:
            first, last = today - timedelta(days), today + timedelta(days)
            found = self._within(wall_s, first, last)
            if found.begins_s is not None and found.ends_s is not None:
                break
        return found

    def _within(self, wall_s: float, first: date, last: date) -> Stretch:
        begins_s: float | None = None
        for start_s, end_s in self._joined(first, last):
            if wall_s < start_s:
                return Stretch(open=False, begins_s=begins_s, ends_s=start_s)
            if wall_s < end_s:
                # What reaches the edge of the search may have begun before it, or go on behind it.
                cut = start_s < self._at(first + _MARGIN, 0), end_s > self._at(last, 0)
                return Stretch(
                    open=True, begins_s=None if cut[0] else start_s, ends_s=None if cut[1] else end_s
                )
            begins_s = end_s
        return Stretch(open=False, begins_s=begins_s, ends_s=None)

    def _joined(self, first: date, last: date) -> Iterator[tuple[float, float]]:
        """The open stretches of these days in order, those that touch made one."""
        begun: tuple[float, float] | None = None
        for start_s, end_s in sorted(self._spans(first, last)):
            if begun is None or start_s > begun[1]:
                if begun is not None:
                    yield begun
                begun = start_s, end_s
            else:
                begun = begun[0], max(begun[1], end_s)
        if begun is not None:
            yield begun

    def _spans(self, first: date, last: date) -> Iterator[tuple[float, float]]:
        for number in range(first.toordinal(), last.toordinal() + 1):
            day = date.fromordinal(number)
            yearly = self._dates.get((None, day.month, day.day), self._week[day.weekday()])
            for start, end in self._dates.get((day.year, day.month, day.day), yearly):
                start_s, end_s = self._at(day, start), self._at(day, end)
                if start_s < end_s:  # one that lies about a gap may have no length
                    yield start_s, end_s

    def _at(self, day: date, minutes: int) -> float:
        days, minutes = divmod(minutes, DAY_MIN)
        clock = time(*divmod(minutes, 60), tzinfo=self._zone)
        return datetime.combine(day + timedelta(days), clock).timestamp()


def hours(text: str, holidays: Iterable[str] = (), timezone: str = "") -> Hours:
    """The hours that three keys of the configuration tell; ValueError says what is wrong with one."""
    return Hours(read_week(text), [read_holiday(each) for each in holidays], read_zone(timezone))


def read_week(text: str) -> tuple[Spans, ...]:
    """Seven days' spans, from Monday; a day that is not named is closed."""
    if text.strip() == _ALWAYS:
        return (_WHOLE_DAY,) * len(DAYS)
    week: list[Spans] = [()] * len(DAYS)
    for rule in text.rstrip("; ").split(";"):
        days, _, spans = rule.strip().partition(" ")
        try:
            for day in _read_days(days):
                week[day] = _read_spans(spans)
        except ValueError as wrong:
            raise _refused(HOURS_FORM, rule.strip(), wrong) from None
    return tuple(week)


def read_holiday(text: str) -> Holiday:
    """`2026-12-25` or each year's `12-25`; closed, or with the hours of that date behind it."""
    said, _, spans = text.strip().partition(" ")
    try:
        form = _DATE.fullmatch(said)
        if form is None:
            raise ValueError
        year = None if form["year"] is None else int(form["year"])
        day = date(_LEAP_YEAR if year is None else year, int(form["month"]), int(form["day"]))
        return Holiday(year, day.month, day.day, _read_spans(spans) if spans else ())
    except ValueError as wrong:
        raise _refused(HOLIDAY_FORM, text, wrong) from None


def read_zone(name: str) -> tzinfo | None:
    """The IANA time zone of that name; None for the system's, where it is empty."""
    if not name:
        return None
    import zoneinfo  # noqa: PLC0415 - costs memory, and few terminals name a zone that is not the system's

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        if not any(Path(folder).is_dir() for folder in zoneinfo.TZPATH):
            raise ValueError("no time zones are installed here; apt-get install tzdata") from None
        raise ValueError(f'there is no time zone "{name}"; expected one as in Europe/Berlin') from None


def _read_days(text: str) -> Iterator[int]:
    """Monday is 0; a range that ends before it begins goes over Sunday."""
    for part in text.split(","):
        first, to, last = part.partition("-")
        if first not in DAYS or (to and last not in DAYS):
            raise ValueError
        begin = DAYS.index(first)
        length = (DAYS.index(last) - begin) % len(DAYS) if to else 0
        yield from ((begin + step) % len(DAYS) for step in range(length + 1))


def _read_spans(text: str) -> Spans:
    said = text.strip()
    return () if said in _CLOSED else tuple(_read_span(span.strip()) for span in said.split(","))


def _read_span(text: str) -> tuple[int, int]:
    form = _SPAN.fullmatch(text)
    if form is None:
        raise ValueError
    start_h, start_min, end_h, end_min = map(int, form.groups())
    start, end = start_h * 60 + start_min, end_h * 60 + end_min
    if max(start_min, end_min) > 59 or start >= DAY_MIN or end > DAY_MIN:
        raise ValueError(f"there is no {text} on a clock")
    if start == end:
        raise ValueError(f"{text} has no length; a whole day is 00:00-24:00")
    return start, end if start < end else end + DAY_MIN


def _refused(form: str, said: str, why: ValueError) -> ValueError:
    return ValueError(f'{form}, not "{said}"{f": {why}" if str(why) else ""}')
