"""SQL of what a customer's account shows: whose a subscription is, its charges, what was refunded. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.ledger.archive import answer_of
from worker.ledger.charges import ACCESS_UNTIL, PAID_UNTIL
from worker.ledger.terms import OWN_AMOUNT, OWN_PLAN

_OWNERS = {
    "subscription": text("SELECT customer_reference FROM subscriptions WHERE code = :of"),
    "charge": text("""
        SELECT customer_reference FROM subscriptions WHERE id = (SELECT subscription_id FROM charges WHERE id = :of)
    """),
    "change": text("""
        SELECT customer_reference FROM subscriptions WHERE id = (SELECT subscription_id FROM changes WHERE id = :of)
    """),
}

# The running ones by plan, of which there are few, and those that are over: each by its own index.
_SUBSCRIPTIONS = text(f"""
    SELECT s.id, s.code, p.code AS plan, p.name, p.time_zone, s.status, s.quantity, s.created_at,
           {OWN_AMOUNT} AS amount, {PAID_UNTIL} AS paid_until, {ACCESS_UNTIL} AS access_until
    FROM subscriptions s {OWN_PLAN}
    WHERE s.id = ANY(ARRAY(
        SELECT running.id FROM plans
        CROSS JOIN LATERAL (
            SELECT id FROM subscriptions
            WHERE plan_id = plans.id AND customer_reference = :customer AND status NOT IN ('canceled', 'ended') OFFSET 0
        ) running
        UNION ALL
        SELECT id FROM subscriptions WHERE customer_reference = :customer AND status IN ('canceled', 'ended')))
    ORDER BY s.id
""")  # noqa: S608 - constants only

_PLANNED = text("""
    SELECT s.code FROM subscriptions s
    WHERE s.code = ANY(:codes) AND EXISTS (
        SELECT FROM changes x
        WHERE x.subscription_id = s.id AND x.status = 'scheduled' AND x.waits_for IS NULL AND x.charge_id IS NULL)
""")

_CHARGES = text(f"""
    SELECT c.id, c.order_name AS name, c.status, c.amount, c.tax_free, c.vat_amount, c.currency, c.period_start,
           c.period_end, c.paid_at, c.refunded, c.paid_elsewhere IS NOT NULL AS is_paid_elsewhere,
           paid.pg, paid.receipt_url
    FROM (
        SELECT * FROM charges WHERE subscription_id = :id ORDER BY period_start DESC LIMIT :most
    ) c
    LEFT JOIN LATERAL (
        SELECT COALESCE({answer_of("a")} ->> 'pg_provider', k.pg) AS pg,
               {answer_of("a")} ->> 'receipt_url' AS receipt_url
        FROM attempts a
        LEFT JOIN LATERAL (SELECT pg FROM billing_keys WHERE id = a.billing_key_id OFFSET 0) k ON true
        WHERE a.charge_id = c.id AND a.status = 'paid'
        ORDER BY a.number LIMIT 1
    ) paid ON true
    ORDER BY c.period_start DESC
""")  # noqa: S608 - constants only

_ITEMS = text("""
    SELECT charge_id, kind, description, quantity, unit_amount, amount, tax_free, vat_amount FROM charge_items
    WHERE charge_id = ANY(:charges) ORDER BY charge_id, position
""")

_REFUNDS = text("""
    SELECT charge_id, change_id AS change, amount, status, started_at AS asked_at, settled_at FROM refunds
    WHERE charge_id = ANY(:charges) ORDER BY charge_id, id
""")


def owner_of(session: Session, what: str, of: str | int) -> str | None:
    """Return the customer whose subscription (by its code), charge or change (by its id) it is; None if unknown."""
    owner: str | None = session.scalar(_OWNERS[what], {"of": of})
    return owner


def subscriptions(session: Session, customer_reference: str) -> Sequence[Mapping[str, Any]]:
    """Return all subscriptions of a customer, those that are over too, the oldest first."""
    return _rows(session, _SUBSCRIPTIONS, customer=customer_reference)


def planned(session: Session, codes: Sequence[str]) -> Sequence[str]:
    """Return which of these subscriptions have a change to come that waits for its time alone."""
    return session.scalars(_PLANNED, {"codes": list(codes)}).all()


def charges(session: Session, subscription_id: int, *, most: int) -> Sequence[Mapping[str, Any]]:
    """Return the charges of a subscription by their periods, the newest first, each with its payment."""
    return _rows(session, _CHARGES, id=subscription_id, most=most)


def items(session: Session, charge_ids: Sequence[int]) -> Sequence[Mapping[str, Any]]:
    """Return the items of charges, each charge's in their order."""
    return _rows(session, _ITEMS, charges=list(charge_ids))


def refunds(session: Session, charge_ids: Sequence[int]) -> Sequence[Mapping[str, Any]]:
    """Return the refunds that were asked for of charges, each charge's in their order."""
    return _rows(session, _REFUNDS, charges=list(charge_ids))


def _rows(session: Session, query: Any, **parameters: Any) -> Sequence[Mapping[str, Any]]:
    return [dict(row) for row in session.execute(query, parameters).mappings()]
