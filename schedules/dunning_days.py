"""Which dates a dunning calendar goes by: paydays, the days that it keeps off, and the first of the next month."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from schedules.dunning import DunningCalendar
from schedules.korean_holidays import holiday_on
from schedules.local_time import instant_of

_DAY = timedelta(days=1)


class Why(StrEnum):
    """What has made a try fall on its date, or has left none."""

    DAY = "day"  # the calendar's day
    PAYDAY = "payday"
    HOUR = "hour"  # at the first hour that is allowed, the plan's not being one
    AFTER_TRY = "after_try"  # its day had come by the last decline: the issuer is not asked twice on one
    WEEKEND = "weekend"  # kept off
    HOLIDAY = "holiday"  # kept off
    MONTH_FULL = "month_full"  # the key had its tries of the month
    SPENT = "spent"  # the calendar has no further day
    NEXT_PERIOD = "next_period"  # it would not have come before the next period's charge


@dataclass(frozen=True, slots=True)
class Step:
    """One reason why a try is when it is: the date that it led to, or away from if it is kept off; and its detail."""

    why: Why
    on: date | None = None
    detail: str = ""


def paydays_after(after: date, paydays: Sequence[int]) -> Iterator[date]:
    """Yield the paydays later than a date; those that a month is too short for are its last day."""
    month = after.replace(day=1)
    while True:
        last = monthrange(month.year, month.month)[1]
        days = sorted({min(day, last) for day in paydays})
        yield from (on for day in days if (on := month.replace(day=day)) > after)
        month = (month + timedelta(days=32)).replace(day=1)


def keep_off(calendar: DunningCalendar, on: date) -> tuple[date, list[Step]]:
    """Return the first date from `on` that a calendar does not keep off, and what it keeps off on the way."""
    steps: list[Step] = []
    while (kept_off := _kept_off(calendar, on)) is not None:
        if not steps or steps[-1].why is not kept_off.why:
            steps.append(kept_off)
        on += _DAY
    return on, steps


def _kept_off(calendar: DunningCalendar, on: date) -> Step | None:
    if not calendar.weekends and on.weekday() >= 5:
        return Step(Why.WEEKEND, on)
    if not calendar.holidays and (name := holiday_on(on)) is not None:
        return Step(Why.HOLIDAY, on, name)
    return None


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
    strikes = (instant_of(datetime.combine(on, time(charge_hour)), time_zone) for on in (there_on, there_on + _DAY))
    return next(strike for strike in strikes if strike >= begins_at)
