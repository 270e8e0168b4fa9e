"""When a declined charge is retried, and when its retries are used up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schedules.errors import InvalidDunning
from schedules.local_time import instant_of

LATEST_DAY = 60  # days after the first decline; later the next periods are overdue too
NO_RETRY = "none"


@dataclass(frozen=True)
class DunningCalendar:
    """The days, counted from the first decline of a charge, on which it is retried; may be empty."""

    days: tuple[int, ...]

    def __post_init__(self) -> None:
        steps = zip((0, *self.days), self.days, strict=False)
        if not all(earlier < later for earlier, later in steps):
            raise InvalidDunning(str(self), "each day must be at least 1 and later than the one before")
        if self.days and self.days[-1] > LATEST_DAY:
            raise InvalidDunning(str(self), f"no day may be later than {LATEST_DAY}")

    def __str__(self) -> str:
        return ",".join(map(str, self.days)) or NO_RETRY


DEFAULT_DUNNING = DunningCalendar((1, 3, 5, 7))


def parse_dunning(text: str) -> DunningCalendar:
    """Return the calendar in `1,3,5,7` or `none`; `str` of it parses to an equal one. Raises InvalidDunning."""
    if text.strip().lower() == NO_RETRY:
        return DunningCalendar(())
    words = [word.strip() for word in text.split(",")]
    if not all(re.fullmatch(r"-?[0-9]{1,9}", word) for word in words):
        raise InvalidDunning(text, "it must be whole numbers of days, separated by commas")
    return DunningCalendar(tuple(int(word) for word in words))


def next_attempt_at(
    calendar: DunningCalendar,
    *,
    first_declined_at: datetime,
    declines: int,
    time_zone: ZoneInfo,
    charge_hour: int,
) -> datetime | None:
    """Return when a charge with `declines` declines so far is retried, in UTC; None when its retries are used up.

    The retry falls on a local date counted from the first decline, at the plan's hour, and never before that decline.
    With days 1,3,5,7, hour 10, Asia/Seoul, first declined on Friday 2 January 2026 at 10:00:03:

        declines 1 -> Saturday  3 January 10:00
        declines 2 -> Monday    5 January 10:00
        declines 3 -> Wednesday 7 January 10:00
        declines 4 -> Friday    9 January 10:00
        declines 5 -> None

    Counting from the first decline keeps the days that the customer was told: a late retry does not move the later
    ones, and a day that has passed by then is not skipped.
    """
    if declines < 1:
        raise ValueError(f"A retry follows a decline, so declines must be at least 1, not {declines}.")
    if declines > len(calendar.days):
        return None
    retry_on = first_declined_at.astimezone(time_zone).date() + timedelta(days=calendar.days[declines - 1])
    retry_at = instant_of(datetime.combine(retry_on, time(charge_hour)), time_zone)
    return max(retry_at, first_declined_at.astimezone(UTC))


def first_hour_of_next_month(at: datetime, *, months_of: ZoneInfo, time_zone: ZoneInfo, charge_hour: int) -> datetime:
    """Return the first time, in UTC, that the plan's hour strikes in the month after the one that `at` is in.

    For a charge whose PG's monthly quota is used up. Months begin at midnight in `months_of`, where the plan's zone may
    be a day behind or hours ahead: on 2 January, for an hour of 10,

        months of Asia/Seoul, plan in Asia/Seoul        -> 1 February 10:00 in Seoul
        months of Asia/Seoul, plan in Pacific/Honolulu  -> 31 January 10:00 in Honolulu, already February in Seoul
    """
    first_of_month = at.astimezone(months_of).date().replace(day=1)
    next_on = (first_of_month + timedelta(days=32)).replace(day=1)
    begins_at = instant_of(datetime.combine(next_on, time()), months_of)
    there_on = begins_at.astimezone(time_zone).date()
    days = (there_on, there_on + timedelta(days=1))
    strikes = (instant_of(datetime.combine(on, time(charge_hour)), time_zone) for on in days)
    return next(strike for strike in strikes if strike >= begins_at)
