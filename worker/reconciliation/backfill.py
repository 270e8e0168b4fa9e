"""Adopting payments that PortOne has and our records do not, or hold for declined: one per billing period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from schedules.periods import first_start, next_start, period_starting
from schedules.plans import Plan
from worker.domain.discrepancy_rules import SENTENCES, DiscrepancyKind, Judgement, LocalRecord, refunded
from worker.domain.gateway import PaymentRecord
from worker.domain.merchant_uid import MerchantUid
from worker.domain.payment_time import can_be_paid_at
from worker.ledger import discrepancies, found_payments
from worker.ledger.discrepancies import Noted
from worker.ledger.found_payments import Adoption, KnownSubscription, OpeningTerms
from worker.ledger.subscription_status import settle_subscriptions

Judged = tuple[PaymentRecord, MerchantUid, LocalRecord, Judgement]
"""A payment of ours, its merchant_uid's parts, what our records say about it, and what follows."""

log = structlog.get_logger()


def adopt(session: Session, wanted: Sequence[Judged], *, now: datetime) -> tuple[int, list[Noted]]:
    """Adopt what is missing or declined here, one payment per period; the others of a period were paid twice."""
    if not wanted:
        return 0, []
    rows = found_payments.subscriptions(session, (parts.subscription_code for _, parts, _, _ in wanted))
    anchors: dict[str, date] = {}
    planned: dict[tuple[str, datetime], Adoption] = {}
    noted: list[Noted] = []
    for each in sorted(wanted, key=_paid_first):
        record, parts, local, _ = each
        period = (parts.subscription_code, parts.period_start)
        if period in planned:
            noted.append(discrepancies.of_payment(DiscrepancyKind.PAID_TWICE, record, local, parts))
        elif (adoption := _adoption(each, rows.get(parts.subscription_code), anchors, now)) is None:
            noted.append(discrepancies.of_payment(DiscrepancyKind.NOT_IN_RECORDS, record, local, parts))
        elif adoption.as_planned:
            planned[period] = adoption
        else:
            noted.append(_of_other_amount(session, adoption, local, now))
    found_payments.move_anchors(session, planned.values(), now=now)
    written = found_payments.adopt(session, list(planned.values()), now=now)
    adopted = {adoption.record.imp_uid for adoption in planned.values()}
    for record, parts, local, judgement in wanted:
        if record.imp_uid in adopted:
            # One that was not written met somebody who is settling it; until the next sweep its charge is left alone.
            row = written.get(record.merchant_uid)
            noted.append(discrepancies.of_payment(DiscrepancyKind(judgement), record, local, parts, row))
    found_payments.revive_keys(session, [row.id for row in written.values()], now=now)
    paid = [each.subscription_id for each in planned.values() if each.record.merchant_uid in written]
    settle_subscriptions(session, paid, reason="paid", now=now)
    return len(written), noted


def _paid_first(each: Judged) -> tuple[bool, datetime, int]:
    """Order payments so that the one that was kept, and then the oldest, is the period's."""
    record, parts, _, _ = each
    return refunded(record) == record.amount, record.paid_at or datetime.max.replace(tzinfo=UTC), parts.number


def _of_other_amount(session: Session, adoption: Adoption, local: LocalRecord, now: datetime) -> Noted:
    """Leave to a person a period that was paid with another amount; its charge is opened, so that nobody charges it."""
    charge_id = found_payments.open_unpaid(session, adoption, now=now)
    known = replace(local, charge_id=charge_id)
    return discrepancies.of_payment(DiscrepancyKind.OTHER_AMOUNT, adoption.record, known, adoption.parts)


def _adoption(each: Judged, row: KnownSubscription | None, anchors: dict[str, date], now: datetime) -> Adoption | None:
    """Plan an adoption; None when no period of the subscription can be paid by it."""
    record, parts, local, judgement = each
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
    if local.charge_id is None and not (is_ours and _has_begun(period.start, row, now)):
        return None  # no period of this subscription begins there, or none has begun yet
    if row.has_not_begun:
        anchors[parts.subscription_code] = anchor_on
    as_planned = local.charge_id is not None or (record.amount, record.currency) == (plan.amount, plan.currency)
    terms = OpeningTerms(
        order_name=plan.name,
        amount=plan.amount,
        currency=plan.currency,
        tax_free=plan.tax_free,
        vat_amount=plan.vat_amount,
    )
    reason = SENTENCES[DiscrepancyKind(judgement)]
    return Adoption(record, parts, row.id, period, terms, reason, as_planned, anchor_on)


def _log_impossible(record: PaymentRecord, reason: str) -> None:
    log.error("payment cannot be adopted", merchant_uid=record.merchant_uid, reason=reason)


def _anchor(row: KnownSubscription, plan: Plan, record: PaymentRecord, period_start: datetime) -> date:
    """Say from which day a subscription counts. One that has not begun does so from its first payment's day.

    The books may have forgotten that its customer registered, which was on a later day than planned.
    """
    paid_from = period_start.astimezone(plan.time_zone).date()
    kept = refunded(record) < record.amount
    if row.has_not_begun and kept and paid_from >= row.anchor_on and first_start(plan, paid_from) == period_start:
        return paid_from
    return row.anchor_on


def _has_begun(start: datetime, row: KnownSubscription, now: datetime) -> bool:
    """A first period is paid in a window on its day, before the plan's hour too."""
    return start <= (now + timedelta(days=1) if row.has_not_begun else now)
