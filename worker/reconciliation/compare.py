"""Compares payments found at PortOne with our records: backfills, corrects, or opens a discrepancy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import structlog
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.domain.discrepancy_rules import Agreement, DiscrepancyKind, DiscrepancyStatus, judge, refunded
from worker.domain.gateway import PaymentRecord
from worker.domain.merchant_uid import MerchantUid, parse
from worker.ledger import discrepancies, found_payments, lookup_queue, subscription_holds
from worker.ledger.discrepancies import NewDiscrepancy
from worker.reconciliation.backfill import ComparedPayment, backfill
from worker.reconciliation.queries import SliceCounts

MONEY_MOVED = ("paid", "cancelled")
"""PortOne's statuses of payments in which money moved."""

BACKFILLED = frozenset({DiscrepancyKind.MISSING_HERE, DiscrepancyKind.DECLINED_HERE})
"""Kinds whose payments are written into our records."""

CLOSED_BY_AGREEMENT = (DiscrepancyKind.NOT_THERE, DiscrepancyKind.DECLINED_HERE, DiscrepancyKind.MISSING_HERE)
"""Kinds that no longer hold once PortOne and our records agree about the merchant_uid."""

DATABASE_REJECTS = (DataError, IntegrityError, ArithmeticError, ValueError)
"""Errors raised when a payment does not fit our schema: beyond a column's range, against a constraint, no real date."""

log = structlog.get_logger()

OwnPayment = tuple[PaymentRecord, MerchantUid]
"""A payment whose merchant_uid is ours, with the parts of that merchant_uid."""


def compare_page(
    sessions: Sessions, payments: Sequence[PaymentRecord], *, prefix: str, now: datetime, holds: bool = False
) -> SliceCounts:
    """Compare payments in which money moved with our records, and write what follows, in one transaction.

    A payment that the database rejects does not keep the others out: they are then written one by one, and it becomes a
    discrepancy. `holds`: a subscription with a payment for a period that it does not have is held for an operator.
    """
    once = {record.imp_uid: record for record in payments}  # one that was cancelled between two lists stands in both
    own = list(own_payments(once.values(), prefix))
    counts = SliceCounts(payments=len(once), not_ours=len(once) - len(own))
    try:
        return counts + (_compare(sessions, own, now, holds=holds) if own else SliceCounts())
    except DATABASE_REJECTS:
        for each in own:
            counts += _compare_alone(sessions, each, now, holds=holds)
        return counts


def own_payments(payments: Iterable[PaymentRecord], prefix: str) -> Iterator[OwnPayment]:
    """Yield the payments whose merchant_uids have our prefix: the account may be shared."""
    for record in payments:
        parts = parse(record.merchant_uid)
        if parts is not None and parts.prefix == prefix:
            yield record, parts


def _compare(sessions: Sessions, own: Sequence[OwnPayment], now: datetime, *, holds: bool) -> SliceCounts:
    with sessions.begin() as session:
        compared = _judge(session, own)
        # A settlement of one of them that is under way is waited for, and its result is compared.
        differing = [each.local.charge_id for each in compared if isinstance(each.verdict, DiscrepancyKind)]
        if charges := [each for each in differing if each is not None]:
            discrepancies.lock_charges(session, charges)
            compared = _judge(session, own)
        repaired, found = _write(session, compared, now)
        if holds:
            _hold_unaccounted(session, compared, now)
    return SliceCounts(repaired=repaired, found=found)


def _compare_alone(sessions: Sessions, own: OwnPayment, now: datetime, *, holds: bool) -> SliceCounts:
    try:
        return _compare(sessions, [own], now, holds=holds)
    except DATABASE_REJECTS as error:
        return _record_rejected(sessions, own, error, now)


def _judge(session: Session, own: Sequence[OwnPayment]) -> list[ComparedPayment]:
    return [
        ComparedPayment(record, parts, local, judge(record, local))
        for (record, parts), local in zip(own, discrepancies.local_records(session, own), strict=True)
    ]


def _record_rejected(sessions: Sessions, own: OwnPayment, error: Exception, now: datetime) -> SliceCounts:
    """Leave a payment that the database rejects to an operator."""
    record, _ = own
    log.error("payment cannot be compared", merchant_uid=record.merchant_uid, error=type(error).__name__)
    discrepancy = NewDiscrepancy(
        kind=DiscrepancyKind.NOT_IN_RECORDS,
        status=DiscrepancyStatus.OPEN,
        reason="paid at PortOne, in a way that our records cannot hold",
        merchant_uid=record.merchant_uid,
        imp_uid=record.imp_uid,
        evidence={"portone": {"amount": str(record.amount), "currency": record.currency}, "records": None},
    )
    with sessions.begin() as session:
        return SliceCounts(found=discrepancies.record(session, [discrepancy], now=now))


def _write(session: Session, compared: Sequence[ComparedPayment], now: datetime) -> tuple[int, int]:
    """Write what follows, and return how many payments were repaired, and how many new ones wait for an operator."""
    _close_agreeing(session, compared, now)
    _expedite_unsettled(session, compared, now)
    differing = [each for each in compared if isinstance(each.verdict, DiscrepancyKind)]
    written, found = backfill(session, [each for each in differing if each.verdict in BACKFILLED], now=now)
    refunds = {
        each.local.charge_id: refunded(each.record)
        for each in differing
        if each.verdict is DiscrepancyKind.REFUNDED_THERE and each.local.charge_id is not None
    }
    found_payments.record_refunds(session, refunds)
    found += [
        discrepancies.of_payment(DiscrepancyKind(each.verdict), each.record, each.local, each.parts)
        for each in differing
        if each.verdict not in BACKFILLED
    ]
    new = discrepancies.record(session, found, now=now)
    # A late answer may have reported it first, as one that this sweep would backfill.
    open_ones = [each for each in found if each.status is DiscrepancyStatus.OPEN]
    others = [each.merchant_uid for each in open_ones if each.kind not in BACKFILLED]
    discrepancies.close(session, others, BACKFILLED, reason="the sweep has found that it is something else", now=now)
    for each in found:
        log.warning("discrepancy", kind=each.kind.value, merchant_uid=each.merchant_uid, charge_id=each.charge_id)
    return written + len(refunds), new


def _hold_unaccounted(session: Session, compared: Sequence[ComparedPayment], now: datetime) -> None:
    """Hold the subscriptions of payments that are not in our records: which they are, the discrepancies say."""
    payments = {
        each.record.merchant_uid: each.parts.subscription_code for each in compared if each.local.charge_id is None
    }
    if payments:
        subscription_holds.hold_unaccounted(session, payments, by=subscription_holds.BY_RECONCILIATION, now=now)


def _close_agreeing(session: Session, compared: Sequence[ComparedPayment], now: datetime) -> None:
    agreeing = [each.record.merchant_uid for each in compared if each.verdict is Agreement.SETTLED]
    reason = "PortOne and our records agree"
    discrepancies.close(session, agreeing, CLOSED_BY_AGREEMENT, reason=reason, now=now)


def _expedite_unsettled(session: Session, compared: Sequence[ComparedPayment], now: datetime) -> None:
    """Have attempts looked up now that are still open, though PortOne shows their payments."""
    open_ones = [each.local for each in compared if each.verdict is Agreement.OPEN and not each.local.flagged]
    lookup_queue.expedite(session, [each.attempt_id for each in open_ones if each.attempt_id is not None], now=now)
