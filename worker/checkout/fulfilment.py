"""Writing down what PortOne shows of one window's order: all of it in one transaction, or nothing.

A crash leaves the checkout as it was, and the next look-up fulfils it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy.orm import Session

from worker.checkout import order_queries, queries
from worker.checkout.context import CheckoutContext
from worker.checkout.key_activation import activate_key
from worker.checkout.order_queries import OrderRow
from worker.checkout.queries import CheckoutRow
from worker.checkout.verification import (
    Expected,
    Failed,
    PaymentVerdict,
    Proved,
    Waiting,
    Wrong,
    judge_key,
    judge_payment,
)
from worker.domain.discrepancy_rules import MEANINGS, DiscrepancyKind, DiscrepancyStatus
from worker.domain.gateway import Found, LookUpFailed, NoSuchKey, PaymentRecord, StoredKey
from worker.domain.lookup_evidence import outcome_of_lookup
from worker.domain.outcomes import Paid, Unknown
from worker.domain.retry_policy import RetryPolicy
from worker.domain.settlement import settle
from worker.domain.states import OPEN_ATTEMPTS, AttemptStatus, BillingKeyStatus, CheckoutStatus, Via
from worker.domain.window_evidence import WINDOW_LIFE
from worker.ledger import discrepancies, window_attempts
from worker.ledger.discrepancies import NewDiscrepancy
from worker.ledger.write_back import apply_settlements
from worker.subscriptions import key_deletion_queries

log = structlog.get_logger()


class Progress(StrEnum):
    DONE = "done"
    WAITING = "waiting"  # nothing is known yet; ask again in a while
    DECLINED = "declined"  # nothing was paid; the customer may try again while the link lasts
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Completion:
    """How far a checkout has come; `message` is a sentence, the PG's when the customer was declined.

    `answered` is False when PortOne gave no answer. `wrong` says how what it shows differs from what was asked for.
    """

    progress: Progress
    message: str = ""
    answered: bool = True
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class OrderEvidence:
    """What was expected of an order, what PortOne showed, and when it was asked."""

    expected: Expected
    asked_at: datetime
    payments: Found | LookUpFailed
    key: StoredKey | NoSuchKey | LookUpFailed | None


def fulfil(
    context: CheckoutContext,
    checkout: CheckoutRow,
    order: OrderRow,
    evidence: OrderEvidence,
    *,
    keep_decline_message: bool,
) -> Completion:
    """Settle the payment of an order, activate its key, and end its checkout, as far as PortOne proves them.

    `keep_decline_message`: keep what the PG said about a decline, for the customer to read; of their last window only.
    Nothing is done while charging is held: our records may have forgotten a payment, and an active subscription would
    be started a second time.
    """
    if not _charging_is_allowed(context):
        return Completion(Progress.WAITING, "Payments are being compared just now.", answered=False)
    with context.sessions.begin() as session:
        now = context.clock()
        locked = queries.lock(session, checkout.code)
        if locked is None or locked.status is CheckoutStatus.DONE:
            return Completion(Progress.DONE)
        if not _is_unchanged(session, order, locked.id):
            return Completion(Progress.WAITING, "Another window was opened meanwhile.")
        verdict = _judge(session, order, evidence, now, context.policy)
        if isinstance(verdict, Proved):
            verdict = _finish(session, locked, order, evidence, verdict, now)
        if keep_decline_message and isinstance(verdict, Failed) and verdict.said:
            queries.record_decline(session, checkout.id, verdict.said)
    return _completion(locked, verdict)


def _charging_is_allowed(context: CheckoutContext) -> bool:
    """Ask in a transaction of its own: the row that tells is shared, and must not be held while waiting for others."""
    with context.sessions.begin() as session:
        return context.charging_is_allowed(session)


def _is_unchanged(session: Session, order: OrderRow, checkout_id: int) -> bool:
    """Return whether the windows of this order are still for what PortOne was asked about.

    A database that was restored meanwhile may have no such order any more.
    """
    orders = {each.id: each for each in order_queries.orders_of(session, checkout_id)}
    return order.id in orders and orders[order.id].billing_key_id == order.billing_key_id


def _completion(checkout: CheckoutRow, verdict: PaymentVerdict) -> Completion:
    match verdict:
        case Proved():
            return Completion(Progress.DONE)
        case Wrong():
            log.warning("a checkout was not completed", checkout=checkout.id, reason=verdict.sentence)
            return Completion(Progress.WAITING, wrong=verdict.sentence)
        case _ if checkout.status is CheckoutStatus.EXPIRED:
            return Completion(Progress.EXPIRED, "This link has expired; ask for a new one.")
        case Failed():
            return Completion(Progress.DECLINED, verdict.said)
        case Waiting():
            return Completion(Progress.WAITING, verdict.reason, answered=verdict.answered)


def _judge(
    session: Session, order: OrderRow, evidence: OrderEvidence, now: datetime, policy: RetryPolicy
) -> PaymentVerdict:
    verdict = judge_payment(evidence.expected, evidence.payments)
    if order.charge_id is not None:
        return _settle(session, evidence, verdict, now, policy)
    if isinstance(verdict, Wrong) and verdict.record is not None:
        # Also where no money moved: the customer was told that the shop looks into it.
        said = "a key was to be registered, for nothing" if verdict.moved else verdict.sentence
        _record_discrepancy(session, DiscrepancyKind.OTHER_AMOUNT, verdict.record, None, said, now)
    return verdict


def _settle(
    session: Session, evidence: OrderEvidence, verdict: PaymentVerdict, now: datetime, policy: RetryPolicy
) -> PaymentVerdict:
    """Settle the window's attempt: paid by a payment that fits it, and flagged for an operator by one that does not.

    What is only unclear stays with the look-ups of reconciliation, and so does an order that was sent through `again`
    since its windows were over: it was paid through a key's PG, and says nothing about what a window was to do.
    """
    known = window_attempts.attempt_of(session, evidence.expected.merchant_uid)
    if known is None:
        return verdict
    attempt, status = known
    if attempt.via is Via.AGAIN:
        by_hand = evidence.expected.customer_uid is None and status is AttemptStatus.PAID
        return Proved() if by_hand else Waiting("It was charged in another way meanwhile.")
    if status is AttemptStatus.PAID:
        return verdict
    outcome = outcome_of_lookup(
        attempt, evidence.payments, now=evidence.asked_at, quiet_period=policy.quiet_period, rules=policy.rules
    )
    decided = isinstance(outcome, Paid) or (isinstance(outcome, Unknown) and outcome.needs_human)
    if decided and (isinstance(outcome, Paid) or status in OPEN_ATTEMPTS):
        result = apply_settlements(session, [settle(attempt, outcome, now=now, policy=policy)], now=now)
        if result.contradictions:
            log.error("paid in a window, but decided otherwise here", merchant_uid=evidence.expected.merchant_uid)
    return verdict


def _finish(
    session: Session, checkout: CheckoutRow, order: OrderRow, evidence: OrderEvidence, proved: Proved, now: datetime
) -> PaymentVerdict:
    """Fulfil a proved order, its key first if there is one; else return what is wrong with the key."""
    key = None if evidence.key is None else judge_key(evidence.expected, evidence.key)
    if key is not None and not isinstance(key, Proved):
        if order.charge_id is not None:
            log.error("paid in a window, but PortOne shows no such billing key", checkout=checkout.id)
        if isinstance(key, Wrong) and proved.record is not None:
            kind = DiscrepancyKind.OTHER_AMOUNT
            _record_discrepancy(session, kind, proved.record, order.charge_id, key.sentence, now)
        return key
    activation = activate_key(session, checkout, order.billing_key_id, key, now=now)
    if activation.unneeded_key_id is not None:
        key_deletion_queries.schedule_deletion(session, activation.unneeded_key_id, at=now)
    _forget_other_keys(session, checkout, order)
    if activation.subscription_is_over and order.charge_id is not None and proved.record is not None:
        said = "its subscription was over before it could begin"
        _record_discrepancy(session, DiscrepancyKind.NOT_OWED, proved.record, order.charge_id, said, now)
    imp_uid = None if proved.record is None else proved.record.imp_uid
    if queries.mark_done(session, checkout.id, reason=activation.reason, imp_uid=imp_uid, now=now):
        log.info("checkout done", checkout=checkout.id, purpose=checkout.purpose, said=activation.reason)
    return proved


def _forget_other_keys(session: Session, checkout: CheckoutRow, order: OrderRow) -> None:
    """Have the keys deleted that this checkout's other orders were to register, once their windows are over."""
    for other in order_queries.orders_of(session, checkout.id):
        if other.billing_key_id is None or other.billing_key_id == order.billing_key_id:
            continue
        if other.key_status is BillingKeyStatus.REGISTERING:
            key_deletion_queries.schedule_deletion(session, other.billing_key_id, at=other.opened_at + WINDOW_LIFE)


def _record_discrepancy(
    session: Session, kind: DiscrepancyKind, record: PaymentRecord, charge_id: int | None, said: str, now: datetime
) -> None:
    """Ask an operator about money that moved and was not to."""
    noted = NewDiscrepancy(
        kind=kind,
        status=DiscrepancyStatus.OPEN,
        reason=f"{MEANINGS[kind]}: {said}",
        merchant_uid=record.merchant_uid,
        imp_uid=record.imp_uid,
        charge_id=charge_id,
        evidence={"portone": record.raw, "records": {"checkout": said}},
    )
    discrepancies.record(session, [noted], now=now)
