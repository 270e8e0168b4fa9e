"""What PortOne's records prove about one attempt: any paid record wins, and absence proves nothing too soon."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from worker.domain.attempt import Attempt
from worker.domain.declines import (
    Decision,
    DeclineRules,
    Duplicate,
    NeedsLookUp,
    classify,
    says_paid,
    without_answer_code,
)
from worker.domain.gateway import Found, LookUpFailed, PaymentRecord
from worker.domain.outcomes import (
    NO_ANSWER,
    Answer,
    Declined,
    DeclineKind,
    NotCharged,
    NotChargedReason,
    Outcome,
    Paid,
    Unknown,
    UnknownReason,
)
from worker.domain.payment_time import can_be_paid_at
from worker.domain.states import Via
from worker.domain.window_evidence import paid_otherwise


def outcome_of_lookup(
    attempt: Attempt, finding: Found | LookUpFailed, *, now: datetime, quiet_period: timedelta, rules: DeclineRules
) -> Outcome:
    """Return the outcome of an open attempt by everything PortOne has under its merchant_uid.

    The quiet period counts from the claim of the last send, or from a hold that began after it. Until it is over, a
    request of ours may still be under way at PortOne or the PG, so "nothing found" is not believed, nor "failed" unless
    it is the answer to the last send.
    """
    if isinstance(finding, LookUpFailed):
        return Unknown(UnknownReason.LOOK_UP_FAILED, finding.answer)
    records = finding.records
    if paid := _of_status(records, "paid"):
        return _paid(attempt, paid, now)
    if canceled := _of_status(records, "cancelled"):
        return Unknown(UnknownReason.CANCELED, answer_of(canceled[0]), needs_human=True)
    if attempt.via is Via.WINDOW:
        return _unpaid_window(attempt, records, now)
    return _unpaid(attempt, _without_windows(attempt, records), now=now, quiet_period=quiet_period, rules=rules)


def outcome_of_answer(attempt: Attempt, outcome: Outcome) -> Outcome:
    """Return what a direct answer proves about all sends of an attempt, of which it has answered the last.

    An unknown error text may be the PG's way to say that it knows the order: of the only send that says
    nothing new, but after a send whose answer was lost it is no decline until that one is accounted for.
    """
    if isinstance(outcome, Declined) and attempt.sends > 1:
        if outcome.kind is DeclineKind.UNMATCHED:
            return Unknown(UnknownReason.REFUSAL_NOT_KNOWN, outcome.answer)
        if outcome.on_merchants_word:
            return Unknown(UnknownReason.REFUSAL_NOT_KNOWN, outcome.answer, supposed=outcome.kind)
    return outcome


def _unpaid(
    attempt: Attempt,
    records: tuple[PaymentRecord, ...],
    *,
    now: datetime,
    quiet_period: timedelta,
    rules: DeclineRules,
) -> Outcome:
    quiet = attempt.is_quiet(now, quiet_period)
    others = [record for record in records if record.status != "failed"]
    if others:
        return Unknown(UnknownReason.IN_PROGRESS, answer_of(others[0]))
    if records:
        return _failed(attempt, records, rules, quiet=quiet)
    return _nothing(attempt, rules, quiet=quiet)


def _unpaid_window(attempt: Attempt, records: tuple[PaymentRecord, ...], now: datetime) -> Outcome:
    """Until no window of it can be paid, an attempt stays open: the customer may try again.

    A window that is left stays `ready` at PortOne for ever (documented), so that status proves nothing afterwards.
    """
    answer = answer_of(records[0]) if records else NO_ANSWER
    if attempt.payable_until is None or now < attempt.payable_until:
        return Unknown(UnknownReason.WINDOW_OPEN, answer)
    return NotCharged(NotChargedReason.WINDOW_LEFT, answer)


def _without_windows(attempt: Attempt, records: tuple[PaymentRecord, ...]) -> tuple[PaymentRecord, ...]:
    """Return the records without those of unpaid windows of the same merchant_uid, which say nothing of our send."""
    if attempt.payable_until is None:
        return records
    return tuple(record for record in records if not _is_left_window(record, attempt.started_at))


def _is_left_window(record: PaymentRecord, sent_at: datetime) -> bool:
    """Return whether a record is of a window that was opened before our send."""
    started_at = window_started_at(record)
    return started_at is not None and started_at < sent_at.timestamp()


def window_started_at(record: PaymentRecord) -> float | None:
    """Return the UNIX second in which an unpaid window was opened; None for another record.

    Such a record names no billing key: PortOne names one only once it is issued.
    """
    started_at = record.raw.get("started_at")
    if record.customer_uid is not None or isinstance(started_at, bool) or not isinstance(started_at, int | float):
        return None
    return started_at if record.status in {"ready", "failed"} else None


def answer_of(record: PaymentRecord) -> Answer:
    """Return the part of a record that may be stored."""
    return Answer(
        http_status=200,
        code=record.status,
        message=record.fail_reason,
        imp_uid=record.imp_uid,
        pg_tid=record.pg_tid,
        raw=record.raw,
    )


def is_about(attempt: Attempt, record: PaymentRecord) -> bool:
    """Return whether a record is of our payment: the same merchant_uid, amount and currency."""
    request = attempt.request
    return record.odd is None and (record.merchant_uid, record.amount, record.currency) == (
        request.merchant_uid,
        request.amount,
        request.currency,
    )


def _of_status(records: Iterable[PaymentRecord], status: str) -> list[PaymentRecord]:
    return [record for record in records if record.status == status]


def _paid(attempt: Attempt, paid: list[PaymentRecord], now: datetime) -> Outcome:
    ours = [record for record in paid if is_about(attempt, record)]
    if len(paid) > 1 or not ours:
        # Two payments of one merchant_uid, or one of another amount: money moved, and not as we asked.
        return Unknown(UnknownReason.OTHER_PAYMENT, answer_of(paid[0]), needs_human=True)
    if attempt.via is Via.WINDOW and _paid_otherwise(attempt, ours[0]):
        return Unknown(UnknownReason.OTHER_PAYMENT, answer_of(ours[0]), needs_human=True)
    if ours[0].paid_at is None:
        return Unknown(UnknownReason.STATUS_NOT_KNOWN, answer_of(ours[0]), needs_human=True)
    if not can_be_paid_at(ours[0].merchant_uid, ours[0].paid_at, now=now):
        return Unknown(UnknownReason.IMPLAUSIBLE, answer_of(ours[0]), needs_human=True)
    return Paid(ours[0].paid_at, answer_of(ours[0]))


def _paid_otherwise(attempt: Attempt, record: PaymentRecord) -> bool:
    """Return whether a payment came through another PG or with another key than its windows were opened for."""
    window = attempt.window
    key = attempt.request.customer_uid if window is not None and window.registers_key else None
    opened_pgs = frozenset[str]() if window is None else window.opened_pgs
    return paid_otherwise(record, opened_pgs=opened_pgs, customer_uid=key) is not None


def _failed(attempt: Attempt, records: tuple[PaymentRecord, ...], rules: DeclineRules, *, quiet: bool) -> Outcome:
    """A `failed` record settles a decline once no send of the same merchant_uid can still land."""
    newest = records[0]
    if not quiet and not _of_this_send(attempt, records):
        return Unknown(UnknownReason.IN_PROGRESS, answer_of(newest))
    decision = classify(rules, attempt.request.pg, None, newest.fail_reason)
    reason = _why_open(decision, newest, quiet=quiet, is_complete=len(records) >= attempt.sends)
    if reason is not None:
        return Unknown(reason, answer_of(newest), supposed=decision.supposed)
    return Declined(decision.kind_once_quiet, answer_of(newest), decision.about)


def _why_open(decision: Decision, newest: PaymentRecord, *, quiet: bool, is_complete: bool) -> UnknownReason | None:
    """Return why a `failed` record settles nothing yet; `is_complete`: every send has its record."""
    if decision.verdict is Duplicate and (not quiet or says_paid(newest.fail_reason)):
        return UnknownReason.DUPLICATE
    if decision.verdict is NeedsLookUp and not quiet:
        return UnknownReason.GATEWAY_UNSURE
    if decision.ours is DeclineKind.UNMATCHED and not is_complete:
        return UnknownReason.REFUSAL_NOT_KNOWN
    return None


def _of_this_send(attempt: Attempt, records: tuple[PaymentRecord, ...]) -> bool:
    """Return whether every send has its record and the newest is younger than the last send.

    A database restored from a backup lacks sends, whose old records would otherwise count for the one in progress.
    """
    failed_at = records[0].raw.get("failed_at")
    if isinstance(failed_at, bool) or not isinstance(failed_at, int | float):
        return False
    return len(records) >= attempt.sends and failed_at >= int(attempt.started_at.timestamp())


def _nothing(attempt: Attempt, rules: DeclineRules, *, quiet: bool) -> Outcome:
    if not quiet:
        return Unknown(UnknownReason.NOT_FOUND_YET)
    if attempt.refusal is None:
        return NotCharged(NotChargedReason.NOT_FOUND, NO_ANSWER)
    refusal = Answer(http_status=200, message=attempt.refusal)
    if classify(rules, attempt.request.pg, None, attempt.refusal).verdict is Duplicate:
        # The PG knows an order that PortOne does not show: neither a decline nor a proof.
        return Unknown(UnknownReason.DUPLICATE, refusal)
    if attempt.sends > 1:
        # The send before this one was only proved absent. Had it been charged and not been shown since, PortOne would
        # reject the repeat, with an unknown text.
        return Unknown(UnknownReason.REFUSAL_NOT_KNOWN, refusal)
    # Rejected with a text that ours do not know, and nothing was charged: so it was a decline, of the kind that a
    # merchant's own rule may know.
    said = classify(rules, attempt.request.pg, None, without_answer_code(attempt.refusal))
    if said.supposed is not None:
        return Declined(said.supposed, refusal, said.about)
    return Declined(DeclineKind.UNMATCHED, refusal)
