"""The hours of a PG and its maintenance: when it is open, when next, and what is no hours."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.errors import InvalidOpenHours
from schedules.open_hours import SEOUL, OpenHours, parse_open_hours

MONDAY = datetime(2026, 11, 30, tzinfo=SEOUL)
DATED = "2027-02-06T00:00/2027-02-07T06:00"


def at(day: int, time: str) -> datetime:
    """Return a time so many days after that Monday, in Seoul."""
    hours, minutes = map(int, time.split(":"))
    return MONDAY + timedelta(days=day, hours=hours, minutes=minutes)


@pytest.mark.parametrize(
    ("hours", "maintenance", "asked", "opens"),
    [
        ("none", "none", at(0, "03:00"), at(0, "03:00")),
        ("08:00-22:00", "none", at(0, "07:59"), at(0, "08:00")),
        ("08:00-22:00", "none", at(0, "21:59"), at(0, "21:59")),
        ("08:00-22:00", "none", at(0, "22:00"), at(1, "08:00")),
        ("22:00-06:00", "none", at(0, "06:00"), at(0, "22:00")),
        ("none", "23:30-00:30", at(6, "23:30"), at(7, "00:30")),
        ("none", "23:30-00:30", at(6, "23:29"), at(6, "23:29")),
        ("none", "sun 02:00-06:00", at(6, "02:00"), at(6, "06:00")),
        ("none", "SUN  02:00-06:00", at(5, "02:00"), at(5, "02:00")),
        ("none", "sun 22:00-02:00", at(7, "01:00"), at(7, "02:00")),
        ("08:00-22:00", "sun 07:00-09:00, 08:30-10:00", at(6, "07:30"), at(6, "10:00")),
        ("00:00-24:00", "none", at(0, "23:59"), at(0, "23:59")),
        ("none", DATED, datetime(2027, 2, 6, 12, tzinfo=SEOUL), datetime(2027, 2, 7, 6, tzinfo=SEOUL)),
        ("08:00-22:00", DATED, datetime(2027, 2, 6, 12, tzinfo=SEOUL), datetime(2027, 2, 7, 8, tzinfo=SEOUL)),
    ],
)
def test_pg_opens_when_its_hours_begin_and_its_maintenance_has_ended(
    hours: str, maintenance: str, asked: datetime, opens: datetime
):
    parsed = parse_open_hours(hours, maintenance)
    assert parsed.opens_at(asked) == opens
    assert parsed.is_open(asked) == (asked == opens)
    assert parsed.is_open(opens)


@pytest.mark.parametrize(
    ("hours", "maintenance", "why"),
    [
        ("8-22", "none", "'8-22' cannot be used: it is no span of time"),
        ("08:00-08:00", "none", "it is no span of time"),
        ("25:00-26:00", "none", "it is no span of time"),
        ("none", "son 02:00-06:00", "it is no span of time"),
        ("none", "2027-02-30T00:00/2027-03-01T00:00", "there is no such date and time"),
        ("none", "2027-02-07T00:00/2027-02-06T00:00", "it ends before it begins"),
        ("08:00-09:00", "08:30-10:00", "no hour of the week is left in which to charge"),
        ("none", "00:00-12:00, 12:00-00:00", "no hour of the week is left in which to charge"),
        ("none", "00:00-23:30", "no hour of the week is left in which to charge"),
    ],
)
def test_hours_that_cannot_be_kept_are_refused_when_they_are_set(hours: str, maintenance: str, why: str):
    with pytest.raises(InvalidOpenHours, match=why) as refused:
        parse_open_hours(hours, maintenance)
    assert "'08:00-22:00'" in str(refused.value)


SPAN = st.builds(
    "{}{:02}:{:02}-{:02}:{:02}".format,
    st.sampled_from(["", "mon ", "sun "]),
    *(st.integers(0, 23), st.integers(0, 59)) * 2,
)


@given(spans=st.lists(SPAN, max_size=3), minutes=st.integers(0, 14 * 24 * 60))
def test_hours_that_are_accepted_always_open_again_within_a_week(spans: list[str], minutes: int):
    try:
        hours = OpenHours(maintenance=", ".join(spans))
    except InvalidOpenHours:
        return
    asked = MONDAY + timedelta(minutes=minutes, seconds=17)
    opens = hours.opens_at(asked)
    assert asked <= opens <= asked + timedelta(days=7)
    assert hours.is_open(opens)
    assert opens == asked or not hours.is_open(opens - timedelta(minutes=1))
