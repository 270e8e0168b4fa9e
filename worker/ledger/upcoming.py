"""What the next periods of a subscription will come to, as opening would charge them if nothing changed. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod, period_starting
from schedules.plans import Plan
from worker.domain.pricing.bill import Bill
from worker.ledger.due_subscriptions import due_subscription
from worker.ledger.opening import opening_of
from worker.ledger.terms import OwnTerms, own_terms


@dataclass(frozen=True, slots=True)
class UpcomingPeriod:
    """A period that will fall due, and its bill."""

    period: BillingPeriod
    bill: Bill


def upcoming_periods(
    session: Session,
    subscription_id: int,
    anchor_on: date,
    next_charge_at: datetime | None,
    *,
    now: datetime,
    count: int,
) -> Sequence[UpcomingPeriod]:
    """Return the next periods after those that have started by now; none while nothing falls due.

    Those that have started and that no tick has opened yet use up discounts and credits before them.
    """
    if next_charge_at is None:
        return ()
    terms = own_terms(session, subscription_id)
    due = due_subscription(session, subscription_id, now=now)
    opening = None if due is None else opening_of(due, now=now)
    started = opening.open if opening else ()
    start = opening.next_charge_at if opening else next_charge_at
    coming = periods_from(terms.plan, anchor_on, start, count=count)
    bills = terms.bills((*started, *coming))[len(started) :]
    return [UpcomingPeriod(period, bill) for period, bill in zip(coming, bills, strict=True)]


def next_period(terms: OwnTerms, anchor_on: date, next_charge_at: datetime) -> UpcomingPeriod:
    """Return the next period of a subscription of which none has started that is not opened."""
    (period,) = periods_from(terms.plan, anchor_on, next_charge_at, count=1)
    return UpcomingPeriod(period, terms.bills([period])[0])


def periods_from(plan: Plan, anchor_on: date, start: datetime, *, count: int) -> Sequence[BillingPeriod]:
    """Return `count` periods one after the other, the first from `start`."""
    periods: list[BillingPeriod] = []
    for _ in range(count):
        periods.append(period_starting(plan, anchor_on, start))
        start = periods[-1].end
    return periods
