"""When a charge is tried, or an attempt looked up, the next time. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from schedules.dunning import DunningCalendar, first_hour_of_next_month, next_attempt_at
from schedules.local_time import instant_of
from worker.domain.attempt import OpenAttempt, Policy
from worker.domain.outcomes import DeclineKind
from worker.domain.states import Via

UNMATCHED_RETRIES = 2
"""A refusal nobody has classified may be final; bothering the issuer for the whole calendar would be rude."""

CAPPED_MONTHS = ZoneInfo("Asia/Seoul")
"""Where the months begin that such a contract counts in (assumed)."""

LONGEST_DELAY = timedelta(hours=6)
"""The ceiling of every back-off: a charge that waits for a gateway is looked at four times a day at least."""


def backoff(delay: timedelta, deferrals: int) -> timedelta:
    """Double the delay with every deferral in a row: 1, 2, 4, 8 minutes ... up to LONGEST_DELAY."""
    return min(delay * (1 << min(deferrals, 16)), LONGEST_DELAY)


def next_dunning_try(attempt: OpenAttempt, kind: DeclineKind, now: datetime) -> datetime | None:
    """Give the calendar's next day after one more decline of a kind; None when it is spent."""
    calendar = attempt.dunning
    if kind is DeclineKind.UNMATCHED:
        calendar = DunningCalendar(calendar.days[:UNMATCHED_RETRIES])
    planned = next_attempt_at(
        calendar,
        first_declined_at=attempt.first_declined_at or now,
        declines=attempt.declines + 1,
        time_zone=attempt.time_zone,
        charge_hour=attempt.charge_hour,
    )
    if planned is None or planned > now:
        return planned
    # A calendar day that passed while we were down is not skipped. But now is when the issuer has just declined:
    # asked again at once, and once for every day missed, it would say the same.
    tomorrow = now.astimezone(attempt.time_zone).date() + timedelta(days=1)
    return instant_of(datetime.combine(tomorrow, time(attempt.charge_hour)), attempt.time_zone)


def try_after_spent_month(attempt: OpenAttempt, now: datetime, policy: Policy) -> datetime:
    """Give the plan's hour on the first day of the next month; soon, when that has begun before this was learnt."""
    zone, hour = attempt.time_zone, attempt.charge_hour
    planned = first_hour_of_next_month(attempt.started_at, months_of=CAPPED_MONTHS, time_zone=zone, charge_hour=hour)
    return planned if planned > now else now + policy.transient_delay


def next_look_up(attempt: OpenAttempt, now: datetime, policy: Policy) -> datetime | None:
    """The first rung of the ladder that is still ahead; rungs missed while we were down are not made up."""
    rungs = [attempt.started_at + rung for rung in policy.ladder]
    if attempt.via is Via.WINDOW and attempt.window_until is not None:
        # Before that a payment may still come, however the ladder was set; from then on nothing needs to be waited for.
        rungs = sorted({attempt.window_until, *rungs})
    return next((rung for rung in rungs if rung > now), None)
