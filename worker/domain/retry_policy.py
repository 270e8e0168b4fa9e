"""When a charge is retried, and when an attempt is looked up next. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from schedules.dunning import DunningCalendar, first_hour_of_next_month, next_attempt_at
from schedules.local_time import instant_of
from worker.domain.attempt import Attempt, RetryTerms
from worker.domain.declines.rules import DeclineRules
from worker.domain.outcomes import DeclineKind
from worker.domain.states import Via

UNMATCHED_RETRIES = 2
"""Retries after a decline that no table classifies: it may be final, so the whole calendar would be too many."""

QUOTA_TIME_ZONE = ZoneInfo("Asia/Seoul")
"""Time zone in which PGs count monthly charge quotas (assumed)."""

LONGEST_DELAY = timedelta(hours=6)
"""Ceiling of every back-off: a charge that waits for a gateway is retried at least four times a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The waiting times that settings decide, and the rules by which declines are classified."""

    quiet_period: timedelta  # after the last send, until "not found" is believed
    lookup_backoff: tuple[timedelta, ...]  # from an attempt's last send to each of its look-ups
    not_charged_delay: timedelta  # until what could not be sent is sent again; doubled by each deferral
    transient_delay: timedelta  # the same while a PG is in maintenance
    rules: DeclineRules = field(repr=False)


def backoff(delay: timedelta, deferrals: int) -> timedelta:
    """Return the delay, doubled for every deferral in a row: 1, 2, 4, 8 minutes ... up to LONGEST_DELAY."""
    return min(delay * (1 << min(deferrals, 16)), LONGEST_DELAY)


def next_dunning_try(attempt: Attempt, kind: DeclineKind, now: datetime) -> datetime | None:
    """Return the next retry of the dunning calendar after one more decline of a kind; None when it is spent."""
    return dunning_after(attempt.retry, kind, now)


def dunning_after(retry: RetryTerms, kind: DeclineKind, now: datetime) -> datetime | None:
    """Return when a charge is retried that is declined once more at an instant; None when its calendar is spent."""
    calendar = retry.dunning
    if kind is DeclineKind.UNMATCHED:
        calendar = DunningCalendar(calendar.days[:UNMATCHED_RETRIES])
    planned = next_attempt_at(
        calendar,
        first_declined_at=retry.first_declined_at or now,
        declines=retry.declines + 1,
        time_zone=retry.time_zone,
        charge_hour=retry.charge_hour,
    )
    if planned is None or planned > now:
        return planned
    # A calendar day that passed during a downtime is not skipped. But the issuer has declined just now: asked again at
    # once, for every missed day, it would decline again.
    tomorrow = now.astimezone(retry.time_zone).date() + timedelta(days=1)
    return instant_of(datetime.combine(tomorrow, time(retry.charge_hour)), retry.time_zone)


def retry_after_monthly_quota(attempt: Attempt, now: datetime, policy: RetryPolicy) -> datetime:
    """Return the plan's hour on the first day of the next month; soon, if that month has already started."""
    zone, hour = attempt.retry.time_zone, attempt.retry.charge_hour
    planned = first_hour_of_next_month(attempt.started_at, months_of=QUOTA_TIME_ZONE, time_zone=zone, charge_hour=hour)
    return planned if planned > now else now + policy.transient_delay


def next_look_up(attempt: Attempt, now: datetime, policy: RetryPolicy) -> datetime | None:
    """Return the next scheduled look-up that lies ahead, or None; those missed in a downtime are not made up for."""
    planned = [attempt.started_at + delay for delay in policy.lookup_backoff]
    if attempt.via is Via.WINDOW and attempt.payable_until is not None:
        # Until then a payment may still come, whatever the schedule is; from then on there is nothing to wait for.
        planned = sorted({attempt.payable_until, *planned})
    return next((at for at in planned if at > now), None)
