"""SQL of subscriptions: added, found, and moved by guarded UPDATEs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import CursorResult, Row, text
from sqlalchemy.orm import Session

from worker.database.audit_reason import give_reason
from worker.domain.customer_reference import normalized
from worker.domain.identifiers import masked
from worker.domain.states import SubscriptionStatus
from worker.ledger import end_of_dunning
from worker.ledger.charges import ACCESS_UNTIL, PAID_UNTIL
from worker.ledger.terms import OWN_AMOUNT, OWN_PLAN, SOLD_VERSION

_ADD = text(f"""
    INSERT INTO subscriptions (code, customer_reference, plan_id, billing_key_id, status, status_reason, status_at,
                               anchor_on, next_charge_at, created_at, price_version)
    VALUES (:code, :customer_reference, :plan_id, :billing_key_id, :status, :reason, :now, :anchor_on, :next_charge_at,
            :now, {SOLD_VERSION.format(plan=":plan_id")})
    ON CONFLICT (plan_id, customer_reference) WHERE status NOT IN ('canceled', 'ended') DO NOTHING
    RETURNING id
""")  # noqa: S608 - constants only

_RUNNING = text("""
    SELECT code FROM subscriptions
    WHERE plan_id = :plan_id AND customer_reference = :customer_reference AND status NOT IN ('canceled', 'ended')
""")

_LOCKED = text("""
    SELECT s.id, s.code, s.status, s.anchor_on, s.next_charge_at, s.paused_next_charge_at, s.billing_key_id,
           (SELECT code FROM plans WHERE id = s.plan_id) AS plan_code,
           EXISTS (
               SELECT FROM (SELECT status, declines FROM charges WHERE subscription_id = s.id OFFSET 0) c
               WHERE c.status = 'past_due' OR c.status = 'charging' AND c.declines > 0) AS owes,
           EXISTS (
               SELECT FROM (SELECT status FROM charges WHERE subscription_id = s.id OFFSET 0) c
               WHERE c.status IN ('paid', 'uncollectible', 'void')) AS has_settled
    FROM subscriptions s
    WHERE s.code = :code
    FOR UPDATE OF s
""")

_FOUND = text("SELECT id, status, next_charge_at, billing_key_id FROM subscriptions WHERE code = :code")

_MOVE = text("""
    UPDATE subscriptions
    SET status = :status, status_reason = :reason, status_at = :now, next_charge_at = :next_charge_at,
        waiting_since = NULL, paused_next_charge_at = CASE WHEN :paused THEN next_charge_at END,
        ends_at = CASE WHEN :canceled THEN CAST(:now AS timestamptz) END
    WHERE id = :id AND status = :expected
""")

_CHANGE_KEY = text("""
    UPDATE subscriptions SET billing_key_id = :key, waiting_since = NULL
    WHERE id = :id AND billing_key_id IS NOT DISTINCT FROM :expected
    RETURNING id
""")

_COLUMNS = f"""
    s.id, s.code, s.customer_reference, p.code AS plan, p.time_zone, s.status, s.status_reason, s.status_at,
    s.anchor_on, s.current_period_start, s.current_period_end, s.next_charge_at, s.waiting_since, s.created_at,
    p.max_open_charges, s.quantity, s.price_version, {OWN_AMOUNT} AS amount,
    {PAID_UNTIL} AS paid_until, {ACCESS_UNTIL} AS access_until,
    k.id AS key_id, k.customer_uid, k.label AS key_label, k.pg, k.status AS key_status
"""

_SHOWN = f"""
    SELECT {_COLUMNS}
    FROM subscriptions s {OWN_PLAN}
    LEFT JOIN LATERAL (SELECT * FROM billing_keys WHERE id = s.billing_key_id OFFSET 0) k ON true
