"""When a charge can be made again that its month had no room for: months count where the contract does."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from schedules.local_time import instant_of


def in_next_month(at: datetime, *, months_of: ZoneInfo, time_zone: ZoneInfo, charge_hour: int) -> datetime:
    """Give the first time, in UTC, that the plan's hour strikes in the month after the one that `at` is in.

    Months begin at midnight in `months_of`, where the plan's zone may be a day behind or hours ahead: on 2 January, for
    an hour of 10,

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
