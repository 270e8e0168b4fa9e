"""What happened: charges with their attempts, and the audit. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, TextClause, select, text
from sqlalchemy.orm import Session

from worker.database.engine import WORKER_ACTOR
from worker.database.planning import plan_by_index
from worker.database.tables.charges import Attempt
from worker.domain.blockers import Blocker
from worker.domain.states import BillingKeyStatus, ChargeStatus, SubscriptionStatus, WaitReason
from worker.ledger.archive import answer_of
from worker.ledger.blockers import (
    ACTIVE_HOLD,
    BLOCKER_TABLES,
    EARLIER_CHARGES,
    FIRST_BLOCKER,
    OPEN_DISCREPANCIES,
    parameters,
)

_CHARGE_COLUMNS = """
    c.id, s.code AS subscription, s.customer_reference, p.code AS plan, p.time_zone, c.period_start, c.period_end,
    c.amount, c.tax_free, c.vat_amount, c.currency, c.order_name, c.status, c.status_reason, c.status_at,
    c.next_attempt_at, c.wait_reason, c.paid_at, c.declines, c.first_declined_at, c.deferrals, c.refunded,
    c.paid_elsewhere, c.written_off_at, c.awaits_consent_since, c.gate_held_since, c.gate_lacks, c.gate_released_at,
    c.gate_released_by, c.created_at
"""

# The rows that are wanted first, and only of those what blocks them.
_CHARGES = f"""
    SELECT {_CHARGE_COLUMNS}, {FIRST_BLOCKER} AS blocked_by
    FROM (SELECT c.* FROM charges c {{where}} ORDER BY {{order}} DESC LIMIT :limit) c
    {BLOCKER_TABLES}
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
    ORDER BY c.id DESC
"""  # noqa: S608 - constants only

_CHARGE = text(f"""
    SELECT {_CHARGE_COLUMNS}, {FIRST_BLOCKER} AS blocked_by,
           s.status AS subscription_status, k.id AS key_id, k.pg, k.status AS key_status, stop.stopped_by,
           stop.scope AS stop_scope, stop.reason AS stop_reason, (SELECT h.status_reason {ACTIVE_HOLD}) AS hold_reason,
           (SELECT ARRAY[hours, maintenance] FROM channel_rules WHERE pg = k.pg) AS open_hours,
           (SELECT h.held_by {ACTIVE_HOLD}) AS held_by, (SELECT min(other.id) {EARLIER_CHARGES}) AS first_charge_id,
           (SELECT min(d.id) {OPEN_DISCREPANCIES}) AS discrepancy_id
    FROM (SELECT * FROM charges WHERE id = :id OFFSET 0) c
    {BLOCKER_TABLES}
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
    LEFT JOIN LATERAL (
        SELECT scope, reason, stopped_by FROM stops WHERE scope IN ('all', k.pg) OR plan_id = p.id
        ORDER BY scope = 'all' DESC, plan_id IS NULL DESC LIMIT 1
    ) stop ON true
""")  # noqa: S608 - constants only

_ATTEMPTS = text(f"""
    SELECT number, merchant_uid, status, status_reason, status_at, sends, started_at, lease_until, settled_at, imp_uid,
           pg_tid, http_status, code, message, {answer_of("a")} ->> 'status' AS payment_status, decline_kind, refusal,
           {answer_of("a")} ->> 'receipt_url' AS receipt_url, lookups, next_lookup_at, flagged_at, flag_reason,
           via, window_until
    FROM attempts a WHERE charge_id = :id ORDER BY number
""")  # noqa: S608 - constants only

ACTS = ("stop", "cap", "sweep", "plan", "archive", "discount", "refund", "change", "destination", "channel")
"""What in the audit is about what operators do, and not about what becomes of one charge, subscription or key."""

# The newest of each, by the index of these few: a stop is found though a bulk run has made a million changes since.
_ACTS = text(f"""
    SELECT a.* FROM unnest(CAST(:entities AS text[])) AS asked(entity)
    CROSS JOIN LATERAL (
        SELECT id, at, actor, entity, coalesce(entity_name, CAST(entity_id AS text)) AS name, from_status, to_status,
               reason
        FROM audit
        WHERE entity = asked.entity AND entity IN ({", ".join(f"'{entity}'" for entity in ACTS)})
        ORDER BY id DESC LIMIT :limit
    ) a
    ORDER BY a.id DESC LIMIT :limit
