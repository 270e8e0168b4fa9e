"""Quiet hours, and when notices are due by them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from worker.domain.notices.due_times import MARGIN, due_after, due_ahead, told_ahead
from worker.domain.notices.quiet_hours import QuietHours, parse_quiet_hours

SEOUL = ZoneInfo("Asia/Seoul")
NIGHT = parse_quiet_hours("21:00-08:00")
NOON = parse_quiet_hours("12:00-13:00")


def seoul(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("hour", "minute", "quiet"), [(20, 59, False), (21, 0, True), (0, 0, True), (7, 59, True), (8, 0, False)]
)
def test_night_goes_from_its_start_up_to_its_end(hour: int, minute: int, quiet: bool):
    assert NIGHT is not None
    assert NIGHT.are_on(seoul(3, hour, minute), SEOUL) is quiet
    assert NIGHT.are_on(seoul(3, hour, minute).astimezone(UTC), SEOUL) is quiet


@pytest.mark.parametrize("text", ["", "21-8", "24:00-08:00", "21:00", "08:00-08:00", "21:00-08:60", "night"])
def test_unreadable_quiet_hours_are_refused(text: str):
    with pytest.raises(ValueError, match=r"two (different )?times such as 21:00-08:00, or none"):
        parse_quiet_hours(text)


def test_quiet_hours_are_written_as_they_are_read():
    assert (str(NIGHT), str(NOON), parse_quiet_hours("None")) == ("21:00-08:00", "12:00-13:00", None)


@pytest.mark.parametrize(
    ("about", "due"),
    [
        (seoul(15, 10), seoul(8, 8)),
        (seoul(15, 9), seoul(7, 19)),  # 07:00 is in the night: the evening before
        (seoul(15, 0), seoul(7, 19)),
        (seoul(15, 22), seoul(8, 20)),
    ],
)
def test_what_comes_is_told_in_time_and_never_in_the_night(about: datetime, due: datetime):
    assert due_ahead(about, 7, zone=SEOUL, quiet=NIGHT) == due
    assert about - due >= timedelta(days=7)


@pytest.mark.parametrize("quiet", [None, NIGHT, NOON, QuietHours(NIGHT.end, NIGHT.start)] if NIGHT else [])
@pytest.mark.parametrize("zone", ["Asia/Seoul", "Europe/Berlin", "America/New_York"])
def test_notice_is_due_outside_of_quiet_hours_and_ahead_by_its_days(quiet: QuietHours | None, zone: str):
    there = ZoneInfo(zone)
    for hours in range(24 * 40):  # clocks are set in March in two of these zones
        about = datetime(2026, 3, 5, tzinfo=UTC) + timedelta(hours=hours)
        due = due_ahead(about, 7, zone=there, quiet=quiet)
        last = (about.astimezone(there).replace(tzinfo=None) - timedelta(days=7)).replace(tzinfo=there)
        assert due <= last.astimezone(UTC) - MARGIN + timedelta(hours=1)  # a time that is never shown is moved
        assert quiet is None or not quiet.are_on(due, there)


def test_late_notice_waits_for_the_morning_unless_that_is_too_late():
    due = seoul(1, 8)
    at_night = seoul(3, 22)
    assert not told_ahead(seoul(5, 10), due, now=at_night, zone=SEOUL, quiet=NIGHT)
    assert told_ahead(seoul(5, 10), due, now=seoul(4, 8), zone=SEOUL, quiet=NIGHT)
    assert told_ahead(seoul(4, 7), due, now=at_night, zone=SEOUL, quiet=NIGHT)
    assert not told_ahead(seoul(3, 21), due, now=at_night, zone=SEOUL, quiet=None), "it is over"
    assert not told_ahead(seoul(15, 10), seoul(8, 8), now=seoul(8, 7, 59), zone=SEOUL, quiet=None), "it is early"


def test_what_has_happened_at_night_is_told_in_the_morning():
    assert due_after(seoul(3, 23), zone=SEOUL, quiet=NIGHT) == seoul(4, 8)
    assert due_after(seoul(3, 3), zone=SEOUL, quiet=NIGHT) == seoul(3, 8)
    assert due_after(seoul(3, 12), zone=SEOUL, quiet=NIGHT) == seoul(3, 12)
    assert due_after(seoul(3, 23), zone=SEOUL, quiet=None) == seoul(3, 23)
