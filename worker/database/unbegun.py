"""First periods that were paid while their subscription has no billing key, so that nothing of it has begun."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database import differences
from worker.database.differences import Noted
from worker.differences import SENTENCES, DifferenceKind, DifferenceStatus

PATIENCE = timedelta(hours=1)
"""So long a payment may be known before its key is; a window that is open has all the time it needs."""

_FOUND = text("""
    SELECT a.id AS attempt_id, c.id AS charge_id, a.merchant_uid, a.imp_uid, a.raw, s.code
    FROM subscriptions s JOIN charges c ON c.subscription_id = s.id JOIN attempts a ON a.charge_id = c.id
    WHERE s.status = 'pending' AND c.status = 'paid' AND a.status = 'paid' AND a.settled_at < :before
      AND c.refunded < c.amount
      AND NOT EXISTS (
        SELECT FROM window_orders o JOIN checkouts k ON k.id = o.checkout_id
        WHERE k.subscription_id = s.id AND k.status = 'opened')
      AND NOT EXISTS (
        SELECT FROM differences d WHERE d.kind = 'not_begun' AND d.merchant_uid = a.merchant_uid)
    LIMIT :limit
""")

_BEGUN = text("""
    UPDATE differences d SET status = 'gone', status_reason = 'its billing key was registered', status_at = :now
    FROM charges c
    WHERE c.subscription_id = :id AND d.charge_id = c.id AND d.kind = 'not_begun' AND d.status = 'open'
""")


def note(session: Session, *, now: datetime, limit: int) -> int:
    """Ask a person about each; returns how many are new."""
    kind = DifferenceKind.NOT_BEGUN
    noted = [
        Noted(
            kind=kind,
            status=DifferenceStatus.OPEN,
            said=SENTENCES[kind],
            merchant_uid=row.merchant_uid,
            imp_uid=row.imp_uid or "",
            charge_id=row.charge_id,
            attempt_id=row.attempt_id,
            evidence={"portone": row.raw, "books": {"subscription": row.code, "status": "pending"}},
        )
        for row in session.execute(_FOUND, {"before": now - PATIENCE, "limit": limit})
    ]
    return differences.note(session, noted, now=now)


def begun(session: Session, subscription_id: int, *, now: datetime) -> None:
    """Close what a person was asked: the subscription has its key now."""
    session.execute(_BEGUN, {"id": subscription_id, "now": now})