""")  # noqa: S608 - constants only

_AUDIT = text("""
    SELECT at, actor, from_status, to_status, reason
    FROM audit WHERE entity = :entity AND entity_id = :id ORDER BY id + 0  -- of these few, and not of all the audit
""")

# The audit of a charge, and what its row and its attempts say of an ordinary one instead: that it was opened, that a
# worker has claimed it, and that it is paid. What the audit has itself is not told twice.
_STORY = text(f"""
    WITH written AS (
        SELECT id, at, actor, from_status, to_status, reason FROM audit WHERE entity = 'charge' AND entity_id = :id
    ), made AS (
        SELECT id, status, started_at, created_by FROM attempts WHERE charge_id = :id
    ), acts AS (
        SELECT e.entity_id, e.at, e.actor, e.from_status, e.to_status
        FROM audit e JOIN made ON e.entity = 'attempt' AND e.entity_id = made.id
    ), claims AS (
        SELECT started_at AS at, created_by AS actor FROM made
        WHERE NOT EXISTS (SELECT FROM acts WHERE acts.entity_id = made.id AND acts.from_status IS NULL)
        UNION ALL
        SELECT at, actor FROM acts WHERE to_status = 'started'
    ), payer AS (
        SELECT COALESCE((SELECT actor FROM acts WHERE acts.entity_id = made.id AND acts.to_status = 'paid'
                         ORDER BY at DESC LIMIT 1), created_by) AS actor
        FROM made WHERE status = 'paid' ORDER BY id LIMIT 1
    ), told AS (
        SELECT at, actor, to_status, reason, id FROM written
        UNION ALL
        SELECT created_at, '', 'due', 'its period began', 0 FROM charges
        WHERE id = :id AND NOT EXISTS (SELECT FROM written WHERE from_status IS NULL)
        UNION ALL
        SELECT at, actor, 'charging', 'claimed', 1 FROM claims
        WHERE starts_with(actor, '{WORKER_ACTOR}') AND NOT EXISTS (
            SELECT FROM written WHERE written.to_status = 'charging' AND written.at = claims.at)
        UNION ALL
        SELECT c.status_at, COALESCE((SELECT actor FROM payer), ''), c.status, c.status_reason, 9223372036854775807
        FROM charges c
        WHERE c.id = :id AND c.status = 'paid' AND NOT EXISTS (SELECT FROM written WHERE written.to_status = 'paid')
    )
    SELECT at, actor, LAG(to_status) OVER (ORDER BY at, id) AS from_status, to_status, reason
    FROM told ORDER BY at, told.id
