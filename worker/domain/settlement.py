"""What an outcome changes: a pure decision, which `worker.ledger.write_back` writes by guarded UPDATEs.

A direct answer and a look-up both settle through `settle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from worker.domain.attempt import Attempt
from worker.domain.outcomes import (
    NO_ANSWER,
    About,
    Answer,
    Declined,
    DeclineKind,
    NotCharged,
    Outcome,
    Paid,
    Unknown,
    UnknownReason,
)
from worker.domain.payment_time import can_be_paid_at
from worker.domain.retry_policy import (
    RetryPolicy,
    backoff,
    next_dunning_try,
    next_look_up,
    put_off,
    retry_after_monthly_quota,
)
from worker.domain.states import AttemptStatus, ChargeStatus, Via, WaitReason

_AT_ONCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The new state of one attempt and of its charge; `sends` guards against an answer to an earlier send."""

    attempt: Attempt
    attempt_status: AttemptStatus
    reason: str
    answer: Answer
    charge_status: ChargeStatus
    decline_kind: DeclineKind | None = None
    about: About | None = None  # what the decline is about, as far as its rule says
    next_attempt_at: datetime | None = None
    wait_reason: WaitReason | None = None
    paid_at: datetime | None = None
    declines: int = 0
    first_declined_at: datetime | None = None
    deferrals: int = 0
    lookups: int = 0
    next_lookup_at: datetime | None = None
    flag: str | None = None
    refusal: str | None = None
    failure: str | None = None  # why the look-up gave no answer
    supposed: DeclineKind | None = None  # what a merchant's rule takes it for, while it is looked up

    @property
    def kills_key(self) -> bool:
        return self.decline_kind is DeclineKind.HARD

    @property
    def blames_configuration(self) -> bool:
        return self.decline_kind is DeclineKind.CONFIG


def settle(attempt: Attempt, outcome: Outcome, *, now: datetime, policy: RetryPolicy) -> Settlement:
    """Return the new state of an attempt and its charge after an outcome.

    A payment with an impossible time is flagged for an operator: whatever else it says may be wrong as well.
    """
    match outcome:
        case Paid() if not can_be_paid_at(attempt.request.merchant_uid, outcome.paid_at, now=now):
            return _unknown(attempt, Unknown(UnknownReason.IMPLAUSIBLE, outcome.answer, needs_human=True), now, policy)
        case Paid():
            return Settlement(
                attempt=attempt,
                attempt_status=AttemptStatus.PAID,
                reason="paid",
                answer=outcome.answer,
                charge_status=ChargeStatus.PAID,
                paid_at=outcome.paid_at,
                declines=attempt.retry.declines,
                first_declined_at=attempt.retry.first_declined_at,
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
                now + backoff(policy.not_charged_delay, attempt.retry.deferrals),
                WaitReason.NOT_SENT,
            )
        case Unknown():
            return _unknown(attempt, outcome, now, policy)
        case _:
            assert_never(outcome)


def _window_left(attempt: Attempt, outcome: NotCharged, now: datetime) -> Settlement:
    """The customer did not pay: the charge resumes its calendar, or waits for another key, as before the window."""
    resume_at = None if attempt.window is None else attempt.window.resume_at
    if not attempt.retry.declines:
        resume_at = resume_at or now
    return Settlement(
        attempt=attempt,
        attempt_status=AttemptStatus.NOT_CHARGED,
        reason=outcome.reason,
        answer=outcome.answer,
        charge_status=ChargeStatus.PAST_DUE if attempt.retry.declines else ChargeStatus.DUE,
        next_attempt_at=None if resume_at is None else put_off(attempt.retry, max(resume_at, now + _AT_ONCE)),
        declines=attempt.retry.declines,
        first_declined_at=attempt.retry.first_declined_at,
        deferrals=attempt.retry.deferrals,
    )


def _declined(attempt: Attempt, outcome: Declined, now: datetime, policy: RetryPolicy) -> Settlement:
    match outcome.kind:
        case DeclineKind.CONFIG | DeclineKind.TRANSIENT:
            retry_at = now + backoff(policy.transient_delay, attempt.retry.deferrals)
            wait = WaitReason.CONFIGURATION if outcome.kind is DeclineKind.CONFIG else WaitReason.MAINTENANCE
            reason = _words(outcome)
            return _deferred(attempt, AttemptStatus.DECLINED, reason, outcome.answer, retry_at, wait, outcome)
        case DeclineKind.SOFT if outcome.about is About.MONTH_QUOTA:
            return _quota_spent(attempt, outcome, now, policy)
        case DeclineKind.HARD:
            return _dunned(attempt, outcome, now, ChargeStatus.PAST_DUE, None, WaitReason.OTHER_KEY)
        case DeclineKind.SOFT | DeclineKind.UNMATCHED:
            retry_at_or_never = next_dunning_try(attempt, outcome, now)
            status = ChargeStatus.UNCOLLECTIBLE if retry_at_or_never is None else ChargeStatus.PAST_DUE
            dunning = None if retry_at_or_never is None else WaitReason.DUNNING
            return _dunned(attempt, outcome, now, status, retry_at_or_never, dunning)
        case _:
            assert_never(outcome.kind)


