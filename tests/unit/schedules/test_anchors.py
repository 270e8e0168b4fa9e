"""Anchors after a change: the 31st is not forgotten in February."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.anchors import anchor_from
from schedules.cadences import Anchored, Cadence, Cron, Unit
from schedules.wall_times import wall_times

SEOUL = ZoneInfo("Asia/Seoul")


def billing_dates(cadence: Cadence, anchor_on: date, since_on: date, count: int) -> list[date]:
    times = wall_times(cadence, anchor_on=anchor_on, charge_hour=10, since_on=since_on)
    return [wall.date() for wall in islice(times, count)]


def test_month_end_anchor_goes_on_with_the_31st_after_february():
    on = date(2027, 2, 28)
    anchor_on = anchor_from(Anchored(1, Unit.MONTH), on, day=31)
    assert billing_dates(Anchored(1, Unit.MONTH), anchor_on, on, 4) == [
        date(2027, 2, 28),
        date(2027, 3, 31),
        date(2027, 4, 30),
        date(2027, 5, 31),
    ]


def test_quarters_from_february_keep_the_31st():
    on = date(2027, 2, 28)
    anchor_on = anchor_from(Anchored(3, Unit.MONTH), on, day=31)
    assert billing_dates(Anchored(3, Unit.MONTH), anchor_on, on, 3) == [on, date(2027, 5, 31), date(2027, 8, 31)]


def test_years_from_february_come_again_to_the_leap_day():
    on = date(2027, 2, 28)
    anchor_on = anchor_from(Anchored(1, Unit.YEAR), on, day=29)
    assert billing_dates(Anchored(1, Unit.YEAR), anchor_on, on, 2) == [on, date(2028, 2, 29)]


@pytest.mark.parametrize(
    ("cadence", "on", "day"),
    [
        (Anchored(1, Unit.MONTH), date(2027, 2, 28), 15),  # it is no billing date of the 15th
        (Anchored(1, Unit.MONTH), date(2027, 3, 30), 31),  # and 30 March none of the 31st
        (Anchored(1, Unit.YEAR), date(2027, 2, 28), 31),  # a year counts from February, which never has 31 days
        (Anchored(2, Unit.WEEK), date(2027, 2, 28), 31),
        (Cron("0 9 1 * *"), date(2027, 2, 28), 31),
    ],
)
def test_day_that_does_not_fit_is_left_for_the_date_itself(cadence: Cadence, on: date, day: int):
    assert anchor_from(cadence, on, day=day) == on


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.builds(Anchored, st.integers(1, 10), st.sampled_from(Unit)),
    st.dates(date(2008, 1, 1), date(2036, 12, 31)),
    st.integers(1, 31),
)
def test_period_begins_on_the_date_whatever_the_anchor(cadence: Anchored, on: date, day: int):
    anchor_on = anchor_from(cadence, on, day=day)
    assert anchor_on <= on
    first, second = billing_dates(cadence, anchor_on, on, 2)
    assert first == on
    # the period that begins there is a whole one: never shorter than from the date itself
    whole = billing_dates(cadence, on, on + timedelta(days=1), 1)[0]
    assert second >= whole


def test_anchor_on_a_day_that_it_has_is_the_date_itself():
    on = datetime(2027, 3, 31, 10, tzinfo=SEOUL).date()
    assert anchor_from(Anchored(1, Unit.MONTH), on, day=31) == on
