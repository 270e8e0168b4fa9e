"""The days of a forecast, and its sums: whatever is charged is in each of them once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.blockers import Blocker
from worker.domain.charge_limits import Total
from worker.domain.errors import Refused
from worker.domain.forecast import MOST_AHEAD, MOST_DAYS, Coming, Days, Forecast, Mark, Place, days_from

NOW = datetime(2027, 3, 30, 15, 30, tzinfo=UTC)  # half an hour past midnight in Seoul, on the 31st
TODAY = date(2027, 3, 31)


def test_forecast_is_of_tomorrow_in_seoul():
    assert days_from(None, None, now=NOW) == Days(date(2027, 4, 1), date(2027, 4, 1))


def test_only_a_last_day_of_today_is_today_alone():
    assert days_from(None, TODAY, now=NOW) == Days(TODAY, TODAY)


def test_day_is_one_in_seoul_with_its_last_instant():
    days = Days(date(2027, 4, 1), date(2027, 4, 2))
    assert days.since == datetime(2027, 3, 31, 15, tzinfo=UTC)
    assert days.until == datetime(2027, 4, 2, 15, tzinfo=UTC) - timedelta(microseconds=1)


def test_month_before_is_cut_at_its_end():
    assert Days(date(2027, 3, 29), date(2027, 3, 31)).month_before == Days(date(2027, 2, 28), date(2027, 2, 28))


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (TODAY - timedelta(days=1), None),
        (TODAY, TODAY - timedelta(days=1)),
        (TODAY, TODAY + timedelta(days=MOST_DAYS)),
        (TODAY + timedelta(days=MOST_AHEAD + 1), None),
        (None, TODAY - timedelta(days=1)),
    ],
)
def test_days_that_no_forecast_has_are_refused(first: date | None, last: date | None):
    with pytest.raises(Refused):
        days_from(first, last, now=NOW)


def test_longest_forecast_and_the_furthest_day_are_allowed():
    assert len(days_from(TODAY, TODAY + timedelta(days=MOST_DAYS - 1), now=NOW).each()) == MOST_DAYS
    assert days_from(TODAY + timedelta(days=MOST_AHEAD), None, now=NOW).last == TODAY + timedelta(days=MOST_AHEAD)


comings = st.builds(
    Coming,
    at=st.integers(0, 48).map(lambda hours: datetime(2027, 4, 1, tzinfo=UTC) + timedelta(hours=hours)),
    plan=st.sampled_from("ab"),
    pg=st.sampled_from(("", "payco")),
    amount=st.integers(1, 10**6),
    period_start=st.just(NOW),
    subscriptions=st.lists(st.just("X"), min_size=1, max_size=3),
    marks=st.sets(st.sampled_from(Mark)),
    held=st.sampled_from((None, None, Blocker.STOP, Blocker.GATE)),
)


@given(st.lists(comings))
def test_each_charge_is_in_every_sum_once_and_what_is_held_in_none(lines: list[Coming]):
    forecast = Forecast(Days(date(2027, 4, 1), date(2027, 4, 3)), NOW)
    for each in lines:
        forecast.add(each)
    made = sum((each.total for each in lines if each.held is None), Total())
    held = sum((each.total for each in lines if each.held is not None), Total())
    assert forecast.total == made
    for compared in (forecast.by_day, forecast.by_plan, forecast.by_pg):
        assert sum((total for _, total, _ in compared), Total()) == made
    assert sum(forecast.held_by.values(), Total()) == held
    for mark in Mark:
        marked = (each.total for each in lines if each.held is None and mark in each.marks)
        assert forecast.marked.get(mark, Total()) == sum(marked, Total())


def test_day_is_compared_with_the_same_day_a_month_before():
    forecast = Forecast(Days(date(2027, 3, 30), date(2027, 3, 31)), NOW)
    forecast.before = {Place(date(2027, 2, 28), "old", "payco"): Total(2, 20)}
    assert [before for _, _, before in forecast.by_day] == [Total(2, 20), Total(2, 20)]
    assert forecast.by_plan == [("old", Total(), Total(2, 20))]
    assert forecast.total_before == Total(2, 20)
