"""When a charge is tried, or an attempt looked up, the next time. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from schedules.dunning import DunningCalendar, first_hour_of_next_month, next_attempt_at
from schedules.local_time import instant_of
from worker.domain.attempt import Attempt
from worker.domain.outcomes import DeclineKind
from worker.domain.states import Via

UNMATCHED_RETRIES = 2
"""A refusal nobody has classified may be final; bothering the issuer for the whole calendar would be rude."""

CAPPED_MONTHS = ZoneInfo("Asia/Seoul")
"""Where the months begin that such a contract counts in (assumed)."""

LONGEST_DELAY = timedelta(hours=6)
"""The ceiling of every back-off: a charge that waits for a gateway is looked at four times a day at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The waiting times that settings decide."""

    quiet_period: timedelta  # after the last send, until "not found" is believed
    lookup_backoff: tuple[timedelta, ...]  # from an attempt's last send to each of its look-ups
    not_charged_delay: timedelta  # until what could not be sent is sent again; doubled by each deferral
    transient_delay: timedelta  # the same while a PG is in maintenance


def backoff(delay: timedelta, deferrals: int) -> timedelta:
    """Double the delay with every deferral in a row: 1, 2, 4, 8 minutes ... up to LONGEST_DELAY."""
    return min(delay * (1 << min(deferrals, 16)), LONGEST_DELAY)


def next_dunning_try(attempt: Attempt, kind: DeclineKind, now: datetime) -> datetime | None:
    """Give the calendar's next day after one more decline of a kind; None when it is spent."""
    calendar = attempt.retry.dunning
    if kind is DeclineKind.UNMATCHED:
        calendar = DunningCalendar(calendar.days[:UNMATCHED_RETRIES])
    planned = next_attempt_at(
        calendar,
        first_declined_at=attempt.retry.first_declined_at or now,
        declines=attempt.retry.declines + 1,
        time_zone=attempt.retry.time_zone,
        charge_hour=attempt.retry.charge_hour,
    )
    if planned is None or planned > now:
        return planned
    # A calendar day that passed while we were down is not skipped. But now is when the issuer has just declined:
    # asked again at once, and once for every day missed, it would say the same.
    tomorrow = now.astimezone(attempt.retry.time_zone).date() + timedelta(days=1)
    return instant_of(datetime.combine(tomorrow, time(attempt.retry.charge_hour)), attempt.retry.time_zone)


def try_after_spent_month(attempt: Attempt, now: datetime, policy: RetryPolicy) -> datetime:
    """Give the plan's hour on the first day of the next month; soon, when that has begun before this was learnt."""
    zone, hour = attempt.retry.time_zone, attempt.retry.charge_hour
    planned = first_hour_of_next_month(attempt.started_at, months_of=CAPPED_MONTHS, time_zone=zone, charge_hour=hour)
    return planned if planned > now else now + policy.transient_delay


def next_look_up(attempt: Attempt, now: datetime, policy: RetryPolicy) -> datetime | None:
    """The first rung of the ladder that is still ahead; rungs missed while we were down are not made up."""
    rungs = [attempt.started_at + rung for rung in policy.lookup_backoff]
    if attempt.via is Via.WINDOW and attempt.payable_until is not None:
        # Before that a payment may still come, however the ladder was set; from then on nothing needs to be waited for.
        rungs = sorted({attempt.payable_until, *rungs})
    return next((rung for rung in rungs if rung > now), None)
