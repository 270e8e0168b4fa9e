"""SQL of what a subscription is to and from which day it counts: of a locked one, changed by one guarded UPDATE."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.audit_reason import give_reason
from worker.domain.states import BillingKeyStatus
from worker.subscriptions.queries import LockedSubscription

_STANDING = text("""
    SELECT s.customer_reference, s.plan_id, s.quantity, s.price_version, s.anchor_on, s.next_charge_at,
           s.current_period_start, s.current_period_end, s.billing_key_id, k.pg, k.status AS key_status
    FROM subscriptions s LEFT JOIN billing_keys k ON k.id = s.billing_key_id
    WHERE s.id = :id
""")

_NEWEST_VERSION = text("""
    SELECT COALESCE(max(version), 1) FROM plan_prices WHERE plan_id = :plan_id AND sold_from <= :at
""")

# The running ones of a customer to one plan are kept apart by an index too: of two changes at once, one fails there.
_CHANGE = text("""
    UPDATE subscriptions s
    SET plan_id = :plan_id, quantity = :quantity, price_version = :price_version, anchor_on = :anchor_on,
        next_charge_at = :next_charge_at, current_period_start = :current_period_start,
        current_period_end = :current_period_end
    WHERE s.id = :id AND s.status = :status AND s.next_charge_at IS NOT DISTINCT FROM :expected
    RETURNING s.id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a subscription is to, how many of it, at which version of its price, and how its periods are counted."""

    plan_id: int
    quantity: int
    price_version: int
    anchor_on: date
    next_charge_at: datetime | None
    current_period_start: datetime | None
    current_period_end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a locked subscription stands: its customer, its terms and its billing key."""

    customer_reference: str
    terms: Terms
    billing_key_id: int | None
    pg: str | None
    key_status: BillingKeyStatus | None


def standing(session: Session, subscription_id: int) -> Standing:
    """Return where a locked subscription stands."""
    row = session.execute(_STANDING, {"id": subscription_id}).one()
    return Standing(
        customer_reference=row.customer_reference,
        terms=Terms(**{name: getattr(row, name) for name in Terms.__slots__}),
        billing_key_id=row.billing_key_id,
        pg=row.pg,
        key_status=None if row.key_status is None else BillingKeyStatus(row.key_status),
    )


def newest_version(session: Session, plan_id: int, *, at: datetime) -> int:
    """Return the version of a plan's price that is sold at an instant."""
    return int(session.scalar(_NEWEST_VERSION, {"plan_id": plan_id, "at": at}) or 1)


def change_terms(session: Session, row: LockedSubscription, terms: Terms, *, reason: str, now: datetime) -> bool:
    """Change the terms of a locked subscription; False when it is not as it was read. A trigger audits them, and why.

    Raises IntegrityError when the customer has a running subscription to that plan by now.
    """
    give_reason(session, reason, now=now)
    values = {**asdict(terms), "id": row.id, "status": row.status, "expected": row.next_charge_at}
    return session.execute(_CHANGE, values).first() is not None
