"""What an outcome changes: a pure decision, written back elsewhere by guarded UPDATEs.

A direct answer and a look-up settle through this one function.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from schedules.dunning import DunningCalendar, next_attempt_at
from schedules.local_time import instant_of
from schedules.next_month import in_next_month
from worker.declines import says_month_is_spent
from worker.gateway import ChargeRequest
from worker.lifecycle import AttemptStatus, ChargeStatus, Via
from worker.outcomes import (
    Answer,
    Declined,
    DeclineKind,
    NotCharged,
    Outcome,
    Paid,
    Unknown,
    UnknownReason,
)

UNMATCHED_RETRIES = 2
"""A refusal nobody has classified may be final; bothering the issuer for the whole calendar would be rude."""

MONTH_SPENT = "waits for the next month"
"""Begins the reason of a charge whose key was charged as often as its contract allows in a month."""

CAPPED_MONTHS = ZoneInfo("Asia/Seoul")
"""Where the months begin that such a contract counts in (assumed)."""

LONGEST_DELAY = timedelta(hours=6)
"""The ceiling of every back-off: a charge that waits for a gateway is looked at four times a day at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    """One attempt whose outcome is being sought, with all that deciding about it takes."""

    attempt_id: int
    charge_id: int
    subscription_id: int
    billing_key_id: int
    number: int
    sends: int
    lookups: int
    started_at: datetime
    refusal: str | None  # what PortOne said when it refused in words that no table knows, or as a duplicate
    via: Via = Via.AGAIN
    window_until: datetime | None = None  # so long a payment window of its merchant_uid may still be paid
    resume_at: datetime | None = None  # when the charge was to be tried before the window opened; None: not by itself
    opened_pgs: frozenset[str] = frozenset()  # through which its windows were opened
    registers: bool = False  # its windows register the billing key, besides
    earlier_windows: tuple[str, ...] = ()  # merchant_uids of its charge that ancient windows might still pay
    declines: int
    first_declined_at: datetime | None
    deferrals: int
    dunning: DunningCalendar
    time_zone: ZoneInfo
    charge_hour: int
    request: ChargeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The waiting times that settings decide. `ladder` holds the look-ups' distances from the attempt's start."""

    quiet_period: timedelta
    ladder: tuple[timedelta, ...]
    not_charged_delay: timedelta
    transient_delay: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The new state of one attempt and of its charge; `sends` guards against an answer to an earlier send."""

    attempt: OpenAttempt
    attempt_status: AttemptStatus
    reason: str
    answer: Answer
    charge_status: ChargeStatus
    decline_kind: DeclineKind | None = None
    next_attempt_at: datetime | None = None
    paid_at: datetime | None = None
    declines: int = 0
    first_declined_at: datetime | None = None
    deferrals: int = 0
    lookups: int = 0
    next_lookup_at: datetime | None = None
    flag: str | None = None
    refusal: str | None = None

    @property
    def kills_key(self) -> bool:
        return self.decline_kind is DeclineKind.HARD

    @property
    def stops_channel(self) -> bool:
        return self.decline_kind is DeclineKind.CONFIG


def settle(attempt: OpenAttempt, outcome: Outcome, *, now: datetime, policy: Policy) -> Settlement:
    """Decide what an outcome makes of an attempt and its charge."""
    match outcome:
        case Paid():
            return Settlement(
                attempt=attempt,
                attempt_status=AttemptStatus.PAID,
                reason="paid",
                answer=outcome.answer,
                charge_status=ChargeStatus.PAID,
                paid_at=outcome.paid_at,
                declines=attempt.declines,
                first_declined_at=attempt.first_declined_at,
            )
        case Declined():
            return _declined(attempt, outcome, now, policy)
        case NotCharged() if attempt.via is Via.WINDOW:
            return _window_left(attempt, outcome, now)
        case NotCharged():
            return _deferred(
                attempt,
                AttemptStatus.NOT_CHARGED,
                outcome.reason,
                outcome.answer,
                now + backoff(policy.not_charged_delay, attempt.deferrals),
            )
        case Unknown():
            return _unknown(attempt, outcome, now, policy)
        case _:
            assert_never(outcome)


def _window_left(attempt: OpenAttempt, outcome: NotCharged, now: datetime) -> Settlement:
    """The customer did not pay: the charge goes on along its calendar, or waits for another key, as before."""
    resume_at = attempt.resume_at if attempt.declines else attempt.resume_at or now
    return Settlement(
        attempt=attempt,
        attempt_status=AttemptStatus.NOT_CHARGED,
        reason=outcome.reason,
        answer=outcome.answer,
        charge_status=ChargeStatus.PAST_DUE if attempt.declines else ChargeStatus.DUE,
        next_attempt_at=None if resume_at is None else max(resume_at, now + timedelta(seconds=1)),
        declines=attempt.declines,
        first_declined_at=attempt.first_declined_at,
        deferrals=attempt.deferrals,
    )


def backoff(delay: timedelta, deferrals: int) -> timedelta:
    """Double the delay with every deferral in a row: 1, 2, 4, 8 minutes ... up to LONGEST_DELAY."""
    return min(delay * (1 << min(deferrals, 16)), LONGEST_DELAY)


