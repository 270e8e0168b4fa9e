"""SQL of what a checkout is about: its charge, or its subscription."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.domain.states import ChargeStatus, SubscriptionStatus
from worker.ledger.charges import PAID_UNTIL

_CHARGE = text("""
    SELECT c.id, c.status, c.amount, c.tax_free, c.vat_amount, c.currency, c.order_name, c.period_start, c.period_end,
           s.code AS subscription_code
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id WHERE c.id = :id
""")

_SUBSCRIPTION = text(f"""
    SELECT s.id, s.code, s.status, s.anchor_on, s.next_charge_at, p.code AS plan_code, {PAID_UNTIL} AS paid_until
    FROM subscriptions s JOIN plans p ON p.id = s.plan_id WHERE s.code = :code
""")  # noqa: S608 - constants only

_PAID = text("SELECT COALESCE(sum(amount), 0) FROM charges WHERE id = ANY(:ids) AND status = 'paid'")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRow:
    """A charge that a checkout pays. Amounts are won."""

    id: int
    status: ChargeStatus
    amount: int
    tax_free: int
    vat_amount: int | None
    currency: str
    order_name: str
    period_start: datetime
    period_end: datetime
    subscription_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRow:
    """The subscription that a checkout is for. `paid_until` is the end of its last paid period."""

    id: int
    code: str
    status: SubscriptionStatus
    anchor_on: date
    next_charge_at: datetime | None
    plan_code: str
    paid_until: datetime | None


def charge_by_id(session: Session, charge_id: int) -> ChargeRow:
    """Return a charge that exists: charges are never deleted."""
    row = session.execute(_CHARGE, {"id": charge_id}).one()
    return ChargeRow(**{**_values(row), "status": ChargeStatus(row.status)})


def find_subscription(session: Session, code: str) -> SubscriptionRow | None:
    row = session.execute(_SUBSCRIPTION, {"code": code}).one_or_none()
    return None if row is None else SubscriptionRow(**{**_values(row), "status": SubscriptionStatus(row.status)})


def subscription_by_code(session: Session, code: str) -> SubscriptionRow:
    """Return a subscription that exists: subscriptions are never deleted."""
    found = find_subscription(session, code)
    assert found is not None, "subscriptions are never deleted"
    return found


def paid_amount(session: Session, charge_ids: Iterable[int]) -> int:
    """Return the sum of those of the charges that are paid, in won."""
    return int(session.execute(_PAID, {"ids": list(charge_ids)}).scalar_one())


def _values(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
