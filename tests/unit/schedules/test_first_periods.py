"""The first period after a change: where it ends, and how many days of which period it has."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.cadences import Anchored, Cadence, Cron, Unit, parse_cadence
from schedules.first_periods import first_period, is_same_calendar
from schedules.local_time import instant_of
from schedules.periods import next_start, start_until
from schedules.plans import SEOUL, Plan

NEW_YORK = ZoneInfo("America/New_York")
MONTH = Anchored(1, Unit.MONTH)
thorough = settings(max_examples=200, deadline=None, derandomize=True)


def plan(cadence: Cadence | str = MONTH, zone: ZoneInfo = SEOUL, hour: int = 10) -> Plan:
    read = parse_cadence(cadence) if isinstance(cadence, str) else cadence
    return Plan(code="p", name="P", amount=9900, cadence=read, time_zone=zone, charge_hour=hour)


def at(text: str, zone: ZoneInfo = SEOUL) -> datetime:
    return instant_of(datetime.fromisoformat(text), zone)


@pytest.mark.parametrize(
    ("start", "ends", "unused"),
    [
        ("2026-01-20T15:23:11", "2026-02-20T10:00", 31),  # after the plan's hour on the anchor
        ("2026-01-20T08:00", "2026-02-20T10:00", 31),  # before it: no period ends on its own first day
        ("2026-02-20T10:00", "2026-03-20T10:00", 28),
    ],
)
def test_period_from_the_anchor_is_a_whole_one(start: str, ends: str, unused: int):
    first = first_period(plan(), date(2026, 1, 20), at(start))
    assert first.is_whole
    assert (first.period.start, first.period.end) == (at(start), at(ends))
    assert (first.days.unused, first.whole.end) == (unused, at(ends))


def test_period_up_to_the_1st_has_the_days_that_are_left_of_the_month():
    first = first_period(plan(), date(2026, 1, 1), at("2026-03-20T15:23:11"))
    assert (first.period.end, first.whole.start) == (at("2026-04-01T10:00"), at("2026-03-01T10:00"))
    assert (first.days.unused, first.days.total, first.is_whole) == (12, 31, False)


def test_period_of_a_cron_has_the_days_up_to_its_next_fire():
    first = first_period(plan("cron 0 9 1 */3 *"), date(2026, 2, 10), at("2026-02-10T12:00"))
    assert (first.whole.start, first.whole.end) == (at("2026-01-01T09:00"), at("2026-04-01T09:00"))
    assert (first.days.unused, first.days.total) == (50, 90)


def test_period_that_would_end_an_hour_later_runs_to_the_next_fire():
    first = first_period(plan("cron 0 9 1 * *"), date(2026, 2, 1), at("2026-02-01T08:00"))
    assert first.is_whole
    assert first.period.end == at("2026-03-01T09:00")


def test_period_of_a_month_end_anchor_begins_by_the_calendar_in_february():
    first = first_period(plan(), date(2026, 1, 31), at("2026-02-28T10:00"))
    assert (first.is_whole, first.days.total, first.period.end) == (True, 31, at("2026-03-31T10:00"))


@thorough
@given(
    st.one_of(
        st.builds(Anchored, st.integers(1, 10), st.sampled_from(Unit)),
        st.sampled_from(["0 9 1 * *", "30 2 * * *", "0 0 29 2 *", "15 23 * * 1,5"]).map(Cron),
    ),
    st.sampled_from(["Asia/Seoul", "America/New_York", "Africa/Cairo", "Pacific/Apia"]).map(ZoneInfo),
    st.integers(0, 23),
    st.dates(date(2008, 1, 1), date(2035, 12, 31)),
    st.integers(0, 4000 * 86_400),
)
def test_first_period_ends_at_a_start_and_has_a_day_at_least(
    cadence: Cadence, zone: ZoneInfo, hour: int, anchor_on: date, seconds: int
):
    terms = plan(cadence, zone, hour)
    start = datetime.combine(anchor_on, datetime.min.time(), tzinfo=zone).astimezone(UTC) + timedelta(seconds=seconds)
    first = first_period(terms, anchor_on, start)
    assert first.whole.start <= start < first.period.end == first.whole.end
    assert 1 <= first.days.unused <= first.days.total
    # its end is a start by the calendar, and at most one earlier start on its first day is passed over
    assert first.period.end in {
        (after := next_start(terms, anchor_on, after=start)),
        next_start(terms, anchor_on, after=after),
    }


@thorough
@given(
    st.one_of(
        st.builds(Anchored, st.integers(1, 10), st.sampled_from(Unit)),
        st.sampled_from(["0 9 1 * *", "30 2 * * *", "0 0 29 2 *"]).map(Cron),
    ),
    st.sampled_from(["Asia/Seoul", "America/New_York", "Africa/Cairo", "Pacific/Apia"]).map(ZoneInfo),
    st.dates(date(2008, 1, 1), date(2035, 12, 31)),
    st.integers(0, 4000 * 86_400),
)
def test_last_start_is_the_one_before_the_next(cadence: Cadence, zone: ZoneInfo, anchor_on: date, seconds: int):
    terms = plan(cadence, zone)
    instant = datetime.combine(anchor_on, datetime.min.time(), tzinfo=zone).astimezone(UTC) + timedelta(seconds=seconds)
    found = start_until(terms, anchor_on, instant)
    following = next_start(terms, anchor_on, after=instant)
    if found is None:
        assert isinstance(cadence, Anchored)
        assert following.astimezone(zone).date() >= anchor_on
    else:
        assert found <= instant < following
        assert start_until(terms, anchor_on, following) == following
        assert start_until(terms, anchor_on, following - timedelta(seconds=1)) == found


def test_nothing_begins_before_the_anchor():
    assert start_until(plan(), date(2026, 1, 20), at("2026-01-20T09:59:59")) is None
    assert start_until(plan(), date(2026, 1, 20), at("2026-01-20T10:00")) == at("2026-01-20T10:00")


def test_calendars_differ_by_cadence_zone_or_hour_and_not_by_price():
    assert is_same_calendar(plan(), Plan(code="q", name="Q", amount=100, cadence=MONTH))
    for other in (plan("year"), plan(zone=NEW_YORK), plan(hour=9)):
        assert not is_same_calendar(plan(), other)
