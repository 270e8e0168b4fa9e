"""What a checkout's windows were opened for: one row per order, kept however many tabs and PGs a customer opens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

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


def of_checkout(session: Session, checkout_id: int) -> Sequence[Row[Any]]:
    """Give a checkout's orders, the one whose window was opened last first."""
    return session.execute(_OF_CHECKOUT, {"checkout_id": checkout_id}).all()


def opened(
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
    """Write down, before a window can open, what it is opened for; or that one more opens for the same."""
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


def codes_of(session: Session, merchant_uid: str) -> Sequence[str]:
    """Name the checkouts of which a window has this merchant_uid."""
    return session.scalars(_CODES, {"merchant_uid": merchant_uid}).all()
