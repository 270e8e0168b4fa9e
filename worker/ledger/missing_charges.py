"""Charges that a payment shows and our records lack: opened by the bill that they would have had."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.pricing.bill import Bill
from worker.ledger import adjustments
from worker.ledger.billed_opening import BilledPeriod, bill_of, open_billed
from worker.ledger.found_payments import Backfill

_CHARGE_ID = text("SELECT id FROM charges WHERE subscription_id = :subscription_id AND period_start = :period_start")


def bill_of_missing(session: Session, backfill: Backfill) -> Bill:
    """Return what a missing charge comes to if it is opened now: discounts and credits are used as they stand."""
    open_ = adjustments.open_of(session, [backfill.subscription_id])
    return bill_of(_billed(backfill, ""), open_.get(backfill.subscription_id, ()))


def open_missing(session: Session, backfill: Backfill, *, reason: str, now: datetime) -> None:
    """Open the missing charge of a payment by its own bill, which uses up what it uses."""
    open_billed(session, [_billed(backfill, reason)], now=now)


def open_unpaid_charge(session: Session, backfill: Backfill, *, now: datetime) -> int:
    """Open the missing charge of a payment of another amount by its own bill, and return its id.

    By that bill there may be nothing to pay; the payment is in question in any case.
    """
    open_missing(session, backfill, reason="its period began, and PortOne shows a payment of another amount", now=now)
    known = {"subscription_id": backfill.subscription_id, "period_start": backfill.period.start}
    return int(session.execute(_CHARGE_ID, known).scalar_one())


def _billed(backfill: Backfill, reason: str) -> BilledPeriod:
    assert backfill.line is not None, "where a charge may be missing, its plan was read"
    return BilledPeriod(
        subscription_id=backfill.subscription_id,
        period=backfill.period,
        line=backfill.line,
        currency=backfill.terms.currency,
        order_name=backfill.terms.order_name,
        reason=reason,
    )
