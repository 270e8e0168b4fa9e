"""The other dates on which the fast layers run are those on which calendars fail, and each run has tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.dates.moments import GUARD, moments

ROOT = Path(__file__).parents[2]
TODAYS = [
    datetime(2026, 11, 30, 5, tzinfo=UTC),
    datetime(2028, 2, 29, 23, tzinfo=UTC),
    datetime(2041, 1, 1, tzinfo=UTC),
]


@pytest.mark.parametrize("today", TODAYS, ids=str)
def test_moments_cover_midnights_a_leap_day_a_clock_change_and_next_year(today):
    february, leap_day, new_year, jump, ahead = moments(today)
    soon = timedelta(minutes=2)
    assert (february.begins_at.day, (february.begins_at + soon).day) == (28, 1)
    assert (leap_day.begins_at.month, leap_day.begins_at.day) == (2, 29)
    assert (new_year.begins_at + soon).year == today.year + 1
    assert (jump.begins_at.astimezone(UTC) + soon).astimezone(jump.begins_at.tzinfo).hour == 3, "2 o'clock is left out"
    assert ahead.begins_at - today == timedelta(days=365)


def test_moments_name_existing_tests():
    named = {GUARD, *(tests for each in moments(TODAYS[0]) for tests in each.tests)}
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_moved_dates_are_part_of_ci():
    assert "make check test test-dates" in (ROOT / ".ci" / "run").read_text()
