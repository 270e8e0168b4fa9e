"""On which days a declined charge is retried, and when a month's quota is free again."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.dunning import DEFAULT_DUNNING, DunningCalendar, DunningKind, DunningRule
from schedules.dunning_text import parse_dunning
from schedules.dunning_tries import Declines, next_try
from schedules.errors import InvalidDunning
from tests.support.dunning import full_calendars

SEOUL = ZoneInfo("Asia/Seoul")
NEW_YORK = ZoneInfo("America/New_York")

calendars = st.sets(st.integers(1, 60)).map(lambda days: DunningCalendar(tuple(sorted(days))))


def local(
    year: int, month: int, day: int, hour: int, minute: int = 0, second: int = 0, *, zone: ZoneInfo = SEOUL
) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=zone)


@pytest.mark.parametrize(
    ("text", "days", "canonical"),
    [
        ("1,3,5,7", (1, 3, 5, 7), "1,3,5,7"),
        (" 1, 3 ,5 ", (1, 3, 5), "1,3,5"),
        ("60", (60,), "60"),
        ("none", (), "none"),
        (" None ", (), "none"),
    ],
)
def test_dunning_calendar_is_read_in_all_spellings(text, days, canonical):
    calendar = parse_dunning(text)
    assert calendar.days == days
    assert str(calendar) == canonical


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "whole numbers"),  # no retry is written as a word, not as an empty text
        ("1,,3", "whole numbers"),
        ("1;3", "whole numbers"),
        ("1.5", "whole numbers"),
        ("²", "whole numbers"),
        ("0,1", "at least 1"),  # the same day twice would ask the bank twice
        ("-1", "at least 1"),
        ("3,1", "later than the one before"),
        ("1,1", "later than the one before"),
        ("1,61", "later than 60"),
    ],
)
def test_impossible_dunning_calendar_is_rejected_with_reason_and_example(text, reason):
    with pytest.raises(InvalidDunning) as refused:
        parse_dunning(text)
    assert reason in refused.value.reason
    assert "Write for example '1,3,5,7'" in str(refused.value)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1, 3,payday", "1,3,payday"),
        ("PAYDAY,Payday", "payday,payday"),
        ("1,3 AT 9 - 21", "1,3 at 9-21"),
        ("1,3 at 11", "1,3 at 11"),
        ("1,3 at 11-12", "1,3 at 11"),
        ("1;no  weekends ; No Holidays;", "1; no weekends; no holidays"),
        # kinds in their order, one clause a line, blank lines left out
        ("1,3\n\nunmatched none\nbalance payday at 18-24\n", "1,3; balance payday at 18-24; unmatched none"),
        ("none; limit 1,31", "none; limit 1,31"),
        ("none at 9-21; balance 1", "none at 9-21; balance 1"),
        ("1,payday; paydays 5 , 31", "1,payday; paydays 5,31"),
        ("1,payday; paydays 10,25", "1,payday"),  # as without
        ("1,3,5; tries 04 a month", "1,3,5; tries 4 a month"),
    ],
)
def test_more_than_days_is_read_in_all_spellings(text, canonical):
    assert str(parse_dunning(text)) == canonical
    assert parse_dunning(canonical) == parse_dunning(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        # where it stands
        ("1,3; balance 3,1", "in 'balance 3,1': each day must be at least 1"),
        ("1,3\n\nno weekend", "line 3, 'no weekend': after the days, a clause begins with balance, limit, unmatched"),
        ("balance 1; 1,3", "in 'balance 1': it must be whole numbers of days, separated by commas, and then payday"),
        ("no weekends", "whole numbers of days"),
        # days
        ("payday,1", "a number cannot follow payday"),
        ("1,weekday", "whole numbers of days"),
        ("1; limit", "in 'limit': it must be whole numbers of days"),
        ("1; limit 61", "no day may be later than 60"),
        ("payday,payday,payday,payday", "the last payday of 'payday,payday,payday,payday' may come later than 60 days"),
        ("30,payday; paydays 25", "the last payday of '30,payday' may come later than 60 days"),
        # hours that leave nothing
        ("1 at 10-10", "two whole hours of one day, the second later, such as 'at 10-20'"),
        ("1 at 20-8", "two whole hours of one day, the second later"),
        ("1 at 9-25", "two whole hours of one day"),
        ("1 at 24", "two whole hours of one day"),
        ("1 at night", "hours are written 'at 10-20', or 'at 11'"),
        ("1 at 9-12 at 13-18", "hours are there twice"),
        # paydays
        ("1,payday; paydays 25,10", "paydays are days of the month from 1 to 31 (its last day), each later than"),
        ("1,payday; paydays 0", "paydays are days of the month"),
        ("1,payday; paydays", "it must be days of the month, such as 'paydays 10,25'"),
        ("1,3; paydays 5", "no days name one: write for example '1,3,payday'"),
        # tries
        ("1,3; tries 0 a month", "tries a month must be from 1 to 99"),
        ("1,3; tries 3", "it is written 'tries 4 a month'"),
        # twice
        ("1; no weekends; no weekends", "in 'no weekends': no weekends is there twice"),
        ("1; limit 1; limit 3", "in 'limit 3': limit is there twice"),
        ("1,payday; paydays 5; paydays 6", "paydays is there twice"),
        # never fires
        ("none; no weekends", "no try is left in it; that is written as 'none' alone"),
        ("none; balance none", "no try is left in it"),
        ("none at 10", "no try is left in it"),
        ("1" + "; no weekends" * 50, "it is longer than 500 characters"),
    ],
)
def test_calendar_that_cannot_be_kept_is_refused_with_its_place_and_what_is_expected(text, reason):
    with pytest.raises(InvalidDunning) as refused:
        parse_dunning(text)
    assert reason in refused.value.reason
    assert refused.value.text == text


def test_kinds_of_a_calendar_stand_in_one_order():
    limit, balance = (DunningKind.LIMIT, DunningRule((1,))), (DunningKind.BALANCE, DunningRule((2,)))
    assert DunningCalendar((1,), own=(balance, limit)) == parse_dunning("1; limit 1; balance 2")
    with pytest.raises(ValueError, match="in their order"):
        DunningCalendar((1,), own=(limit, balance))


def test_calendar_with_a_clause_is_not_plain():
    assert parse_dunning("1,3").is_plain
    clauses = (" at 10", "; balance 1", "; no weekends", "; no holidays", "; tries 3 a month", ",payday")
    assert [clause for clause in clauses if parse_dunning(f"1,3{clause}").is_plain] == []


@given(full_calendars())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_calendar_reads_back_from_its_text_and_from_lines(calendar):
    assert parse_dunning(str(calendar)) == calendar
    assert parse_dunning(str(calendar).replace("; ", "\n")) == calendar


@given(calendars)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_dunning_calendar_reads_back_from_its_text(calendar):
    assert parse_dunning(str(calendar)) == calendar


@pytest.mark.parametrize(
    ("declines", "retry_at"),
    [  # the sequence in the docstring
        (1, local(2026, 1, 3, 10)),
        (2, local(2026, 1, 5, 10)),
        (3, local(2026, 1, 7, 10)),
        (4, local(2026, 1, 9, 10)),
        (5, None),
        (99, None),
    ],
)
def test_default_dunning_calendar_retries_four_times(declines, retry_at):
    declined_at = local(2026, 1, 2, 10, 0, 3)
    assert retry(DEFAULT_DUNNING, declined_at, declines) == retry_at


@pytest.mark.parametrize(
    ("zone", "declined_at", "retry_at"),
    [
        # 15:30 UTC is half past midnight of the next day in Seoul: the day is counted there
        (SEOUL, datetime(2026, 1, 1, 15, 30, tzinfo=UTC), local(2026, 1, 3, 10)),
        (SEOUL, datetime(2026, 1, 1, 14, 59, tzinfo=UTC), local(2026, 1, 2, 10)),
        # a decline late in the evening is retried after less than a day, on the next date
        (SEOUL, local(2026, 1, 1, 23, 59), local(2026, 1, 2, 10)),
        # across the spring change: 23 hours later
        (NEW_YORK, local(2026, 3, 7, 10, zone=NEW_YORK), datetime(2026, 3, 8, 14, tzinfo=UTC)),
    ],
)
def test_retry_days_are_counted_on_local_dates(zone, declined_at, retry_at):
    assert retry(DunningCalendar((1,)), declined_at, 1, zone=zone) == retry_at


def test_empty_dunning_calendar_means_no_retry():
    assert retry(DunningCalendar(()), local(2026, 1, 2, 10), 1) is None


def test_retry_without_a_decline_raises():
    with pytest.raises(ValueError, match="declines must be at least 1, not 0"):
        retry(DEFAULT_DUNNING, local(2026, 1, 2, 10), 0)


def test_retry_never_precedes_its_decline():
    # Juneau lived through 18 October 1867 twice, so the next date's morning had come before its second evening.
    juneau = ZoneInfo("America/Juneau")
    declined_at = datetime(1867, 10, 18, 20, tzinfo=juneau, fold=1).astimezone(UTC)
    assert retry(DunningCalendar((1,)), declined_at, 1, zone=juneau) == declined_at


@given(
    calendar=calendars,
    declined_at=st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
    zone=st.sampled_from(["Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]).map(ZoneInfo),
    hour=st.integers(0, 23),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_retries_increase_and_end_with_the_calendar(calendar, declined_at, zone, hour):
    retries = [retry(calendar, declined_at, n, zone=zone, hour=hour) for n in range(1, len(calendar.days) + 1)]
    instants = [at for at in retries if at is not None]
    assert len(instants) == len(calendar.days)
    assert all(earlier < later for earlier, later in pairwise([declined_at, *instants]))
    assert all(at.tzinfo is UTC for at in instants)
    assert retry(calendar, declined_at, len(calendar.days) + 1, zone=zone, hour=hour) is None


def retry(
    calendar: DunningCalendar, declined_at: datetime, declines: int, *, zone: ZoneInfo = SEOUL, hour: int = 10
) -> datetime | None:
    facts = Declines(
        first_declined_at=declined_at, declines=declines, now=declined_at, time_zone=zone, charge_hour=hour
    )
    return next_try(calendar, None, facts).at
