"""What one subscription owes at this instant, opened at once, so that a pause or a cancellation forgets nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod, Opening, due_periods, within
from schedules.plans import Plan
from worker.domain.states import ChargeStatus
from worker.ledger import opening as openings
from worker.subscriptions.plan_queries import plan_of

BEYOND = "it passed while as many charges were unpaid as the plan allows"


def open_due_now(session: Session, row: Row[Any], *, now: datetime) -> None:
    """Open the charges of a locked subscription's periods that have begun by now, however many no tick has opened.

    `row` holds the subscription with its plan, as `openings.due_subscriptions` gives it.
    """
    opening = opening_of(row, now=now)
    openings.open_charges(session, charges_of(row, opening), now=now)
    openings.advance(session, [advanced(row, opening)], now=now)


def opening_of(row: Row[Any], *, now: datetime) -> Opening:
    """Say what becomes of every period of a subscription that has begun by now and has no charge yet."""
    return opening_by(plan_of(row), row, now=now, cap=sys.maxsize)


def opening_by(plan: Plan, row: Row[Any], *, now: datetime, cap: int) -> Opening:
    """Say what becomes of the first `cap` periods: what the plan's catch-up policy and its limit leave open.

    Behind a dead key each further charge is one more that is unpaid; with a good one, what is behind is caught up with.
    """
    opening = due_periods(plan, row.anchor_on, next_charge_at=row.next_charge_at, now=now, cap=cap)
    if row.has_key and row.unpaid < plan.max_open_charges:
        return opening
    return within(opening, max(plan.max_open_charges - row.unpaid, 0))


def charges_of(row: Row[Any], opening: Opening) -> Iterator[Mapping[str, Any]]:
    """Give the charges to open. A period that the catch-up policy skips gets a void one: nothing due is forgotten."""
    for period in opening.open:
        yield _charge(row, period, ChargeStatus.DUE, "its period began")
    for period in opening.void:
        yield _charge(row, period, ChargeStatus.VOID, f"skipped by the plan's catch-up policy ({row.catch_up})")
    for period in opening.beyond:
        yield _charge(row, period, ChargeStatus.VOID, f"{BEYOND} ({row.max_open_charges})")


def advanced(row: Row[Any], opening: Opening) -> Mapping[str, Any]:
    """Give where the subscription stands once the charges of an opening, which has one at least, are open."""
    newest = max((*opening.open, *opening.void, *opening.beyond), key=lambda period: period.start)
    return {
        "id": row.id,
        "expected": row.next_charge_at,
        "next_charge_at": opening.next_charge_at,
        "current_period_start": newest.start,
        "current_period_end": newest.end,
        "waits": bool(opening.beyond),
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
