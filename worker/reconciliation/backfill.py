"""Backfilling payments that PortOne has and our records lack, or hold for declined: one per billing period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from schedules.periods import first_start, next_start, period_starting
from schedules.plans import Plan
from worker.domain.discrepancy_rules import MEANINGS, ComparisonResult, DiscrepancyKind, LocalRecord, refunded
from worker.domain.gateway import PaymentRecord
from worker.domain.merchant_uid import MerchantUid
from worker.domain.payment_time import can_be_paid_at
from worker.ledger import discrepancies, end_of_dunning, found_payments, missing_charges
from worker.ledger.discrepancies import NewDiscrepancy
from worker.ledger.found_payments import Backfill, KnownSubscription, OpeningTerms
from worker.ledger.subscription_status import settle_subscriptions

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ComparedPayment:
    """A payment of ours, the parts of its merchant_uid, what our records have about it, and what follows."""

    record: PaymentRecord
    parts: MerchantUid
    local: LocalRecord
    verdict: ComparisonResult

    def discrepancy(self, kind: DiscrepancyKind) -> NewDiscrepancy:
        return discrepancies.of_payment(kind, self.record, self.local, self.parts)


def backfill(session: Session, wanted: Sequence[ComparedPayment], *, now: datetime) -> tuple[int, list[NewDiscrepancy]]:
    """Write payments that are missing or declined here, one per period; further payments of a period were paid twice.

    Returns how many were written, and the discrepancies to be recorded, those of written payments included.
    """
    if not wanted:
        return 0, []
    planned, found = _plan_all(session, wanted, now)
    found_payments.move_anchors(session, planned, now=now)
    written = found_payments.backfill_payments(session, planned, now=now)
    imp_uids = {each.record.imp_uid for each in planned}
    for each in wanted:
        if each.record.imp_uid in imp_uids:
            # One that was not written is being settled by another process; its charge waits for the next sweep.
            row = written.get(each.record.merchant_uid)
            kind = DiscrepancyKind(each.verdict)
            found.append(discrepancies.of_payment(kind, each.record, each.local, each.parts, row))
    found_payments.revive_keys(session, [row.id for row in written.values()], now=now)
    paid = [each.subscription_id for each in planned if each.record.merchant_uid in written]
    settle_subscriptions(session, paid, reason="paid", now=now)
    end_of_dunning.undo_settled(session, paid, reason="it was paid", now=now)
    return len(written), found


def _plan_all(
    session: Session, wanted: Sequence[ComparedPayment], now: datetime
) -> tuple[list[Backfill], list[NewDiscrepancy]]:
    """Return the backfills, at most one per period, and the discrepancies of payments that cannot be backfilled."""
    codes = (each.parts.subscription_code for each in wanted)
    subscriptions = found_payments.subscriptions_by_code(session, codes)
    anchors: dict[str, date] = {}
    planned: dict[tuple[str, datetime], Backfill] = {}
    found: list[NewDiscrepancy] = []
    for each in sorted(wanted, key=_kept_then_oldest):
        code = each.parts.subscription_code
        period = (code, each.parts.period_start)
        if period in planned:
            found.append(each.discrepancy(DiscrepancyKind.PAID_TWICE))
        elif (planned_backfill := _plan(session, each, subscriptions.get(code), anchors, now)) is None:
            found.append(each.discrepancy(DiscrepancyKind.NOT_IN_RECORDS))
        elif planned_backfill.as_planned:
            planned[period] = planned_backfill
        else:
            found.append(_of_other_amount(session, planned_backfill, each.local, now))
    return list(planned.values()), found


def _kept_then_oldest(each: ComparedPayment) -> tuple[bool, datetime, int]:
    """Sort key: a payment that was not refunded comes first, then the oldest; the first one pays the period."""
    record = each.record
    paid_at = record.paid_at or datetime.max.replace(tzinfo=UTC)
    return refunded(record) == record.amount, paid_at, each.parts.number


def _of_other_amount(session: Session, unfit: Backfill, local: LocalRecord, now: datetime) -> NewDiscrepancy:
    """Leave a period that was paid with another amount to an operator; its charge is opened, so that it waits too."""
    charge_id = missing_charges.open_unpaid_charge(session, unfit, now=now)
    known = replace(local, charge_id=charge_id)
    return discrepancies.of_payment(DiscrepancyKind.OTHER_AMOUNT, unfit.record, known, unfit.parts)


def _plan(
    session: Session, each: ComparedPayment, row: KnownSubscription | None, anchors: dict[str, date], now: datetime
) -> Backfill | None:
    """Return the backfill of a payment; None when it can pay no period of the subscription."""
    record, parts, local = each.record, each.parts, each.local
    if row is None or record.paid_at is None or not can_be_paid_at(record.merchant_uid, record.paid_at, now=now):
        return None
    if (plan := row.plan) is None:
        _log_impossible(record, row.plan_error)
        return None
    try:
        anchor_on = anchors.get(parts.subscription_code) or _anchor(row, plan, record, parts.period_start)
        period = period_starting(plan, anchor_on, parts.period_start)
        is_ours = next_start(plan, anchor_on, parts.period_start - timedelta(seconds=1)) == parts.period_start
    except (ValueError, LookupError, OSError, ArithmeticError) as error:
        _log_impossible(record, str(error))
        return None
    if local.charge_id is None and not (is_ours and _has_started(period.start, row, now)):
        return None
    if row.has_not_started:
        anchors[parts.subscription_code] = anchor_on
    as_planned = local.charge_id is not None or (record.amount, record.currency) == (plan.amount, plan.currency)
    terms = OpeningTerms(
        order_name=plan.name,
        amount=plan.amount,
        currency=plan.currency,
        tax_free=plan.tax_free,
        vat_amount=plan.vat_amount,
    )
    reason = MEANINGS[DiscrepancyKind(each.verdict)]
    planned = Backfill(record, parts, row.id, period, terms, reason, as_planned, anchor_on, row.line)
    if local.charge_id is None and row.is_adjusted and _is_billed_so(session, planned, now):
        return replace(planned, as_planned=True)
    return planned


def _is_billed_so(session: Session, planned: Backfill, now: datetime) -> bool:
    """Return whether a missing charge comes to what was paid by its own bill; it is opened then, and uses that up.

    A restored database has forgotten the charge, and what it had used of discounts and credits with it.
    """
    billed = missing_charges.bill_of_missing(session, planned)
    paid, currency = planned.record.amount, planned.record.currency
    if (paid, currency) != (billed.amount, planned.terms.currency):
        return False
    missing_charges.open_missing(session, planned, reason=planned.reason, now=now)
    return True


def _log_impossible(record: PaymentRecord, reason: str) -> None:
    log.error("payment cannot be backfilled", merchant_uid=record.merchant_uid, reason=reason)


def _anchor(row: KnownSubscription, plan: Plan, record: PaymentRecord, period_start: datetime) -> date:
    """Return the day from which a subscription counts: the day of its first payment, if it has not started.

    A restored database may have forgotten that its customer registered on a later day than planned.
    """
    paid_from = period_start.astimezone(plan.time_zone).date()
    kept = refunded(record) < record.amount
    if row.has_not_started and kept and paid_from >= row.anchor_on and first_start(plan, paid_from) == period_start:
        return paid_from
    return row.anchor_on


def _has_started(start: datetime, row: KnownSubscription, now: datetime) -> bool:
    """Return whether a period may be paid by now; a payment window pays a first period before the plan's hour too."""
    return start <= (now + timedelta(days=1) if row.has_not_started else now)
