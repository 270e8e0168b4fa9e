"""Billing keys that were replaced and wait to be deleted at PortOne."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

# A key that another subscription is charged by stays; one with which a charge may be in flight waits until it is not.
_TAKE = text("""
    UPDATE checkouts k SET forget_at = CASE WHEN needed.by_another THEN NULL ELSE :again_at END
    FROM billing_keys b CROSS JOIN LATERAL (
        SELECT EXISTS (
                   SELECT FROM subscriptions s
                   WHERE s.billing_key_id = b.id AND s.status NOT IN ('canceled', 'ended')) AS by_another,
               EXISTS (
                   SELECT FROM attempts a
                   WHERE a.billing_key_id = b.id AND a.via = 'again' AND a.status IN ('started', 'unknown')
               ) AS in_flight
    ) needed
    WHERE k.id IN (SELECT id FROM checkouts WHERE forget_at <= :now ORDER BY forget_at LIMIT :limit
                   FOR UPDATE SKIP LOCKED)
      AND b.id = k.replaced_key_id
    RETURNING k.id, b.id AS key_id, b.customer_uid, NOT needed.by_another AND NOT needed.in_flight AS unneeded
""")

_FORGOTTEN = text("""
    WITH gone AS (
        UPDATE billing_keys SET status = 'deleted', status_reason = 'replaced, and deleted at PortOne', status_at = :now
        WHERE id = :key_id AND status <> 'deleted'
    )
    UPDATE checkouts SET forget_at = NULL WHERE replaced_key_id = :key_id
""")


def take(session: Session, *, now: datetime, pause: timedelta, limit: int) -> Sequence[Row[Any]]:
    """Take the keys to delete now; those that could not be deleted come again after a pause."""
    taken = session.execute(_TAKE, {"now": now, "again_at": now + pause, "limit": limit}).all()
    return [row for row in taken if row.unneeded]


def forgotten(session: Session, key_id: int, *, now: datetime) -> None:
    """Write down that PortOne has a key no more."""
    session.execute(_FORGOTTEN, {"key_id": key_id, "now": now})