""")  # noqa: S608 - constants only


# Few charges are open: an expression keeps the planner from walking back through all others in the order of their ids,
# and leads it to the index of those few. What is settled has an index by when that was.
_NEWEST = {
    None: "c.id",
    ChargeStatus.PAID: "c.paid_at",
    ChargeStatus.UNCOLLECTIBLE: "c.status_at",
    ChargeStatus.VOID: "c.status_at",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeDetails:
    """A charge with what blocks it, and everything that says more about that."""

    id: int
    subscription: str
    customer_reference: str
    plan: str
    time_zone: str
    period_start: datetime
    period_end: datetime
    amount: int
    tax_free: int
    vat_amount: int | None
    currency: str
    order_name: str
    status: ChargeStatus
    status_reason: str
    status_at: datetime
    next_attempt_at: datetime | None
    wait_reason: WaitReason | None
    paid_at: datetime | None
    declines: int
    first_declined_at: datetime | None
    deferrals: int
    refunded: int
    paid_elsewhere: str | None
    written_off_at: datetime | None
    awaits_consent_since: datetime | None
    gate_held_since: datetime | None
    gate_lacks: Sequence[str] | None
    gate_released_at: datetime | None
    gate_released_by: str | None
    created_at: datetime
    blocked_by: Blocker | None
    subscription_status: SubscriptionStatus
    key_id: int | None
    pg: str | None
    key_status: BillingKeyStatus | None
    stop_scope: str | None
    stop_reason: str | None
    stopped_by: str | None
    open_hours: Sequence[str] | None
    hold_reason: str | None
    held_by: str | None
    first_charge_id: int | None
    discrepancy_id: int | None


def charges(
    session: Session, *, status: ChargeStatus | None, subscription: str | None, limit: int, now: datetime
) -> Sequence[Mapping[str, Any]]:
    """Return the newest charges, each with what blocks it (`blocked_by`), which is None when it can be claimed."""
    if subscription is None and status in _NEWEST:
        plan_by_index(session)
    wanted = {"status": status, "subscription": subscription, "limit": limit}
    return _rows(session, _charges_query(status, subscription), **wanted, **parameters(session, now=now))


def charge(session: Session, charge_id: int, *, now: datetime) -> ChargeDetails | None:
    """Return a charge as it stands at an instant; None when there is none of this id."""
    row = session.execute(_CHARGE, {"id": charge_id, **parameters(session, now=now)}).one_or_none()
    return None if row is None else _details(row)


def charge_of(session: Session, merchant_uid: str) -> int | None:
    """Return the id of the charge to which a merchant_uid belongs."""
    query = select(Attempt.charge_id).where(Attempt.merchant_uid == merchant_uid)
    return session.scalars(query).one_or_none()


def attempts(session: Session, charge_id: int) -> Sequence[Mapping[str, Any]]:
    """List a charge's attempts, the first first."""
    return _rows(session, _ATTEMPTS, id=charge_id)


def audit(session: Session, entity: str, entity_id: int) -> Sequence[Mapping[str, Any]]:
    """List what was written down about one subscription or discrepancy, the oldest first."""
    return _rows(session, _AUDIT, entity=entity, id=entity_id)


def charge_story(session: Session, charge_id: int) -> Sequence[Mapping[str, Any]]:
    """List how a charge came to its status, the oldest first: its audit, and what its row and its attempts tell."""
    return _rows(session, _STORY, id=charge_id)


def operator_acts(session: Session, *, about: str = "", limit: int) -> Sequence[Mapping[str, Any]]:
    """List what was stopped, swept, sold, offered, refunded, changed and connected, by whom and why, newest first."""
    plan_by_index(session)
    return _rows(session, _ACTS, entities=[about] if about else list(ACTS), limit=limit)


def _charges_query(status: ChargeStatus | None, subscription: str | None) -> TextClause:
    is_its = "c.subscription_id = (SELECT id FROM subscriptions WHERE code = :subscription)"
    wanted = {"c.status = :status": status, is_its: subscription}
    conditions = [condition for condition, value in wanted.items() if value is not None]
    if status is ChargeStatus.PAID:
        conditions.append("c.paid_at IS NOT NULL")  # as every paid charge; by this the index is known
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = "c.id + 0" if subscription is not None else _NEWEST.get(status, "c.id + 0")
    return text(_CHARGES.format(where=where, order=order))


def _rows(session: Session, query: TextClause, **parameters: Any) -> Sequence[Mapping[str, Any]]:
    return [dict(row) for row in session.execute(query, parameters).mappings()]


def _details(row: Row[Any]) -> ChargeDetails:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    kinds = {"status": ChargeStatus, "wait_reason": WaitReason, "blocked_by": Blocker}
    kinds |= {"subscription_status": SubscriptionStatus, "key_status": BillingKeyStatus}
    values |= {name: kind(values[name]) for name, kind in kinds.items() if values[name] is not None}
    return ChargeDetails(**values)
