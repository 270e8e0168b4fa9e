"""Days of a period and what falls to them, to the won."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schedules.cadences import Anchored, Unit
from schedules.local_time import instant_of
from schedules.periods import BillingPeriod, first_start, next_start, period_starting
from schedules.plans import Plan
from schedules.proration import DaysOfPeriod, days_of, parts_by_days, unused_part, used_part

SEOUL = ZoneInfo("Asia/Seoul")
NEW_YORK = ZoneInfo("America/New_York")
ZONES = ["Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia"]
thorough = settings(max_examples=300, deadline=None, derandomize=True)


def period(starts: str, ends: str, zone: ZoneInfo = SEOUL) -> BillingPeriod:
    return BillingPeriod(*(instant_of(datetime.fromisoformat(each), zone) for each in (starts, ends)))


# --- days -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "unused"),
    [
        ("2026-01-31T10:00", 28),  # as it begins
        ("2026-01-31T23:59", 28),  # the day of the change counts as unused
        ("2026-02-01T00:00", 27),
        ("2026-02-27T23:59", 1),
        ("2026-02-28T09:59", 0),  # the last morning belongs to no day of the period
        ("2026-03-05T00:00", 0),
        ("2026-01-01T00:00", 28),
    ],
)
def test_february_of_a_month_end_anchor_has_28_days(at: str, unused: int):
    days = days_of(
        period("2026-01-31T10:00", "2026-02-28T10:00"), SEOUL, at=instant_of(datetime.fromisoformat(at), SEOUL)
    )
    assert (days.unused, days.total, days.used) == (unused, 28, 28 - unused)


def test_leap_day_is_a_day_of_its_period():
    days = days_of(period("2028-01-31T10:00", "2028-02-29T10:00"), SEOUL, at=datetime(2028, 2, 28, 15, tzinfo=UTC))
    assert (days.unused, days.total) == (0, 29)  # midnight in Seoul: it is the 29th there already


@pytest.mark.parametrize(
    ("starts", "ends", "total"),
    [
        ("2026-03-07T10:00", "2026-03-09T10:00", 2),  # 47 hours: summer time begins
        ("2026-10-31T10:00", "2026-11-02T10:00", 2),  # 49 hours: it ends
    ],
)
def test_day_of_a_clock_change_is_one_day(starts: str, ends: str, total: int):
    changing = period(starts, ends, NEW_YORK)
    assert days_of(changing, NEW_YORK, at=changing.start) == DaysOfPeriod(total, total)


def test_days_are_those_of_the_plans_zone():
    month = period("2026-01-05T10:00", "2026-02-05T10:00")
    midnight = datetime(2026, 1, 9, 15, 30, tzinfo=UTC)  # the 10th in Seoul, the 9th in New York
    assert days_of(month, SEOUL, at=midnight).unused == 26
    assert days_of(month, NEW_YORK, at=midnight).unused == 26  # of a period that began on the 4th and ends on the 4th


def test_period_within_one_day_has_no_days():
    morning = period("2026-01-05T09:00", "2026-01-05T10:00")
    assert days_of(morning, SEOUL, at=morning.start) == DaysOfPeriod(0, 0)
    assert unused_part(9900, DaysOfPeriod(0, 0)) == 0


@pytest.mark.parametrize(("unused", "total"), [(-1, 30), (31, 30), (0, -1)])
def test_impossible_days_are_refused(unused: int, total: int):
    with pytest.raises(ValueError, match="cannot be unused"):
        DaysOfPeriod(unused, total)


@thorough
@given(
    st.sampled_from(ZONES).map(ZoneInfo),
    st.builds(Anchored, st.integers(1, 3), st.sampled_from(Unit)),
    st.dates(date(2011, 11, 1), date(2032, 12, 31)),
    st.integers(0, 23),
    st.floats(0, 1),
)
def test_days_of_any_period_are_within_it(zone: ZoneInfo, cadence: Anchored, anchor_on: date, hour: int, share: float):
    plan = Plan(code="p", name="P", amount=9900, cadence=cadence, time_zone=zone, charge_hour=hour)
    start = first_start(plan, anchor_on)
    whole = period_starting(plan, anchor_on, start)
    at = whole.start + (whole.end - whole.start) * share
    days = days_of(whole, zone, at=at)
    assert 1 <= days.total == (whole.end.astimezone(zone).date() - whole.start.astimezone(zone).date()).days
    assert days == days_of(whole, zone, at=at.astimezone(NEW_YORK))
    # cut there, both parts have the days of the whole
    before, after = (days_of(BillingPeriod(*ends), zone, at=ends[0]) for ends in ((whole.start, at), (at, whole.end)))
    assert (before.total, after.total) == (days.used, days.unused)
    assert next_start(plan, anchor_on, after=whole.start) == whole.end


# --- shares ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "unused", "total", "part"),
    [
        (9900, 30, 30, 9900),
        (9900, 0, 30, 0),
        (9900, 15, 30, 4950),
        (10_000, 1, 3, 3334),  # 6,666 are used: rounded down to the won
        (10_000, 2, 3, 6667),
        (1, 1, 30, 1),
        (0, 7, 30, 0),
        (1_000_000_000, 1, 3650, 273_973),
    ],
)
def test_unused_days_have_their_part_to_the_won(amount: int, unused: int, total: int, part: int):
    assert unused_part(amount, DaysOfPeriod(unused, total)) == part


def test_negative_amount_falls_to_no_days():
    with pytest.raises(ValueError, match="0 won or more"):
        unused_part(-1, DaysOfPeriod(1, 2))


amounts = st.integers(0, 1_000_000_000)
lengths = st.lists(st.integers(0, 400), min_size=1, max_size=12).filter(any)


@thorough
@given(amounts, st.integers(1, 3650), st.data())
def test_used_and_unused_part_are_the_whole(amount: int, total: int, data: st.DataObject):
    days = DaysOfPeriod(data.draw(st.integers(0, total)), total)
    used, unused = used_part(amount, days), unused_part(amount, days)
    assert used + unused == amount
    assert 0 <= used <= amount
    assert abs(unused - amount * days.unused / total) <= 1


@thorough
@given(amounts, lengths)
def test_parts_by_days_add_up_and_none_is_negative(amount: int, stretches: list[int]):
    parts = parts_by_days(amount, stretches)
    assert sum(parts) == amount
    assert all(part >= 0 for part in parts)
    assert all(abs(part - amount * days / sum(stretches)) <= 1 for part, days in zip(parts, stretches, strict=True))


def test_no_days_have_no_parts():
    with pytest.raises(ValueError, match="no days"):
        parts_by_days(9900, [0, 0])


@thorough
@given(st.lists(amounts, min_size=2, max_size=8), st.integers(1, 366), st.data())
def test_several_changes_in_one_period_charge_each_day_once(prices: list[int], total: int, data: st.DataObject):
    """The period is changed again and again; each price is charged for its own days, within a won a change."""
    changes = sorted(data.draw(st.lists(st.integers(0, total), min_size=len(prices) - 1, max_size=len(prices) - 1)))
    value, since, charged = prices[0], 0, prices[0]  # what is paid for the days from `since` on
    for price, day in zip(prices[1:], changes, strict=True):
        returned = unused_part(value, DaysOfPeriod(total - day, total - since))
        value, since = unused_part(price, DaysOfPeriod(total - day, total)), day
        charged += value - returned
    bounds = [0, *changes, total]
    exact = sum(
        price * (until - start) / total for price, start, until in zip(prices, bounds, bounds[1:], strict=False)
    )
    assert abs(charged - exact) <= 2 * len(prices)
    assert charged >= 0


@thorough
@given(amounts, amounts, st.integers(1, 366), st.data())
def test_change_taken_back_on_the_same_day_costs_nothing(first: int, second: int, total: int, data: st.DataObject):
    days = DaysOfPeriod(data.draw(st.integers(0, total)), total)
    assume(days.unused)
    rest = DaysOfPeriod(days.unused, days.unused)
    there = unused_part(second, days) - unused_part(first, days)
    and_back = unused_part(first, days) - unused_part(unused_part(second, days), rest)
    assert there + and_back == 0


def test_days_between_two_instants_of_one_day_are_none():
    start = datetime(2026, 1, 5, 1, tzinfo=UTC)
    assert days_of(BillingPeriod(start, start + timedelta(hours=3)), SEOUL, at=start) == DaysOfPeriod(0, 0)
