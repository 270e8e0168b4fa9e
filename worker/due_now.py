"""What one subscription owes at this instant, opened at once, so that a pause or a cancellation forgets nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod, Opening, due_periods
from worker.database import openings
from worker.database.plans import plan_of
from worker.lifecycle import ChargeStatus


def open_due_now(session: Session, row: Row[Any], *, now: datetime) -> None:
    """Open the charges of a locked subscription's periods that have begun by now, however many no tick has opened.

    `row` holds the subscription with its plan, as `openings.due_subscriptions` gives it.
    """
    opening = due_periods(plan_of(row), row.anchor_on, next_charge_at=row.next_charge_at, now=now, cap=sys.maxsize)
    openings.open_charges(session, charges_of(row, opening), now=now)
    openings.advance(session, [advanced(row, opening)], now=now)


def charges_of(row: Row[Any], opening: Opening) -> Iterator[Mapping[str, Any]]:
    """Give the charges to open. A period that the catch-up policy skips gets a void one: nothing due is forgotten."""
    for period in opening.open:
        yield _charge(row, period, ChargeStatus.DUE, "its period began")
    for period in opening.void:
        yield _charge(row, period, ChargeStatus.VOID, f"skipped by the plan's catch-up policy ({row.catch_up})")


def advanced(row: Row[Any], opening: Opening) -> Mapping[str, Any]:
    """Give where the subscription stands once the charges of an opening, which has one at least, are open."""
    newest = max((*opening.open, *opening.void), key=lambda period: period.start)
    return {
        "id": row.id,
        "expected": row.next_charge_at,
        "next_charge_at": opening.next_charge_at,
        "current_period_start": newest.start,
        "current_period_end": newest.end,
    }


def _charge(row: Row[Any], period: BillingPeriod, status: ChargeStatus, reason: str) -> Mapping[str, Any]:
    return {
        "subscription_id": row.id,
        "period_start": period.start,
        "period_end": period.end,
        "amount": row.amount,
        "tax_free": row.tax_free,
        "vat_amount": row.vat_amount,
        "currency": row.currency,
        "order_name": row.name,
        "status": status,
        "reason": reason,
    }
