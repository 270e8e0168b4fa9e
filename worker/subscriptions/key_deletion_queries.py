"""Deletion queue: replaced or unused billing keys that still have to be deleted at PortOne."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index

_SCHEDULE = text("UPDATE billing_keys SET forget_at = :at WHERE id = :id")

# A key that a subscription is charged by stays; one with which a charge may be in flight waits until it is not, and one
# that a checkout may still bring to life until that has ended. What is unneeded is put to no use from here on.
# The ids are said as an array too: by the join alone, all keys are gone through where they are believed to be few.
_TAKE = text("""
    WITH t AS MATERIALIZED (
        SELECT id FROM billing_keys WHERE forget_at <= :now ORDER BY forget_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE billing_keys b
    SET forget_at = CASE WHEN needed.by_a_subscription THEN NULL ELSE :again_at END,
        status = CASE WHEN unneeded THEN 'deleted' ELSE b.status END,
        status_at = CASE WHEN unneeded AND b.status <> 'deleted' THEN :now ELSE b.status_at END,
        status_reason = CASE WHEN NOT unneeded OR b.status = 'deleted' THEN b.status_reason
            WHEN b.status = 'registering' THEN 'its window was left; being deleted at PortOne'
            ELSE 'not needed any more; being deleted at PortOne' END
    FROM t
    CROSS JOIN LATERAL (
        SELECT EXISTS (
                   SELECT FROM subscriptions s
                   WHERE s.billing_key_id = t.id AND s.status NOT IN ('canceled', 'ended')) AS by_a_subscription,
               EXISTS (
                   SELECT FROM attempts a
                   WHERE a.billing_key_id = t.id AND a.via = 'again' AND a.status IN ('started', 'unknown')
               ) AS in_flight,
               EXISTS (
                   SELECT FROM window_orders o JOIN checkouts k ON k.id = o.checkout_id
                   WHERE o.billing_key_id = t.id AND k.status = 'opened') AS in_a_window
    ) needed
    CROSS JOIN LATERAL (
        SELECT NOT by_a_subscription AND NOT in_flight AND NOT in_a_window AS unneeded
    ) judged
    WHERE b.id = t.id AND b.id = ANY(ARRAY(SELECT id FROM t))
    RETURNING b.id AS key_id, b.customer_uid, b.pg, unneeded
""")

_DELETED = text("UPDATE billing_keys SET forget_at = NULL WHERE id = :key_id AND status = 'deleted'")


@dataclass(frozen=True, slots=True)
class UnneededKey:
    """A billing key that is to be deleted at PortOne."""

    key_id: int
    customer_uid: str = field(repr=False)
    pg: str


def schedule_deletion(session: Session, key_id: int, *, at: datetime) -> None:
    """Let a key be deleted at PortOne, unless it is needed by then."""
    session.execute(_SCHEDULE, {"id": key_id, "at": at})


def take(session: Session, *, now: datetime, pause: timedelta, limit: int) -> Sequence[UnneededKey]:
    """Take the keys to delete now; those that could not be deleted come again after a pause."""
    plan_by_index(session)
    taken = session.execute(_TAKE, {"now": now, "again_at": now + pause, "limit": limit}).all()
    return [UnneededKey(row.key_id, row.customer_uid, row.pg) for row in taken if row.unneeded]


def record_deletion(session: Session, key_id: int) -> None:
    """Write down that PortOne has a key no more."""
    session.execute(_DELETED, {"key_id": key_id})
