"""Discount codes: added, ended, and redeemed at most as often as they allow, however many customers come at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

_COLUMNS = """
    d.id, d.code, d.name, d.percent, d.amount, d.periods, d.max_uses, d.uses, d.ends_at, d.ended_at, d.plans,
    d.created_at
"""

_ADD = text("""
    INSERT INTO discounts (code, name, percent, amount, periods, max_uses, ends_at, plans, created_at)
    VALUES (:code, :name, :percent, :amount, :periods, :max_uses, :ends_at, :plans, :now)
    ON CONFLICT (code) DO NOTHING
    RETURNING id
""")

_FOUND = text(f"SELECT {_COLUMNS} FROM discounts d WHERE d.code = :code")  # noqa: S608 - constants only

_LISTED = text(f"SELECT {_COLUMNS} FROM discounts d ORDER BY d.id DESC LIMIT :limit")  # noqa: S608 - constants only

_END = text("UPDATE discounts SET ended_at = :now WHERE code = :code AND ended_at IS NULL RETURNING id")

# Of those who come at once, each waits for the one before, and then finds what that has left.
_REDEEM = text("""
    UPDATE discounts SET uses = uses + 1
    WHERE id = :id AND ended_at IS NULL AND (ends_at IS NULL OR ends_at > :now)
      AND (max_uses IS NULL OR uses < max_uses)
    RETURNING id
""")

_IS_REDEEMED = text("""
    SELECT EXISTS (
        SELECT FROM adjustments
        WHERE discount_id = :id AND subscription_id = :subscription_id AND removed_at IS NULL)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDiscount:
    """A code to be added: `percent` or `amount` off each of `periods` periods (None: for ever).

    `plans` are the codes of those that it is for; none: it is for any.
    """

    code: str
    name: str
    percent: int | None
    amount: int | None
    periods: int | None
    max_uses: int | None
    ends_at: datetime | None
    plans: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountCode:
    """A discount code as it stands."""

    id: int
    code: str
    name: str
    percent: int | None
    amount: int | None
    periods: int | None
    max_uses: int | None
    uses: int
    ends_at: datetime | None
    ended_at: datetime | None
    plans: list[str]
    created_at: datetime


def add(session: Session, new: NewDiscount, *, now: datetime) -> bool:
    """Add a code; False when it is taken."""
    values: dict[str, Any] = {name: getattr(new, name) for name in NewDiscount.__slots__}
    return session.execute(_ADD, {**values, "now": now}).first() is not None


def found(session: Session, code: str) -> DiscountCode | None:
    """Return a discount code as it stands."""
    row = session.execute(_FOUND, {"code": code}).one_or_none()
    return None if row is None else DiscountCode(**row._mapping)  # noqa: SLF001 - public


def listed(session: Session, *, limit: int) -> Sequence[DiscountCode]:
    """Return the newest discount codes."""
    return [DiscountCode(**row._mapping) for row in session.execute(_LISTED, {"limit": limit})]  # noqa: SLF001 - public


def end(session: Session, code: str, *, now: datetime) -> bool:
    """End a code, so that it is redeemed no more; False when it has ended already. What was redeemed stays."""
    return session.execute(_END, {"code": code, "now": now}).first() is not None


def redeem(session: Session, discount_id: int, *, now: datetime) -> bool:
    """Count one more use of a code; False when it has ended or was used as often as it may be."""
    return session.execute(_REDEEM, {"id": discount_id, "now": now}).first() is not None


def is_redeemed(session: Session, discount_id: int, subscription_id: int) -> bool:
    """Return whether a subscription has redeemed a code already."""
    values = {"id": discount_id, "subscription_id": subscription_id}
    return bool(session.execute(_IS_REDEEMED, values).scalar_one())
