"""SQL of what is to come: the next charges of subscriptions, and prices that rise, in the order of their dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Result, text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.domain.states import SubscriptionStatus
from worker.ledger.due_subscriptions import Place

_WANTED = text("SELECT DISTINCT notices FROM plans WHERE notices <> 'none'")

_PLAN = "CROSS JOIN LATERAL (SELECT name, time_zone, notices FROM plans WHERE id = s.plan_id OFFSET 0) p"

_IN_ORDER = """
        SELECT * FROM subscriptions
        WHERE next_charge_at > :now AND next_charge_at <= :until AND (next_charge_at, id) > (:after_at, :after_id)
        ORDER BY next_charge_at, id LIMIT :limit"""

_OF_ONE = """
        SELECT * FROM (SELECT * FROM subscriptions WHERE code = :code OFFSET 0) one
        WHERE next_charge_at > :now AND next_charge_at <= :until"""

# Of a subscription that is past due it is not certain that its next period is charged.
_CHARGES = """
    SELECT s.id, s.code, s.status, s.anchor_on, s.next_charge_at, p.name, p.time_zone, p.notices,
           EXISTS (
               SELECT FROM notices n
               WHERE n.subscription_id = s.id AND n.about = s.next_charge_at AND n.source = ''
                 AND n.kind = CASE s.status WHEN 'trialing' THEN 'trial' ELSE 'renewal' END OFFSET 0) AS is_told,
           s.status = 'past_due' OR s.waiting_since IS NOT NULL OR EXISTS (
               SELECT FROM changes x
               WHERE x.subscription_id = s.id AND x.status = 'scheduled' AND x.waits_for IS NULL
                 AND x.charge_id IS NULL OFFSET 0) AS is_planned
    FROM ({of}) s {plan}
    ORDER BY s.next_charge_at, s.id
"""

_PRICES_IN_ORDER = """
        SELECT * FROM changes
        WHERE status = 'scheduled' AND kind = 'change_price' AND effective_at > :now AND effective_at <= :until
          AND (effective_at, id) > (:after_at, :after_id)
        ORDER BY effective_at, id LIMIT :limit"""

_PRICES_OF_ONE = """
        SELECT * FROM (
            SELECT * FROM changes
            WHERE subscription_id = (SELECT id FROM subscriptions WHERE code = :code) AND status = 'scheduled' OFFSET 0
        ) of_one
        WHERE kind = 'change_price' AND effective_at > :now AND effective_at <= :until"""

_PRICES = """
    SELECT x.id, s.id AS subscription_id, s.code, x.effective_at, s.next_charge_at, p.name, p.time_zone, p.notices,
           s.status NOT IN ('trialing', 'active', 'past_due', 'paused') OR EXISTS (
               SELECT FROM notices n
               WHERE n.subscription_id = s.id AND n.about = x.effective_at AND n.source = '' AND n.kind = 'price'
               OFFSET 0) AS is_told
    FROM ({of}) x CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = x.subscription_id OFFSET 0) s {plan}
    ORDER BY x.effective_at, x.id
"""

_NEXT_CHARGES, _NEXT_CHARGES_OF_ONE = (text(_CHARGES.format(of=of, plan=_PLAN)) for of in (_IN_ORDER, _OF_ONE))
_NEXT_PRICES, _NEXT_PRICES_OF_ONE = (
    text(_PRICES.format(of=of, plan=_PLAN)) for of in (_PRICES_IN_ORDER, _PRICES_OF_ONE)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCharge:
    """A subscription whose next charge comes. `is_planned`: what it comes to depends on more than its own terms."""

    id: int
    code: str
    status: SubscriptionStatus
    anchor_on: date
    next_charge_at: datetime
    name: str  # the plan's
    time_zone: str
    notices: str
    is_told: bool
    is_planned: bool

    @property
    def place(self) -> Place:
        return self.next_charge_at, self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPrice:
    """A change of price that is to come; `is_told` too of a subscription that is over."""

    id: int  # of the change
    subscription_id: int
    code: str
    effective_at: datetime
    next_charge_at: datetime | None
    name: str
    time_zone: str
    notices: str
    is_told: bool

    @property
    def place(self) -> Place:
        return self.effective_at, self.id


def wanted(session: Session) -> Sequence[str]:
    """Return what plans say about notices, each once, but for those that want none."""
    return session.scalars(_WANTED).all()


def next_charges(session: Session, *, after: Place, until: datetime, now: datetime, limit: int) -> Sequence[NextCharge]:
    """Return the next charges up to an instant, after a place in their order."""
    plan_by_index(session)
    return _charges(session.execute(_NEXT_CHARGES, _parameters(after, until, now, limit)))


def next_prices(session: Session, *, after: Place, until: datetime, now: datetime, limit: int) -> Sequence[NextPrice]:
    """Return the changes of price up to an instant, after a place in their order."""
    plan_by_index(session)
    return _prices(session.execute(_NEXT_PRICES, _parameters(after, until, now, limit)))


def next_charges_of(session: Session, code: str, *, until: datetime, now: datetime) -> Sequence[NextCharge]:
    """Return the next charge of one subscription, if it comes before an instant."""
    return _charges(session.execute(_NEXT_CHARGES_OF_ONE, {"code": code, "until": until, "now": now}))


def next_prices_of(session: Session, code: str, *, until: datetime, now: datetime) -> Sequence[NextPrice]:
    """Return the changes of price of one subscription up to an instant."""
    return _prices(session.execute(_NEXT_PRICES_OF_ONE, {"code": code, "until": until, "now": now}))


def _parameters(after: Place, until: datetime, now: datetime, limit: int) -> dict[str, object]:
    return {"after_at": after[0], "after_id": after[1], "until": until, "now": now, "limit": limit}


def _charges(rows: Result[Any]) -> Sequence[NextCharge]:
    return [NextCharge(**{**row, "status": SubscriptionStatus(row["status"])}) for row in rows.mappings()]


def _prices(rows: Result[Any]) -> Sequence[NextPrice]:
    return [NextPrice(**row) for row in rows.mappings()]
