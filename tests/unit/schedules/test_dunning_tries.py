"""When a calendar with weekends, holidays, paydays, hours and a next period tries a charge again, and why then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.dunning import DunningKind
from schedules.dunning_days import Why
from schedules.dunning_text import parse_dunning
from schedules.dunning_tries import Declines, all_tries, next_try, not_before
from schedules.korean_holidays import holiday_on
from tests.support.dunning import full_calendars

SEOUL = ZoneInfo("Asia/Seoul")
NEW_YORK = ZoneInfo("America/New_York")
BUSINESS = "1,3,5,7; no weekends; no holidays"


def local(text: str, zone: ZoneInfo = SEOUL) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def dates(
    text: str,
    declined: str,
    *,
    kind: DunningKind | None = None,
    zone: ZoneInfo = SEOUL,
    hour: int = 10,
    next_period: str | None = None,
    tried: tuple[str, ...] = (),
) -> list[str]:
    """Return the tries as month-day and hour; the last word says why there is no further one."""
    tries = all_tries(
        parse_dunning(text),
        kind,
        local(declined, zone),
        time_zone=zone,
        charge_hour=hour,
        next_period_at=None if next_period is None else local(next_period, zone),
        tried_at=tuple(local(each, zone) for each in tried),
    )
    return [each.steps[-1].why if each.at is None else f"{each.at.astimezone(zone):%m-%d %H}" for each in tries]


@pytest.mark.parametrize(
    ("declined", "expected"),
    [
        # Seollal 2026: Monday 16 to Wednesday 18 February, after a weekend
        ("2026-02-12T10:00:03", ["02-13 10", "02-19 10", "02-20 10", "02-23 10"]),
        ("2026-02-13T10:00:03", ["02-19 10", "02-20 10", "02-23 10", "02-24 10"]),
        # Seollal 2027: Saturday 6 to Monday 8 February, and Tuesday for the Sunday
        ("2027-02-05T10:00:03", ["02-10 10", "02-11 10", "02-12 10", "02-15 10"]),
        # Chuseok 2026: Thursday 24 to Saturday 26 September; nothing for the Saturday
        ("2026-09-23T10:00:03", ["09-28 10", "09-29 10", "09-30 10", "10-01 10"]),
        # Chuseok 2027: Tuesday 14 to Thursday 16 September
        ("2027-09-13T10:00:03", ["09-17 10", "09-20 10", "09-21 10", "09-22 10"]),
        # over the month's end, with the substitute for 3 October on Monday the 5th
        ("2026-09-30T10:00:03", ["10-01 10", "10-06 10", "10-07 10", "10-08 10"]),
        # an ordinary week: nothing is moved but the weekend
        ("2026-01-06T10:00:03", ["01-07 10", "01-09 10", "01-12 10", "01-13 10"]),
    ],
)
def test_tries_keep_off_weekends_and_korean_holidays(declined, expected):
    assert dates(BUSINESS, declined) == [*expected, Why.SPENT]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,3,5,7", ["02-14 10", "02-16 10", "02-18 10", "02-20 10"]),
        ("1,3,5,7; no weekends", ["02-16 10", "02-17 10", "02-18 10", "02-20 10"]),
        ("1,3,5,7; no holidays", ["02-14 10", "02-19 10", "02-20 10", "02-21 10"]),
    ],
)
def test_each_clause_keeps_off_its_own_days_only(text, expected):
    assert dates(text, "2026-02-13T10:00:03") == [*expected, Why.SPENT]


@pytest.mark.parametrize(
    ("text", "declined", "expected"),
    [
        ("1,payday,payday", "2026-01-06T10:00:03", ["01-07 10", "01-10 10", "01-25 10"]),
        # on a payday itself: the next one
        ("payday", "2026-01-10T10:00:03", ["01-25 10"]),
        ("payday", "2026-01-26T10:00:03", ["02-10 10"]),
        # over the year's end
        ("3,payday", "2026-12-24T10:00:03", ["12-27 10", "01-10 10"]),
        # 31 is the last day of each month
        ("payday; paydays 31", "2026-01-31T10:00:03", ["02-28 10"]),
        ("payday,payday; paydays 15,30", "2028-02-16T10:00:03", ["02-29 10", "03-15 10"]),
        # the 25th of January 2026 is a Sunday, the 25th of September Chuseok
        ("payday; no weekends", "2026-01-12T10:00:03", ["01-26 10"]),
        ("payday; no weekends; no holidays", "2026-09-11T10:00:03", ["09-28 10"]),
    ],
)
def test_low_balance_is_tried_on_paydays(text, declined, expected):
    assert dates(f"5; balance {text}", declined, kind=DunningKind.BALANCE) == [*expected, Why.SPENT]


def test_kind_without_days_of_its_own_goes_by_those_of_every_decline():
    text, declined = "1,3,5; balance payday at 18-21; limit none", "2026-01-06T10:00:03"
    assert dates(text, declined) == ["01-07 10", "01-09 10", "01-11 10", Why.SPENT]
    assert dates(text, declined, kind=DunningKind.BALANCE) == ["01-10 18", Why.SPENT]
    assert dates(text, declined, kind=DunningKind.LIMIT) == [Why.SPENT]
    # words that no table knows may be final, so two tries are the most
    assert dates(text, declined, kind=DunningKind.UNMATCHED) == ["01-07 10", "01-09 10", Why.SPENT]
    own = dates("1; unmatched 2,4,6", declined, kind=DunningKind.UNMATCHED)
    assert own == ["01-08 10", "01-10 10", "01-12 10", Why.SPENT], "a merchant who writes three means three"


@pytest.mark.parametrize(
    ("hours", "hour", "expected"),
    [("9-21", 10, "01-07 10"), ("18-21", 10, "01-07 18"), ("0-6", 10, "01-07 00"), ("10", 10, "01-07 10")],
)
def test_try_falls_at_the_plans_hour_or_at_the_first_that_is_allowed(hours, hour, expected):
    assert dates(f"1 at {hours}", "2026-01-06T10:00:03", hour=hour)[0] == expected


@pytest.mark.parametrize(
    ("text", "declined", "next_period", "expected"),
    [
        # days alone are kept as they stand, as they always were
        (
            "1,3,5,7",
            "2026-01-06T10:00",
            "2026-01-09T10:00",
            ["01-07 10", "01-09 10", "01-11 10", "01-13 10", Why.SPENT],
        ),
        # the date of the next charge is no day for a try either
        ("1,3,5,7 at 9-21", "2026-01-06T10:00", "2026-01-09T10:00", ["01-07 10", Why.NEXT_PERIOD]),
        ("1,3 at 9-21", "2026-01-06T10:00", "2026-01-10T00:00", ["01-07 10", "01-09 10", Why.SPENT]),
        # moved behind it
        (BUSINESS, "2026-02-12T10:00", "2026-02-19T10:00", ["02-13 10", Why.NEXT_PERIOD]),
        ("1 at 9-21", "2026-01-06T10:00", "2026-01-07T10:00", [Why.NEXT_PERIOD]),
    ],
)
def test_calendar_ends_before_the_next_periods_charge(text, declined, next_period, expected):
    assert dates(text, declined, next_period=next_period) == expected


def test_key_has_so_many_tries_a_month():
    # the decline itself is one
    tries = dates("1,3,5,7; tries 3 a month", "2026-01-06T10:00:03")
    assert tries == ["01-07 10", "01-09 10", "02-01 10", "02-02 10", Why.SPENT]
    # and so are those of its other charges in that month, by Seoul's calendar
    others = ("2026-01-02T10:00", "2025-12-31T23:59")
    assert dates("1,3; tries 3 a month", "2026-01-06T10:00:03", tried=others) == ["01-07 10", "02-01 10", Why.SPENT]
    # the first of March is a holiday, and its substitute the Monday after
    month = dates("1,3; tries 1 a month; no weekends; no holidays", "2026-02-10T10:00:03")
    assert month == ["03-03 10", "04-01 10", Why.SPENT]


def test_days_are_those_of_the_plans_zone_and_holidays_are_koreas():
    # 16 February is a holiday wherever the plan is; the 1st of November has 25 hours
    assert dates("1; no holidays", "2026-02-15T20:00", zone=NEW_YORK)[0] == "02-19 10"
    assert dates("1,2 at 9-21", "2026-10-31T20:00", zone=NEW_YORK)[:2] == ["11-01 10", "11-02 10"]
    assert dates("1 at 2-4", "2026-03-07T20:00", zone=NEW_YORK)[0] == "03-08 03", "no clock shows two o'clock there"


def test_try_that_comes_late_moves_to_the_next_day_that_is_allowed():
    declined = local("2026-02-12T10:00:03")
    late = Declines(  # the second decline, by a worker that was away: on the Sunday before Seollal
        first_declined_at=declined,
        declines=2,
        now=local("2026-02-15T22:00"),
        time_zone=SEOUL,
        charge_hour=10,
    )
    plain = next_try(parse_dunning("1,2,7"), None, late)
    assert plain.at == local("2026-02-16T10:00")
    kept_off = next_try(parse_dunning("1,2,7; no holidays"), None, late)
    assert kept_off.at == local("2026-02-19T10:00")
    assert [step.why for step in kept_off.steps] == [Why.DAY, Why.AFTER_TRY, Why.HOLIDAY]
    assert kept_off.steps[-1].detail == "The day preceding Korean New Year"


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("1", "2026-02-14T03:00", "2026-02-14T03:00"),
        ("1 at 9-21", "2026-02-14T12:34", "2026-02-14T12:34"),
        ("1 at 9-21", "2026-02-14T20:59", "2026-02-14T20:59"),
        ("1 at 9-21", "2026-02-14T21:00", "2026-02-15T10:00"),
        ("1 at 9-21", "2026-02-14T03:00", "2026-02-14T10:00"),
        ("1 at 12-13", "2026-02-14T03:00", "2026-02-14T12:00"),
        ("1; no weekends; no holidays", "2026-02-14T12:34", "2026-02-19T10:00"),
        ("1; no weekends", "2026-02-13T23:50", "2026-02-13T23:50"),
    ],
)
def test_what_was_put_off_keeps_to_hours_and_days(text, at, expected):
    put_off = not_before(parse_dunning(text), None, local(at), time_zone=SEOUL, charge_hour=10)
    assert put_off == local(expected)


@given(
    calendar=full_calendars(),
    kind=st.none() | st.sampled_from(DunningKind),
    declined_at=st.datetimes(datetime(2026, 1, 1), datetime(2036, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
    zone=st.sampled_from([SEOUL, NEW_YORK]),
    hour=st.integers(4, 23),
    period=st.none() | st.integers(1, 60),
    late=st.timedeltas(timedelta(0), timedelta(days=3)),
)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_every_try_is_where_its_calendar_lets_it_be(calendar, kind, declined_at, zone, hour, period, late):
    rule = calendar.rule_of(kind)
    next_period_at = None if period is None else declined_at + timedelta(days=period)
    tries: list[datetime] = []
    now = declined_at
    while True:
        facts = Declines(
            first_declined_at=declined_at,
            declines=len(tries) + 1,
            now=now,
            time_zone=zone,
            charge_hour=hour,
            next_period_at=next_period_at,
            tried_at=(declined_at, *tries),
        )
        following = next_try(calendar, kind, facts)
        if following.at is None:
            break
        assert following.at > now, "after the decline that it follows"
        tries.append(following.at)
        now = following.at + late
    assert following.steps[-1].why in {Why.SPENT, Why.NEXT_PERIOD}
    assert len(tries) <= rule.tries
    assert all(earlier < later for earlier, later in pairwise([declined_at, *tries]))
    for at in tries:
        there = at.astimezone(zone)
        assert there.hour in rule.hours if rule.hours else there.hour == hour
        assert calendar.weekends or there.weekday() < 5
        assert calendar.holidays or holiday_on(there.date()) is None
        assert calendar.is_plain or next_period_at is None or there.date() < next_period_at.astimezone(zone).date()
    if calendar.tries_a_month is not None:
        months = [f"{at.astimezone(SEOUL):%Y-%m}" for at in [declined_at, *tries]]
        assert all(months.count(month) <= max(calendar.tries_a_month, 1) for month in months)
