"""Letting a pending subscription begin, now that it has its first billing key; inside the caller's transaction."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod, first_start, period_starting
from schedules.plans import Plan
from worker.domain.states import ChargeStatus, SubscriptionStatus
from worker.ledger import charges
from worker.ledger.billed_opening import BilledPeriod, open_billed
from worker.ledger.charges import FirstCharge
from worker.ledger.terms import own_terms
from worker.ledger.voiding import void
from worker.ledger.waking import charge_now
from worker.subscriptions import activation_queries
from worker.subscriptions.queries import LockedSubscription
from worker.subscriptions.start_terms import anchor_of, starts_now


def first_charge(session: Session, subscription_id: int, plan: Plan, planned_on: date, *, now: datetime) -> int | None:
    """Open the charge of the first period, for a window to pay, and return its id; None when it is not today's.

    None too when nothing is to be paid for it: it is opened with the key then. One that a window may be paying is kept,
    whatever day it is: of two first periods, both could be paid.
    """
    kept, anchor_on = _kept(session, subscription_id, plan, planned_on, now)
    if kept is not None:
        return int(kept.id)
    period = period_starting(plan, anchor_on, first_start(plan, anchor_on))
    if not starts_now(plan, anchor_on, now=now) or not own_terms(session, subscription_id).bills([period])[0].amount:
        return None
    return _open(session, subscription_id, plan, period, now)


def start(session: Session, row: LockedSubscription, plan: Plan, key_id: int, *, reason: str, now: datetime) -> bool:
    """Begin a locked pending subscription with an active key; False when it is no longer pending.

    Without a trial the first period is charged at once, unless a payment window has paid it, or may.
    """
    kept, anchor_on = _kept(session, row.id, plan, row.anchor_on, now)
    values: dict[str, Any] = {
        "billing_key_id": key_id,
        "reason": reason,
        "anchor_on": anchor_on,
        "status": SubscriptionStatus.TRIALING if plan.trial_days else SubscriptionStatus.ACTIVE,
        "next_charge_at": first_start(plan, anchor_on),
        "current_period_start": None,
        "current_period_end": None,
    }
    if kept is None and starts_now(plan, anchor_on, now=now):
        period = period_starting(plan, anchor_on, first_start(plan, anchor_on))
        _open(session, row.id, plan, period, now)
        kept = charges.first_charge(session, row.id)
    if kept is not None:
        charge_now(session, kept.id, now=now)
        values |= {
            "next_charge_at": kept.period_end,
            "current_period_start": kept.period_start,
            "current_period_end": kept.period_end,
        }
    return activation_queries.start(session, row.id, values, now=now)


def anchor_now(session: Session, subscription_id: int, plan: Plan, planned_on: date, *, now: datetime) -> date:
    """Return the anchor that a pending subscription would begin with now; nothing is changed."""
    return _anchored(charges.first_charge(session, subscription_id), plan, planned_on, now)[1]


def _kept(
    session: Session, subscription_id: int, plan: Plan, planned_on: date, now: datetime
) -> tuple[FirstCharge | None, date]:
    """Return the first charge that there is already, and the anchor; an unpaid one of an earlier day becomes void."""
    charge = charges.first_charge(session, subscription_id)
    kept, anchor_on = _anchored(charge, plan, planned_on, now)
    if charge is not None and kept is None and not charge.is_refunded:
        reason = "its window was left unpaid, and the subscription begins later"
        void(session, [charge.id], expecting={ChargeStatus.DUE}, reason=reason, now=now)
    return kept, anchor_on


def _anchored(
    charge: FirstCharge | None, plan: Plan, planned_on: date, now: datetime
) -> tuple[FirstCharge | None, date]:
    """Return the first charge if it stays that, and the day from which the subscription counts."""
    anchor_on = anchor_of(plan, planned_on, now=now)
    if charge is None:
        return None, anchor_on
    if charge.is_refunded:  # what was paid for nothing pays for nothing; and one day is never charged twice
        return None, max(anchor_on, charge.period_start.astimezone(plan.time_zone).date() + timedelta(days=1))
    if charge.status == ChargeStatus.DUE and planned_on != anchor_on:
        return None, anchor_on
    return charge, planned_on


def _open(session: Session, subscription_id: int, plan: Plan, period: BillingPeriod, now: datetime) -> int:
    """Open the charge of the first period by its bill, and return its id."""
    first = BilledPeriod(
        subscription_id=subscription_id,
        period=period,
        line=own_terms(session, subscription_id).line,
        currency=plan.currency,
        order_name=plan.name,
        reason="its first period, started by a registration",
    )
    return open_billed(session, [first], now=now)[subscription_id].id
