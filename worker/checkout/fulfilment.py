"""Writing down what PortOne shows of one window's order: all of it in one transaction, or nothing.

A crash leaves everything to whoever asks next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.orm import Session

from worker.checkout import order_queries, queries
from worker.checkout.context import CheckoutContext
from worker.checkout.key_activation import activate_key
from worker.checkout.verification import (
    Expected,
    Failed,
    Proved,
    Verdict,
    Waiting,
    Wrong,
    judge_key,
    judge_payment,
)
from worker.domain.attempt import Policy
from worker.domain.discrepancy_rules import SENTENCES, DiscrepancyKind, DiscrepancyStatus
from worker.domain.gateway import Found, LookUpFailed, NoSuchKey, PaymentRecord, StoredKey
from worker.domain.lookup_evidence import conclude
from worker.domain.outcomes import Paid, Unknown
from worker.domain.settlement import settle
from worker.domain.states import OPEN_ATTEMPTS, AttemptStatus, BillingKeyStatus, CheckoutStatus, Via
from worker.domain.window_evidence import WINDOW_LIFE
from worker.ledger import discrepancies, window_attempts
from worker.ledger.discrepancies import Noted
from worker.ledger.write_back import write_back
from worker.subscriptions import key_deletion

log = structlog.get_logger()


class Progress(StrEnum):
    DONE = "done"
    WAITING = "waiting"  # nothing is known yet; ask again in a while
    DECLINED = "declined"  # nothing was paid; the customer may try again while the link lasts
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Completion:
    """How far a checkout has come; `said` is a sentence, of the PG's when the customer was declined.

    `answered` is False when PortOne gave no answer. `wrong` says what else than asked for it shows.
    """

    progress: Progress
    said: str = ""
    answered: bool = True
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class OrderEvidence:
    """What was expected of an order, what PortOne showed, and when it was asked."""

    expected: Expected
    asked_at: datetime
    payments: Found | LookUpFailed
    key: StoredKey | NoSuchKey | LookUpFailed | None


def fulfil(context: CheckoutContext, row: Row[Any], order: Row[Any], shown: OrderEvidence, *, says: bool) -> Completion:
    """Settle the payment of an order, put its key to work, and end its checkout, as far as PortOne proves them.

    `says`: should it be declined, what the PG said is for the customer to read, for it was their last window.
    Nothing is while the books may have forgotten what was paid: a subscription that has begun already would begin anew.
    """
    if not _may_be_written(context):
        return Completion(Progress.WAITING, "Payments are being compared just now.", answered=False)
    with context.sessions.begin() as session:
        now = context.clock()
        locked = queries.locked(session, row.code)
        if locked is None or locked.status == CheckoutStatus.DONE:
            return Completion(Progress.DONE)
        if not _is_unchanged(session, order, locked.id):
            return Completion(Progress.WAITING, "Another window was opened meanwhile.")
        verdict = _judge(session, order, shown, now, context.policy)
        if isinstance(verdict, Proved):
            verdict = _finish(session, locked, order, shown, verdict, now)
        if says and isinstance(verdict, Failed) and verdict.said:
            queries.say(session, row.id, verdict.said)
    return _completion(locked, verdict)


def _may_be_written(context: CheckoutContext) -> bool:
    """Look by itself: the row that tells is everybody's, and must not be held while others are waited for."""
    with context.sessions.begin() as session:
        return context.charging_is_allowed(session)


def _is_unchanged(session: Session, order: Row[Any], checkout_id: int) -> bool:
    """Say whether what was asked about is still what the windows of this order are for.

    A database that was restored meanwhile may have no such order any more.
    """
    orders = {each.id: each for each in order_queries.of_checkout(session, checkout_id)}
    return order.id in orders and bool(orders[order.id].billing_key_id == order.billing_key_id)


def _completion(row: Row[Any], verdict: Verdict) -> Completion:
    match verdict:
        case Proved():
            return Completion(Progress.DONE)
        case Wrong():
            log.warning("a checkout was not completed", checkout=row.id, reason=verdict.sentence)
            return Completion(Progress.WAITING, wrong=verdict.sentence)
        case _ if row.status == CheckoutStatus.EXPIRED:
            return Completion(Progress.EXPIRED, "This link has expired; ask for a new one.")
        case Failed():
            return Completion(Progress.DECLINED, verdict.said)
        case Waiting():
            return Completion(Progress.WAITING, verdict.reason, answered=verdict.answered)