def _declined(attempt: OpenAttempt, outcome: Declined, now: datetime, policy: Policy) -> Settlement:
    match outcome.kind:
        case DeclineKind.CONFIG | DeclineKind.TRANSIENT:
            retry_at = now + backoff(policy.transient_delay, attempt.deferrals)
            return _deferred(attempt, AttemptStatus.DECLINED, _words(outcome), outcome.answer, retry_at, outcome.kind)
        case DeclineKind.SOFT if says_month_is_spent(attempt.request.pg, outcome.answer.message):
            return _month_spent(attempt, outcome, now, policy)
        case DeclineKind.HARD:
            return _dunned(attempt, outcome, now, ChargeStatus.PAST_DUE, None)
        case DeclineKind.SOFT | DeclineKind.UNMATCHED:
            retry_at_or_never = _retry_at(attempt, outcome.kind, now)
            status = ChargeStatus.UNCOLLECTIBLE if retry_at_or_never is None else ChargeStatus.PAST_DUE
            return _dunned(attempt, outcome, now, status, retry_at_or_never)
        case _:
            assert_never(outcome.kind)


def _month_spent(attempt: OpenAttempt, outcome: Declined, now: datetime, policy: Policy) -> Settlement:
    """The customer has done nothing wrong, and asking again this month would be in vain: no dunning try is used up."""
    zone, hour = attempt.time_zone, attempt.charge_hour
    retry_at = in_next_month(attempt.started_at, months_of=CAPPED_MONTHS, time_zone=zone, charge_hour=hour)
    if retry_at <= now:  # learnt late, from a look-up: another month has begun
        retry_at = now + policy.transient_delay
    reason = f"{MONTH_SPENT} ({_words(outcome)})"
    return _deferred(attempt, AttemptStatus.DECLINED, reason, outcome.answer, retry_at, outcome.kind)


def _retry_at(attempt: OpenAttempt, kind: DeclineKind, now: datetime) -> datetime | None:
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


def _dunned(
    attempt: OpenAttempt, outcome: Declined, now: datetime, status: ChargeStatus, retry_at: datetime | None
) -> Settlement:
    return Settlement(
        attempt=attempt,
        attempt_status=AttemptStatus.DECLINED,
        reason=_words(outcome),
        answer=outcome.answer,
        charge_status=status,
        decline_kind=outcome.kind,
        next_attempt_at=retry_at,
        declines=attempt.declines + 1,
        first_declined_at=attempt.first_declined_at or now,
    )


def _deferred(
    attempt: OpenAttempt,
    status: AttemptStatus,
    reason: str,
    answer: Answer,
    retry_at: datetime,
    kind: DeclineKind | None = None,
) -> Settlement:
    """Nobody's money and nobody's fault: the charge waits, and no dunning try is used up."""
    return Settlement(
        attempt=attempt,
        attempt_status=status,
        reason=reason,
        answer=answer,
        charge_status=ChargeStatus.PAST_DUE if attempt.declines else ChargeStatus.DUE,
        decline_kind=kind,
        next_attempt_at=retry_at,
        declines=attempt.declines,
        first_declined_at=attempt.first_declined_at,
        deferrals=attempt.deferrals + 1,
    )


def _unknown(attempt: OpenAttempt, outcome: Unknown, now: datetime, policy: Policy) -> Settlement:
    next_lookup_at = _next_lookup_at(attempt, now, policy)
    if outcome.reason is UnknownReason.LOOK_UP_FAILED:
        # Nothing was learnt, so no rung is used up and nothing gives up: PortOne is asked again soon.
        again_at = now + backoff(policy.ladder[0], attempt.lookups)
        next_lookup_at = min(filter(None, (next_lookup_at, again_at)))
    flag = outcome.reason.value if outcome.needs_human else None
    if next_lookup_at is None and flag is None:
        flag = f"still {outcome.reason.value} after the last look-up"
    return Settlement(
        attempt=attempt,
        attempt_status=AttemptStatus.UNKNOWN,
        reason=outcome.reason,
        answer=outcome.answer,
        refusal=_refusal(attempt, outcome),
        charge_status=ChargeStatus.CHARGING,
        declines=attempt.declines,
        first_declined_at=attempt.first_declined_at,
        deferrals=attempt.deferrals,
        lookups=attempt.lookups,
        next_lookup_at=None if flag else next_lookup_at,
        flag=flag,
    )


def _next_lookup_at(attempt: OpenAttempt, now: datetime, policy: Policy) -> datetime | None:
    """The first rung of the ladder that is still ahead; rungs missed while we were down are not made up."""
    rungs = [attempt.started_at + rung for rung in policy.ladder]
    if attempt.via is Via.WINDOW and attempt.window_until is not None:
        # Before that a payment may still come, however the ladder was set; from then on nothing needs to be waited for.
        rungs = sorted({attempt.window_until, *rungs})
    return next((rung for rung in rungs if rung > now), None)


def _refusal(attempt: OpenAttempt, outcome: Unknown) -> str | None:
    if outcome.reason in {UnknownReason.REFUSAL_NOT_KNOWN, UnknownReason.DUPLICATE}:
        return " ".join(filter(None, (outcome.answer.code, outcome.answer.message)))
    return attempt.refusal


def _words(outcome: Declined) -> str:
    said = " ".join(filter(None, (outcome.answer.code, outcome.answer.message)))
    return f"{outcome.kind}: {said}" if said else outcome.kind
