"""SQL of window orders: one row per order of a checkout, however many tabs and PGs a customer opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.domain.states import BillingKeyStatus

# One period's order may stand in two checkouts, and any window of it may pay: `opened_pgs` are those of all of them.
_COLUMNS = """
    o.id, o.merchant_uid, o.pg, o.charge_id, o.billing_key_id, o.amount, o.opened_at,
    b.customer_uid, b.status AS key_status,
    ARRAY(SELECT DISTINCT unnest(w.opened_pgs) FROM window_orders w WHERE w.merchant_uid = o.merchant_uid) AS opened_pgs
"""

_OF_CHECKOUT = text(f"""
    SELECT {_COLUMNS} FROM window_orders o LEFT JOIN billing_keys b ON b.id = o.billing_key_id
    WHERE o.checkout_id = :checkout_id ORDER BY o.opened_at DESC, o.id DESC
""")  # noqa: S608 - constants only

_OPENED = text("""
    INSERT INTO window_orders AS o (checkout_id, merchant_uid, pg, opened_pgs, charge_id, billing_key_id, amount,
                                    opened_at)
    VALUES (:checkout_id, :merchant_uid, CAST(:pg AS text), ARRAY[CAST(:pg AS text)], :charge_id, :billing_key_id,
            :amount, :now)
    ON CONFLICT (checkout_id, merchant_uid) DO UPDATE
        SET pg = excluded.pg, opened_at = excluded.opened_at, billing_key_id = excluded.billing_key_id,
            opened_pgs = array_append(array_remove(o.opened_pgs, CAST(:pg AS text)), CAST(:pg AS text))
""")

_CODES = text("""
    SELECT k.code FROM window_orders o JOIN checkouts k ON k.id = o.checkout_id
    WHERE o.merchant_uid = :merchant_uid ORDER BY k.id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """What windows of one order were opened for: a charge to pay, a billing key to register, or both."""

    id: int
    merchant_uid: str
    pg: str  # of its newest window
    opened_pgs: frozenset[str]  # of all its windows, in every checkout
    charge_id: int | None
    billing_key_id: int | None
    amount: int  # what it charges, or with a key alone shows
    opened_at: datetime
    customer_uid: str | None = field(repr=False)
    key_status: BillingKeyStatus | None


def orders_of(session: Session, checkout_id: int) -> list[OrderRow]:
    """Return a checkout's orders, the one whose window was opened last first."""
    return [_order(row) for row in session.execute(_OF_CHECKOUT, {"checkout_id": checkout_id})]


def record_opened(
    session: Session,
    checkout_id: int,
    *,
    merchant_uid: str,
    pg: str,
    charge_id: int | None,
    billing_key_id: int | None,
    amount: int,
    now: datetime,
) -> None:
    """Record, before a window can open, what it is opened for; or that one more opens for the same."""
    values = {
        "checkout_id": checkout_id,
        "merchant_uid": merchant_uid,
        "pg": pg,
        "charge_id": charge_id,
        "billing_key_id": billing_key_id,
        "amount": amount,
        "now": now,
    }
    session.execute(_OPENED, values)


def checkout_codes_of(session: Session, merchant_uid: str) -> Sequence[str]:
    """Return the codes of the checkouts that have opened a window with this merchant_uid."""
    return session.scalars(_CODES, {"merchant_uid": merchant_uid}).all()


def _order(row: Row[Any]) -> OrderRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    status = None if row.key_status is None else BillingKeyStatus(row.key_status)
    return OrderRow(**{**values, "opened_pgs": frozenset(row.opened_pgs), "key_status": status})
