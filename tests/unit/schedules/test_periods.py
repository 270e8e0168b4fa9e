"""Periods, date by date: month ends, leap years, changes of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Self
from zoneinfo import ZoneInfo

import pytest

from schedules.cadences import parse_cadence
from schedules.periods import BillingPeriod, first_start, next_start, period_starting
from schedules.plans import Plan


def plan(cadence: str, *, zone: str = "Asia/Seoul", hour: int = 10) -> Plan:
    return Plan(
        code="gold",
        name="골드 멤버십",
        amount=9900,
        cadence=parse_cadence(cadence),
        time_zone=ZoneInfo(zone),
        charge_hour=hour,
    )


def starts(plan: Plan, anchor_on: date, count: int) -> list[str]:
    """Return the local times of a subscription's starts, from the first one on."""
    start = first_start(plan, anchor_on)
    shown = []
    for _ in range(count):
        assert start.tzinfo is UTC
        shown.append(start.astimezone(plan.time_zone).strftime("%Y-%m-%d %H:%M"))
        start = next_start(plan, anchor_on, start)
    return shown


@pytest.mark.parametrize(
    ("cadence", "anchor_on", "expected"),
    [
        ("day", "2026-02-27", ["2026-02-27", "2026-02-28", "2026-03-01"]),
        ("week", "2026-12-28", ["2026-12-28", "2027-01-04", "2027-01-11"]),
        ("2 weeks", "2024-02-20", ["2024-02-20", "2024-03-05", "2024-03-19"]),
        ("month", "2026-01-15", ["2026-01-15", "2026-02-15", "2026-03-15"]),
        # the month's end comes back after a short month
        ("month", "2026-01-31", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("month", "2024-01-31", ["2024-01-31", "2024-02-29", "2024-03-31"]),
        ("month", "2026-01-30", ["2026-01-30", "2026-02-28", "2026-03-30"]),
        ("month", "2026-01-29", ["2026-01-29", "2026-02-28", "2026-03-29"]),
        ("month", "2024-01-29", ["2024-01-29", "2024-02-29", "2024-03-29"]),
        # but an anchor on the last day of a short month is that day, not "the last"
        ("month", "2026-02-28", ["2026-02-28", "2026-03-28", "2026-04-28"]),
        ("3 months", "2025-11-30", ["2025-11-30", "2026-02-28", "2026-05-30", "2026-08-30", "2026-11-30"]),
        ("5 months", "2025-10-31", ["2025-10-31", "2026-03-31", "2026-08-31", "2027-01-31", "2027-06-30"]),
        ("year", "2024-02-29", ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        ("year", "2096-02-29", ["2096-02-29", "2097-02-28", "2098-02-28", "2099-02-28", "2100-02-28"]),  # no leap year
        ("2 years", "2024-02-29", ["2024-02-29", "2026-02-28", "2028-02-29"]),
    ],
)
def test_anchored_periods_are_counted_from_the_anchor(cadence, anchor_on, expected):
    found = starts(plan(cadence), date.fromisoformat(anchor_on), len(expected))
    assert found == [f"{on} 10:00" for on in expected]


@pytest.mark.parametrize(
    ("cron", "anchor_on", "expected"),
    [
        ("0 9 1 * *", "2026-01-01", ["2026-01-01 09:00", "2026-02-01 09:00"]),
        ("0 9 1 * *", "2026-01-02", ["2026-02-01 09:00", "2026-03-01 09:00"]),
        ("0 0 * * *", "2026-01-31", ["2026-01-31 00:00", "2026-02-01 00:00"]),  # a fire at midnight counts
        ("30 9 L * *", "2026-01-31", ["2026-01-31 09:30", "2026-02-28 09:30", "2026-03-31 09:30"]),
        ("0 9 31 * *", "2026-01-31", ["2026-01-31 09:00", "2026-03-31 09:00", "2026-05-31 09:00"]),  # as cron has it
        ("0 9 * * MON", "2026-01-31", ["2026-02-02 09:00", "2026-02-09 09:00"]),
        ("0 9 * * FRI#2", "2026-01-10", ["2026-02-13 09:00", "2026-03-13 09:00"]),
        ("0 9 29 2 *", "2096-02-29", ["2096-02-29 09:00", "2104-02-29 09:00"]),  # 2100 is no leap year
        ("0 9 1 10 MON#1", "2018-10-02", ["2019-10-07 09:00", "2020-10-05 09:00"]),  # not only where it is the 1st
        ("0 9 1 * MON", "2026-01-31", ["2026-02-01 09:00", "2026-02-02 09:00", "2026-02-09 09:00"]),  # either
    ],
)
def test_cron_periods_start_when_the_expression_fires(cron, anchor_on, expected):
    assert starts(plan(f"cron {cron}"), date.fromisoformat(anchor_on), len(expected)) == expected


@pytest.mark.parametrize(
    ("cadence", "zone", "hour", "anchor_on", "expected"),
    [
        # clocks go forward over the charge hour: the first instant after the jump
        ("day", "America/New_York", 2, "2026-03-07", ["2026-03-07 02:00", "2026-03-08 03:00", "2026-03-09 02:00"]),
        ("cron 30 2 * * *", "America/New_York", 0, "2026-03-08", ["2026-03-08 03:00", "2026-03-09 02:30"]),
        # clocks go back: the hour comes twice, the charge once
        ("day", "America/New_York", 1, "2026-10-31", ["2026-10-31 01:00", "2026-11-01 01:00", "2026-11-02 01:00"]),
        ("cron 30 1 * * *", "America/New_York", 0, "2026-11-01", ["2026-11-01 01:30", "2026-11-02 01:30"]),
        # half an hour
        ("cron 45 1 * * *", "Australia/Lord_Howe", 0, "2026-04-05", ["2026-04-05 01:45", "2026-04-06 01:45"]),
        ("cron 15 2 * * *", "Australia/Lord_Howe", 0, "2026-10-04", ["2026-10-04 02:30", "2026-10-05 02:15"]),
        # midnight itself is left out
        ("day", "Africa/Cairo", 0, "2026-04-23", ["2026-04-23 00:00", "2026-04-24 01:00", "2026-04-25 00:00"]),
        # 30 December 2011 did not exist: a month's charge is made at the next midnight, a day's is not made twice
        ("month", "Pacific/Apia", 10, "2011-11-30", ["2011-11-30 10:00", "2011-12-31 00:00", "2012-01-30 10:00"]),
        ("day", "Pacific/Apia", 10, "2011-12-29", ["2011-12-29 10:00", "2011-12-31 00:00", "2012-01-01 10:00"]),
        ("day", "Pacific/Apia", 0, "2011-12-29", ["2011-12-29 00:00", "2011-12-31 00:00", "2012-01-01 00:00"]),
        (
            "cron 0 9 * * *",
            "Pacific/Apia",
            0,
            "2011-12-29",
            ["2011-12-29 09:00", "2011-12-31 00:00", "2012-01-01 09:00"],
        ),
        ("month", "Pacific/Apia", 10, "2011-12-31", ["2011-12-31 10:00", "2012-01-31 10:00"]),
    ],
)
def test_local_date_has_one_start_when_clocks_change(cadence, zone, hour, anchor_on, expected):
    found = starts(plan(cadence, zone=zone, hour=hour), date.fromisoformat(anchor_on), len(expected))
    assert found == expected


def test_next_start_is_strictly_later():
    monthly = plan("month")
    on_time = datetime(2026, 1, 31, 1, tzinfo=UTC)
    assert next_start(monthly, date(2026, 1, 31), on_time - timedelta(microseconds=1)) == on_time
    assert next_start(monthly, date(2026, 1, 31), on_time) == datetime(2026, 2, 28, 1, tzinfo=UTC)


def test_next_start_before_the_anchor_is_the_first():
    for cadence in ("day", "month", "cron 0 9 1 * *"):
        long_ago = datetime(1999, 12, 31, tzinfo=UTC)
        assert next_start(plan(cadence), date(2026, 1, 31), long_ago) == first_start(plan(cadence), date(2026, 1, 31))


def test_period_ends_where_the_next_starts():
    period = period_starting(plan("month"), date(2026, 1, 31), datetime(2026, 2, 28, 1, tzinfo=UTC))
    assert period == BillingPeriod(datetime(2026, 2, 28, 1, tzinfo=UTC), datetime(2026, 3, 31, 1, tzinfo=UTC))


def test_start_in_another_zone_is_the_same_instant_in_utc():
    in_seoul = datetime(2026, 2, 28, 10, tzinfo=ZoneInfo("Asia/Seoul"))
    assert period_starting(plan("month"), date(2026, 1, 31), in_seoul).start.tzinfo is UTC


def test_first_period_after_a_plan_change_ends_on_the_new_plans_next_date():
    old_date = datetime(2026, 2, 10, 1, tzinfo=UTC)
    assert period_starting(plan("month"), date(2026, 1, 31), old_date).end == datetime(2026, 2, 28, 1, tzinfo=UTC)


def test_far_start_is_found_without_iterating():
    # Walking day by day over eight centuries would build 290,000 dates; this looks at three.
    looked_at: list[object] = []

    class Counted(date):
        def __add__(self, other: timedelta) -> Self:
            looked_at.append(other)
            return super().__add__(other)

    daily = plan("day")
    found = next_start(daily, Counted(2026, 1, 31), datetime(2826, 1, 31, 12, tzinfo=UTC))
    assert found == datetime(2826, 2, 1, 1, tzinfo=UTC)
    assert len(looked_at) < 10


def test_year_of_daily_starts_in_new_york_covers_every_date():
    daily = plan("cron 30 1 * * *", zone="America/New_York")
    found = [shown[:10] for shown in starts(daily, date(2026, 1, 1), 366)]
    assert all(date.fromisoformat(b) - date.fromisoformat(a) == timedelta(days=1) for a, b in pairwise(found))


def test_two_instants_shown_as_one_time_have_each_its_own_next_start():
    half_past = plan("cron 30 1 * * *", zone="America/New_York")
    twenty_past = datetime(2026, 11, 1, 1, 20, tzinfo=half_past.time_zone)
    assert [next_start(half_past, date(2026, 10, 1), after=twenty_past.replace(fold=fold)) for fold in (0, 1)] == [
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 2, 6, 30, tzinfo=UTC),
    ]
