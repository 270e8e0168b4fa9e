"""SQL of a customer's own subscriptions, and of their charges that can be paid by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.domain.states import SubscriptionStatus
from worker.ledger.charges import ACCESS_UNTIL, PAID_UNTIL, PAYABLE_BY_HAND
from worker.ledger.terms import OWN_AMOUNT, OWN_PLAN, OWN_PRICE

# By plan, of which there are few: that is how the index of running subscriptions begins.
_RUNNING = text(f"""
    SELECT s.id, s.code, s.status, s.anchor_on, s.next_charge_at, p.code AS plan, p.name, s.quantity,
           {OWN_AMOUNT} AS amount, {PAID_UNTIL} AS paid_until, {ACCESS_UNTIL} AS access_until
    FROM plans p JOIN subscriptions s ON s.plan_id = p.id {OWN_PRICE}
    WHERE s.customer_reference = :customer AND s.status NOT IN ('canceled', 'ended')
    ORDER BY s.id
""")  # noqa: S608 - constants only

_PAID_AHEAD = text(f"""
    SELECT * FROM (
        SELECT s.id, s.code, s.status, s.anchor_on, s.next_charge_at, p.code AS plan, p.name, s.quantity,
               {OWN_AMOUNT} AS amount, {PAID_UNTIL} AS paid_until, {ACCESS_UNTIL} AS access_until
        FROM subscriptions s {OWN_PLAN}
        WHERE s.customer_reference = :customer AND s.status IN ('canceled', 'ended')
        OFFSET 0) over
    WHERE paid_until > :now
    ORDER BY id
""")  # noqa: S608 - constants only

_OVERDUE = text(f"""
    SELECT c.id, c.subscription_id, c.order_name AS name, c.amount, c.currency, c.period_start, c.period_end
    FROM charges c
    WHERE c.subscription_id = ANY(:ids) AND ({PAYABLE_BY_HAND} OR c.status = 'charging' AND (
        SELECT a.via FROM attempts a WHERE a.charge_id = c.id ORDER BY a.number DESC LIMIT 1) = 'window')
    ORDER BY c.period_start, c.id
""")  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSubscription:
    """A subscription of a customer, with its plan."""

    id: int
    code: str
    status: SubscriptionStatus
    anchor_on: date
    next_charge_at: datetime | None
    plan: str
    name: str
    quantity: int
    amount: int  # of a whole period, in won
    paid_until: datetime | None
    access_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueRow:
    """A charge that its customer can pay by hand. `amount` is won."""

    id: int
    subscription_id: int
    name: str
    amount: int
    currency: str
    period_start: datetime
    period_end: datetime


def running(session: Session, customer_reference: str) -> list[OwnSubscription]:
    """Return a customer's subscriptions that are not over, the oldest first."""
    return [_own(row) for row in session.execute(_RUNNING, {"customer": customer_reference})]


def canceled_but_paid(session: Session, customer_reference: str, *, now: datetime) -> list[OwnSubscription]:
    """Return a customer's canceled subscriptions that are paid beyond `now`, the oldest first."""
    return [_own(row) for row in session.execute(_PAID_AHEAD, {"customer": customer_reference, "now": now})]


def overdue(session: Session, subscription_ids: Sequence[int]) -> list[OverdueRow]:
    """Return the charges of these subscriptions that can be paid by hand, the earliest period first."""
    return [OverdueRow(**_values(row)) for row in session.execute(_OVERDUE, {"ids": list(subscription_ids)})]


def _own(row: Row[Any]) -> OwnSubscription:
    return OwnSubscription(**{**_values(row), "status": SubscriptionStatus(row.status)})


def _values(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
