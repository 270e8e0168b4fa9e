"""When a charge is retried, and when an attempt is looked up next. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from schedules.dunning import QUOTA_TIME_ZONE, DunningKind
from schedules.dunning_days import first_hour_of_next_month
from schedules.dunning_tries import Declines, NextTry, next_try, not_before
from worker.domain.attempt import Attempt, RetryTerms
from worker.domain.declines.rules import DeclineRules
from worker.domain.dunning_kinds import dunning_kind
from worker.domain.outcomes import Declined
from worker.domain.states import Via

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


def next_dunning_try(attempt: Attempt, outcome: Declined, now: datetime) -> datetime | None:
    """Return the next try of the dunning calendar after one more decline; None when it is spent."""
    kind = dunning_kind(outcome.kind, outcome.about)
    tried_at = (*attempt.retry.tried_at, attempt.started_at)
    return dunning_after(replace(attempt.retry, tried_at=tried_at), kind, now).at


def dunning_after(retry: RetryTerms, kind: DunningKind | None, now: datetime) -> NextTry:
    """Return when a charge is tried again that is declined once more at an instant, and why then."""
    first_declined_at = retry.first_declined_at or now
    facts = Declines(
        first_declined_at=first_declined_at,
        declines=retry.declines + 1,
        now=now,
        time_zone=retry.time_zone,
        charge_hour=retry.charge_hour,
        next_period_at=retry.next_period_at(first_declined_at),
        tried_at=retry.tried_at,
    )
    return next_try(retry.dunning, kind, facts)


def retry_after_monthly_quota(attempt: Attempt, now: datetime, policy: RetryPolicy) -> datetime:
    """Return the plan's hour on the first day of the next month; soon, if that month has already started.

    Later, where the charge's calendar keeps off that day or hour.
    """
    zone, hour = attempt.retry.time_zone, attempt.retry.charge_hour
    planned = first_hour_of_next_month(attempt.started_at, months_of=QUOTA_TIME_ZONE, time_zone=zone, charge_hour=hour)
    return _allowed(attempt.retry, planned if planned > now else now + policy.transient_delay)


def put_off(retry: RetryTerms, until: datetime) -> datetime:
    """Return when a charge is tried that was put off until an instant: in dunning, when its calendar allows that."""
    return _allowed(retry, until) if retry.declines else until


def _allowed(retry: RetryTerms, at: datetime) -> datetime:
    return not_before(retry.dunning, None, at, time_zone=retry.time_zone, charge_hour=retry.charge_hour)


def next_look_up(attempt: Attempt, now: datetime, policy: RetryPolicy) -> datetime | None:
    """Return the next scheduled look-up that lies ahead, or None; those missed in a downtime are not made up for."""
    planned = [attempt.started_at + delay for delay in policy.lookup_backoff]
    if attempt.via is Via.WINDOW and attempt.payable_until is not None:
        # Until then a payment may still come, whatever the schedule is; from then on there is nothing to wait for.
        planned = sorted({attempt.payable_until, *planned})
    return next((at for at in planned if at > now), None)