"""  # noqa: S608 - constants only


# The running ones by plan, of which there are few, and those that are over.
_OF_CUSTOMER = """s.id = ANY(ARRAY(
    SELECT running.id FROM plans
    CROSS JOIN LATERAL (
        SELECT id FROM subscriptions
        WHERE plan_id = plans.id AND customer_reference = :customer AND status NOT IN ('canceled', 'ended') OFFSET 0
    ) running
    UNION ALL
    SELECT id FROM subscriptions WHERE customer_reference = :customer AND status IN ('canceled', 'ended')))"""

# Most are active. The others have an index, in whose order they are read; said as an equality, the planner would walk
# back through all subscriptions in the order of their ids and hope to meet some soon.
_HAS_STATUS = {True: "s.status = :status", False: "s.status <> 'active' AND s.status BETWEEN :status AND :status"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSubscription:
    """Where a subscription stands."""

    id: int
    status: SubscriptionStatus
    next_charge_at: datetime | None
    billing_key_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSubscription:
    """A subscription that this transaction alone may move.

    `owes`: a charge of it was declined and is not settled. `has_settled`: one was paid, given up or forgiven.
    """

    id: int
    code: str
    status: SubscriptionStatus
    anchor_on: date
    next_charge_at: datetime | None
    paused_next_charge_at: datetime | None
    billing_key_id: int | None
    plan_code: str
    owes: bool
    has_settled: bool


def add(session: Session, row: Mapping[str, Any], *, now: datetime) -> int | None:
    """Add a subscription and return its id; None when the customer has a running one to this plan."""
    added: int | None = session.scalar(_ADD, {**row, "now": now})
    return added


def running(session: Session, *, plan_id: int, customer_reference: str) -> str | None:
    """Return the code of the running subscription of a customer to a plan."""
    code: str | None = session.scalar(_RUNNING, {"plan_id": plan_id, "customer_reference": customer_reference})
    return code


def locked(session: Session, code: str) -> LockedSubscription | None:
    """Lock a subscription, so that no tick and no other command moves it before this transaction ends."""
    row = session.execute(_LOCKED, {"code": code}).one_or_none()
    return None if row is None else LockedSubscription(**_values(row) | {"status": SubscriptionStatus(row.status)})


def found(session: Session, code: str) -> FoundSubscription | None:
    """Return where a subscription stands, without locking it."""
    row = session.execute(_FOUND, {"code": code}).one_or_none()
    return None if row is None else FoundSubscription(**_values(row) | {"status": SubscriptionStatus(row.status)})


def change_key(session: Session, row: LockedSubscription, key_id: int, *, reason: str, now: datetime) -> bool:
    """Change the billing key of a locked subscription; False when it has yet another. A trigger audits it, and why."""
    give_reason(session, reason, now=now)
    values = {"id": row.id, "expected": row.billing_key_id, "key": key_id}
    changed = session.execute(_CHANGE_KEY, values).first() is not None
    end_of_dunning.undo_settled(session, [row.id], reason="it has another billing key", now=now)
    return changed


def move(
    session: Session,
    row: LockedSubscription,
    status: SubscriptionStatus,
    *,
    reason: str,
    next_charge_at: datetime | None,
    now: datetime,
) -> bool:
    """Move a subscription to another status; False when it is no longer in the status that was read."""
    values = {
        "id": row.id,
        "expected": row.status,
        "status": status,
        "reason": reason,
        "now": now,
        "next_charge_at": next_charge_at,
        "paused": status is SubscriptionStatus.PAUSED,
        "canceled": status is SubscriptionStatus.CANCELED,
    }
    moved = session.execute(_MOVE, values)
    assert isinstance(moved, CursorResult)
    return moved.rowcount == 1


def listed(
    session: Session, *, status: SubscriptionStatus | None, plan: str | None, customer: str | None, limit: int
) -> Sequence[Mapping[str, Any]]:
    """List the newest subscriptions, as they may be shown."""
    customer = None if customer is None else normalized(customer)
    wanted = {
        _HAS_STATUS[status is SubscriptionStatus.ACTIVE]: status,
        "s.plan_id = (SELECT id FROM plans WHERE code = :plan)": plan,
        _OF_CUSTOMER: customer,
    }
    conditions = [condition for condition, value in wanted.items() if value is not None]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    query = text(f"{_SHOWN} {where} ORDER BY {_order(status)} LIMIT :limit")
    rows = session.execute(query, {"status": status, "plan": plan, "customer": customer, "limit": limit})
    return [_shown(row) for row in rows]


def _order(status: SubscriptionStatus | None) -> str:
    return "s.id DESC" if status in (None, SubscriptionStatus.ACTIVE) else "s.status DESC, s.id DESC"


def shown(session: Session, code: str) -> Mapping[str, Any] | None:
    row = session.execute(text(f"{_SHOWN} WHERE s.code = :code"), {"code": code}).one_or_none()
    return None if row is None else _shown(row)


def _shown(row: Row[Any]) -> Mapping[str, Any]:
    values = _values(row)
    customer_uid = values.pop("customer_uid")
    return {**values, "customer_uid": None if customer_uid is None else masked(customer_uid)}


def _values(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
