"""SQL of what is to come: the next charges of subscriptions, and prices that rise, in the order of their dates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import Result, text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.domain.states import SubscriptionStatus
from worker.ledger.due_subscriptions import START, Place

_WANTED = text("SELECT DISTINCT notices FROM plans WHERE notices <> 'none'")

_LAST_ID = 2**63 - 1

_OF_PART = ("looked", "last_at", "last_id")

_PLAN = "CROSS JOIN LATERAL (SELECT name, time_zone, notices FROM plans WHERE id = s.plan_id OFFSET 0) p"

MARGIN = timedelta(minutes=10)
"""How long before a notice a change may have been asked for that was not seen when the notice was made."""

# Whatever an operator, a customer or a host does to a subscription is a change, and what they agree to a consent. Codes
# that are redeemed are adjustments.
_CHANGED = """(told.times > 0 AND (
               EXISTS (
                   SELECT FROM changes y WHERE y.subscription_id = s.id
                     AND GREATEST(y.created_at, y.status_at, y.approved_at) > told.last_at - CAST(:margin AS interval)
                   OFFSET 0)
               OR EXISTS (
                   SELECT FROM consents t WHERE t.subscription_id = s.id
                     AND t.agreed_at > told.last_at - CAST(:margin AS interval) OFFSET 0)
               OR EXISTS (
                   SELECT FROM adjustments j WHERE j.subscription_id = s.id
                     AND j.created_at > told.last_at - CAST(:margin AS interval) OFFSET 0)))"""

# From the place on, and by nothing else: beside it, `next_charge_at > :now` would be where the index is read from, and
# each part of the walk would go through all parts before it.
_IN_ORDER = """
        SELECT * FROM subscriptions
        WHERE next_charge_at <= :until AND (next_charge_at, id) > (:after_at, :after_id)
        ORDER BY next_charge_at, id LIMIT :limit"""

_OF_ONE = """
        SELECT * FROM (SELECT * FROM subscriptions WHERE code = :code OFFSET 0) one
        WHERE next_charge_at > :now AND next_charge_at <= :until"""

# What was told, with nothing done to it since, is not handed on; where that is so of all, one row says where it ends.
_UNTOLD = """
    WITH looked AS MATERIALIZED ({of}
    )
    SELECT l.*, u.*
    FROM (
        SELECT count(*) AS looked, max({at}) AS last_at,
               (SELECT max(id) FROM looked WHERE {at} = (SELECT max({at}) FROM looked)) AS last_id
        FROM looked
    ) l LEFT JOIN ({untold}
    ) u ON true
    ORDER BY u.{at}, u.id