def _quota_spent(attempt: Attempt, outcome: Declined, now: datetime, policy: RetryPolicy) -> Settlement:
    """The key's monthly quota is spent, which is not the customer's fault: no dunning try is used up."""
    retry_at = retry_after_monthly_quota(attempt, now, policy)
    reason = f"waits for the next month ({_words(outcome)})"
    wait = WaitReason.MONTH_QUOTA
    return _deferred(attempt, AttemptStatus.DECLINED, reason, outcome.answer, retry_at, wait, outcome)


def _dunned(
    attempt: Attempt,
    outcome: Declined,
    now: datetime,
    status: ChargeStatus,
    retry_at: datetime | None,
    wait: WaitReason | None,
) -> Settlement:
    return Settlement(
        attempt=attempt,
        attempt_status=AttemptStatus.DECLINED,
        reason=_words(outcome),
        answer=outcome.answer,
        charge_status=status,
        decline_kind=outcome.kind,
        about=outcome.about,
        next_attempt_at=retry_at,
        wait_reason=wait,
        declines=attempt.retry.declines + 1,
        first_declined_at=attempt.retry.first_declined_at or now,
    )


def _deferred(
    attempt: Attempt,
    status: AttemptStatus,
    reason: str,
    answer: Answer,
    retry_at: datetime,
    wait: WaitReason,
    declined: Declined | None = None,
) -> Settlement:
    """Deferred by the gateway, not declined for the customer: the charge waits, and no dunning try is used up."""
    return Settlement(
        attempt=attempt,
        attempt_status=status,
        reason=reason,
        answer=answer,
        charge_status=ChargeStatus.PAST_DUE if attempt.retry.declines else ChargeStatus.DUE,
        decline_kind=declined.kind if declined else None,
        about=declined.about if declined else None,
        next_attempt_at=put_off(attempt.retry, retry_at),
        wait_reason=wait,
        declines=attempt.retry.declines,
        first_declined_at=attempt.retry.first_declined_at,
        deferrals=attempt.retry.deferrals + 1,
    )


def _unknown(attempt: Attempt, outcome: Unknown, now: datetime, policy: RetryPolicy) -> Settlement:
    next_lookup_at = next_look_up(attempt, now, policy)
    failure = None
    if outcome.reason is UnknownReason.LOOK_UP_FAILED:
        failure = _failure(outcome.answer)
        # The look-up gave no answer, so it does not count: PortOne is asked again soon. Even after the last scheduled
        # look-up it is asked as many times as the schedule has entries before an operator is.
        if next_lookup_at is not None or attempt.lookups < len(policy.lookup_backoff):
            again_at = now + backoff(policy.lookup_backoff[0], attempt.lookups)
            next_lookup_at = min(filter(None, (next_lookup_at, again_at)))
    flag = outcome.reason.value if outcome.needs_human else None
    if next_lookup_at is None and flag is None:
        flag = f"still {outcome.reason.value} after the last look-up"
    return Settlement(
        attempt=attempt,
        attempt_status=AttemptStatus.UNKNOWN,
        reason=outcome.reason,
        # A look-up that failed says nothing about the payment: what PortOne said of it before stays.
        answer=NO_ANSWER if outcome.reason is UnknownReason.LOOK_UP_FAILED else outcome.answer,
        refusal=_refusal(attempt, outcome),
        supposed=outcome.supposed,
        failure=failure,
        charge_status=ChargeStatus.CHARGING,
        declines=attempt.retry.declines,
        first_declined_at=attempt.retry.first_declined_at,
        deferrals=attempt.retry.deferrals,
        lookups=attempt.lookups,
        next_lookup_at=None if flag else next_lookup_at,
        flag=flag,
    )


def _failure(answer: Answer) -> str:
    http = None if answer.http_status is None else f"HTTP {answer.http_status}"
    return " ".join(filter(None, (http, answer.code, answer.message))) or "no answer"


def _refusal(attempt: Attempt, outcome: Unknown) -> str | None:
    if outcome.reason in {UnknownReason.REFUSAL_NOT_KNOWN, UnknownReason.DUPLICATE}:
        return " ".join(filter(None, (outcome.answer.code, outcome.answer.message)))
    return attempt.refusal


def _words(outcome: Declined) -> str:
    said = " ".join(filter(None, (outcome.answer.code, outcome.answer.message)))
    return f"{outcome.kind}: {said}" if said else outcome.kind
