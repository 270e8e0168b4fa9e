"""The instant of a wall-clock time on the days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.local_time import instant_of

ZONES = [
    "Asia/Seoul",  # no changes since 1988
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",  # half an hour
    "Africa/Casablanca",  # winter time in Ramadan
    "Africa/Cairo",  # forward at midnight
    "America/Havana",  # forward at midnight, back at one
    "Pacific/Apia",  # left 30 December 2011 out
    "Pacific/Kwajalein",  # left 21 August 1993 out
]


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("Asia/Seoul", "2026-01-31 10:00", "2026-01-31 01:00:00"),
        ("America/New_York", "2026-03-08 01:59", "2026-03-08 06:59:00"),  # the last minute before the jump
        ("America/New_York", "2026-03-08 02:00", "2026-03-08 07:00:00"),  # never shown: 03:00, the jump itself
        ("America/New_York", "2026-03-08 02:30", "2026-03-08 07:00:00"),
        ("America/New_York", "2026-03-08 03:00", "2026-03-08 07:00:00"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01 05:30:00"),  # shown twice: the first
        ("America/New_York", "2026-11-01 02:00", "2026-11-01 07:00:00"),
        ("Europe/London", "2026-03-29 01:30", "2026-03-29 01:00:00"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30:00"),  # 02:30, after half an hour
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45:00"),
        ("Africa/Casablanca", "2026-02-15 02:30", "2026-02-15 01:30:00"),
        ("Pacific/Apia", "2011-12-30 00:00", "2011-12-30 10:00:00"),  # the day that was not: 31 December, midnight
        ("Pacific/Apia", "2011-12-30 23:59", "2011-12-30 10:00:00"),
        ("Pacific/Apia", "2011-12-31 00:00", "2011-12-30 10:00:00"),
        ("Africa/Monrovia", "1972-01-07 00:20", "1972-01-07 00:44:30"),  # a jump that is not on a minute
    ],
)
def test_wall_time_has_one_instant(zone, wall, instant):
    found = instant_of(datetime.fromisoformat(wall), ZoneInfo(zone))
    assert found == datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert found.tzinfo is UTC


@given(
    wall=st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - wall times are naive
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    later=st.timedeltas(timedelta(seconds=1), timedelta(days=2)),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_later_wall_time_is_never_an_earlier_instant(wall, zone, later):
    first, second = instant_of(wall, zone), instant_of(wall + later, zone)
    assert first <= second
    shown = first.astimezone(zone).replace(tzinfo=None)
    assert shown >= wall  # clocks show the time asked for, or jumped over it
    assert (first - timedelta(microseconds=1)).astimezone(zone).replace(tzinfo=None) < wall