"""

# Of a subscription that is past due it is not certain that its next period is charged.
_CHARGES = f"""
        SELECT s.id, s.code, s.status, s.anchor_on, s.next_charge_at, p.name, p.time_zone, p.notices,
               told.times,
               s.status = 'past_due' OR s.waiting_since IS NOT NULL OR EXISTS (
                   SELECT FROM changes x
                   WHERE x.subscription_id = s.id AND x.status = 'scheduled' AND x.waits_for IS NULL
                     AND x.charge_id IS NULL OFFSET 0) AS is_planned
        FROM looked s {_PLAN}
        CROSS JOIN LATERAL (
            SELECT count(*) AS times, max(n.sent_at) AS last_at FROM notices n
            WHERE n.subscription_id = s.id AND n.about = s.next_charge_at AND n.source = ''
              AND n.kind = CASE s.status WHEN 'trialing' THEN 'trial' ELSE 'renewal' END OFFSET 0) told
        WHERE (told.times = 0 OR {_CHANGED})"""  # noqa: S608

_PRICES_IN_ORDER = """
        SELECT * FROM changes
        WHERE status = 'scheduled' AND kind = 'change_price' AND effective_at <= :until
          AND (effective_at, id) > (:after_at, :after_id)
        ORDER BY effective_at, id LIMIT :limit"""

_PRICES_OF_ONE = """
        SELECT * FROM (
            SELECT * FROM changes
            WHERE subscription_id = (SELECT id FROM subscriptions WHERE code = :code) AND status = 'scheduled' OFFSET 0
        ) of_one
        WHERE kind = 'change_price' AND effective_at > :now AND effective_at <= :until"""

_PRICES = f"""
        SELECT x.id, s.id AS subscription_id, s.code, x.effective_at, s.next_charge_at, p.name, p.time_zone, p.notices,
               told.times
        FROM looked x CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = x.subscription_id OFFSET 0) s {_PLAN}
        CROSS JOIN LATERAL (
            SELECT count(*) AS times, max(n.sent_at) AS last_at FROM notices n
            WHERE n.subscription_id = s.id AND n.about = x.effective_at AND n.source = ''
              AND n.kind = 'price' OFFSET 0) told
        WHERE s.status IN ('trialing', 'active', 'past_due', 'paused') AND (told.times = 0 OR {_CHANGED})"""  # noqa: S608

_NEXT_CHARGES, _NEXT_CHARGES_OF_ONE = (
    text(_UNTOLD.format(of=of, at="next_charge_at", untold=_CHARGES)) for of in (_IN_ORDER, _OF_ONE)
)
_NEXT_PRICES, _NEXT_PRICES_OF_ONE = (
    text(_UNTOLD.format(of=of, at="effective_at", untold=_PRICES)) for of in (_PRICES_IN_ORDER, _PRICES_OF_ONE)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCharge:
    """A subscription whose next charge comes. `is_planned`: what it comes to depends on more than its own terms.

    `times` is how often its customer was told of it, something having been done to it since.
    """

    id: int
    code: str
    status: SubscriptionStatus
    anchor_on: date
    next_charge_at: datetime
    name: str  # the plan's
    time_zone: str
    notices: str
    times: int
    is_planned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPrice:
    """A change of price that is to come, of a subscription that is not over: `times` as of a charge."""

    id: int  # of the change
    subscription_id: int
    code: str
    effective_at: datetime
    next_charge_at: datetime | None
    name: str
    time_zone: str
    notices: str
    times: int


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A part of what comes, in its order: what is to be told, of how many rows, and where the last one stands."""

    untold: Sequence[T]
    looked: int
    last: Place


def wanted(session: Session) -> Sequence[str]:
    """Return what plans say about notices, each once, but for those that want none."""
    return session.scalars(_WANTED).all()


def next_charges(session: Session, *, after: Place, until: datetime, now: datetime, limit: int) -> Part[NextCharge]:
    """Return the next charges up to an instant, after a place in their order."""
    plan_by_index(session)
    return _part(session.execute(_NEXT_CHARGES, _parameters(after, until, now, limit)), _charge)


def next_prices(session: Session, *, after: Place, until: datetime, now: datetime, limit: int) -> Part[NextPrice]:
    """Return the changes of price up to an instant, after a place in their order."""
    plan_by_index(session)
    return _part(session.execute(_NEXT_PRICES, _parameters(after, until, now, limit)), NextPrice)


def next_charges_of(session: Session, code: str, *, until: datetime, now: datetime) -> Part[NextCharge]:
    """Return the next charge of one subscription, if it comes before an instant."""
    return _part(
        session.execute(_NEXT_CHARGES_OF_ONE, {"code": code, "until": until, "now": now, "margin": MARGIN}), _charge
    )


def next_prices_of(session: Session, code: str, *, until: datetime, now: datetime) -> Part[NextPrice]:
    """Return the changes of price of one subscription up to an instant."""
    return _part(
        session.execute(_NEXT_PRICES_OF_ONE, {"code": code, "until": until, "now": now, "margin": MARGIN}), NextPrice
    )


def _parameters(after: Place, until: datetime, now: datetime, limit: int) -> dict[str, object]:
    """Return where a part begins: after the place, and with what comes after now."""
    after_at, after_id = max(after, (now, _LAST_ID))
    return {"after_at": after_at, "after_id": after_id, "until": until, "limit": limit, "margin": MARGIN}


def _part(found: Result[Any], made: Callable[..., T]) -> Part[T]:
    rows = [dict(row) for row in found.mappings()]
    (looked, *_), (last_at, *_), (last_id, *_) = ([row.pop(name) for row in rows] for name in _OF_PART)
    untold = [made(**row) for row in rows if row["id"] is not None]
    return Part(untold, looked, (last_at, last_id) if looked else START)


def _charge(*, status: str, **row: Any) -> NextCharge:
    return NextCharge(status=SubscriptionStatus(status), **row)
