"""What looks like the same customer once more on the same plan: by the reference, or by the billing key."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.tables.billing import look_alike

# Each fenced, so that the few rows it is about are found by the index that is made for it.
_OF_REFERENCE = text(f"""
    SELECT other.code
    FROM (SELECT id, plan_id, {look_alike("customer_reference")} AS look
          FROM subscriptions WHERE code = :code OFFSET 0) s
    CROSS JOIN LATERAL (
        SELECT id, code FROM (
            SELECT id, code FROM subscriptions
            WHERE {look_alike("customer_reference")} = s.look AND plan_id = s.plan_id
              AND status NOT IN ('canceled', 'ended') OFFSET 0) alike
        WHERE id <> s.id
        ORDER BY id LIMIT 1) other
""")  # noqa: S608 - constants only

_OF_ANOTHER = text("""
    SELECT other.code
    FROM (SELECT id, customer_reference, billing_key_id FROM subscriptions WHERE code = :code OFFSET 0) s
    CROSS JOIN LATERAL (
        SELECT code FROM (
            SELECT id, code, customer_reference, status FROM subscriptions
            WHERE billing_key_id = s.billing_key_id OFFSET 0) paid
        WHERE customer_reference <> s.customer_reference AND status NOT IN ('canceled', 'ended')
        ORDER BY id LIMIT 1) other
""")

_OF_KEY = text("""
    SELECT other.code
    FROM (SELECT id, plan_id, billing_key_id FROM subscriptions WHERE code = :code OFFSET 0) s
    CROSS JOIN LATERAL (
        SELECT code, plan_id FROM (
            SELECT id, code, plan_id, status FROM subscriptions WHERE billing_key_id = s.billing_key_id OFFSET 0) paid
        WHERE plan_id = s.plan_id AND status NOT IN ('canceled', 'ended') AND id <> s.id
        ORDER BY id LIMIT 1) other
""")


def of_reference(session: Session, code: str) -> str | None:
    """Return the code of a running subscription to the same plan, of a reference that differs in case, width or spaces.

    None when there is none.
    """
    found: str | None = session.scalar(_OF_REFERENCE, {"code": code})
    return found


def of_key(session: Session, code: str) -> str | None:
    """Return the code of another running subscription to the same plan that the same billing key pays for."""
    found: str | None = session.scalar(_OF_KEY, {"code": code})
    return found


def of_another_customer(session: Session, code: str) -> str | None:
    """Return the code of a running subscription of another customer, to any plan, that the same key pays for."""
    found: str | None = session.scalar(_OF_ANOTHER, {"code": code})
    return found