def _judge(session: Session, order: Row[Any], shown: OrderEvidence, now: datetime, policy: Policy) -> Verdict:
    verdict = judge_payment(shown.expected, shown.payments)
    if order.charge_id is not None:
        return _settle(session, shown, verdict, now, policy)
    if isinstance(verdict, Wrong) and verdict.record is not None:
        # Also where no money moved: the customer was told that a person looks into it.
        said = "a key was to be registered, for nothing" if verdict.moved else verdict.sentence
        _note(session, DiscrepancyKind.OTHER_AMOUNT, verdict.record, None, said, now)
    return verdict


def _settle(session: Session, shown: OrderEvidence, verdict: Verdict, now: datetime, policy: Policy) -> Verdict:
    """Settle the window's attempt: paid by a payment that fits it, and left to a person by one that does not.

    What is only unclear stays with the look-ups of reconciliation. An order that we have sent ourselves since, when its
    windows were over, is theirs too: it was paid through a key's PG, and says nothing about what a window was to do.
    """
    known = window_attempts.attempt_of(session, shown.expected.merchant_uid)
    if known is None:
        return verdict
    attempt, status = known
    if attempt.via is Via.AGAIN:
        by_hand = shown.expected.customer_uid is None and status is AttemptStatus.PAID
        return Proved() if by_hand else Waiting("It was charged in another way meanwhile.")
    if status is AttemptStatus.PAID:
        return verdict
    outcome = conclude(attempt, shown.payments, now=shown.asked_at, quiet_period=policy.quiet_period)
    decided = isinstance(outcome, Paid) or (isinstance(outcome, Unknown) and outcome.needs_human)
    if decided and (isinstance(outcome, Paid) or status in OPEN_ATTEMPTS):
        result = write_back(session, [settle(attempt, outcome, now=now, policy=policy)], now=now)
        if result.contradictions:
            log.error("paid in a window, but decided otherwise here", merchant_uid=shown.expected.merchant_uid)
    return verdict


def _finish(
    session: Session, row: Row[Any], order: Row[Any], shown: OrderEvidence, proved: Proved, now: datetime
) -> Verdict:
    """Carry a proved order out, the key first of all, if there is one; or say what is wrong with that."""
    key = None if shown.key is None else judge_key(shown.expected, shown.key)
    if key is not None and not isinstance(key, Proved):
        if order.charge_id is not None:
            log.error("paid in a window, but PortOne shows no such billing key", checkout=row.id)
        if isinstance(key, Wrong) and proved.record is not None:
            _note(session, DiscrepancyKind.OTHER_AMOUNT, proved.record, order.charge_id, key.sentence, now)
        return key
    taken = activate_key(session, row, order.billing_key_id, key, now=now)
    if taken.forget_key_id is not None:
        key_deletion.forget(session, taken.forget_key_id, at=now)
    for other in order_queries.of_checkout(session, row.id):
        if (
            other.billing_key_id not in {None, order.billing_key_id}
            and other.key_status == BillingKeyStatus.REGISTERING
        ):
            key_deletion.forget(session, other.billing_key_id, at=other.opened_at + WINDOW_LIFE)
    if taken.is_over and order.charge_id is not None and proved.record is not None:
        said = "its subscription was over before it could begin"
        _note(session, DiscrepancyKind.NOT_OWED, proved.record, order.charge_id, said, now)
    imp_uid = None if proved.record is None else proved.record.imp_uid
    if queries.done(session, row.id, reason=taken.said, imp_uid=imp_uid, now=now):
        log.info("checkout done", checkout=row.id, purpose=row.purpose, said=taken.said)
    return proved


def _note(
    session: Session, kind: DiscrepancyKind, record: PaymentRecord, charge_id: int | None, said: str, now: datetime
) -> None:
    """Ask a person about money that moved and was not to."""
    noted = Noted(
        kind=kind,
        status=DiscrepancyStatus.OPEN,
        said=f"{SENTENCES[kind]}: {said}",
        merchant_uid=record.merchant_uid,
        imp_uid=record.imp_uid,
        charge_id=charge_id,
        evidence={"portone": record.raw, "records": {"checkout": said}},
    )
    discrepancies.note(session, [noted], now=now)
