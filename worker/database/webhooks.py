"""Webhooks: stored once each, however often they come, and kept until they were looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

MOST_LOOKS = 20
"""PortOne is asked so often, a quarter of an hour apart; the sweep finds what is left."""

MOST_LOOKS_FOR_NOTHING = 3
"""So often a payment that PortOne does not show is looked for again before the webhook counts as nonsense."""

_STORE = text("""
    INSERT INTO webhooks AS w (imp_uid, merchant_uid, status, cancellation_id, received_at, next_look_at)
    VALUES (:imp_uid, :merchant_uid, :status, :cancellation_id, :now, :hold_until)
    ON CONFLICT (imp_uid, merchant_uid, status, cancellation_id) DO UPDATE SET times = w.times + 1
    RETURNING id, next_look_at IS NOT NULL AS waits
""")

_TAKE = text("""
    UPDATE webhooks SET looks = looks + 1,
        next_look_at = CASE WHEN looks < :most THEN CAST(:now AS timestamptz) + interval '15 minutes' END
    WHERE id IN (
        SELECT id FROM webhooks WHERE next_look_at <= :now ORDER BY next_look_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id, imp_uid
""")

# A look-up right after a payment may not show it yet (seen in client code).
_NOT_SHOWN = text("""
    UPDATE webhooks SET outcome = 'PortOne shows no such payment',
        next_look_at = CASE WHEN looks < :most THEN next_look_at END
    WHERE id = :id
""")

_LOOKED_UP = text("UPDATE webhooks SET next_look_at = NULL, outcome = :outcome WHERE id = :id")


def store(session: Session, said: Mapping[str, str], *, now: datetime, hold: timedelta) -> int | None:
    """Store a webhook, or count one more of it; returns its id while it is still to be looked up, else None."""
    row = session.execute(_STORE, {**said, "now": now, "hold_until": now + hold}).one()
    return int(row.id) if row.waits else None


def take(session: Session, *, now: datetime, limit: int) -> Sequence[Row[Any]]:
    """Take the webhooks whose look-up did not come to an end."""
    return session.execute(_TAKE, {"now": now, "limit": limit, "most": MOST_LOOKS}).all()


def not_shown(session: Session, webhook_id: int) -> None:
    """Write down that PortOne does not show the payment; it is looked for a few times more."""
    session.execute(_NOT_SHOWN, {"id": webhook_id, "most": MOST_LOOKS_FOR_NOTHING})


def looked_up(session: Session, webhook_id: int, outcome: str) -> None:
    session.execute(_LOOKED_UP, {"id": webhook_id, "outcome": outcome[:500]})
