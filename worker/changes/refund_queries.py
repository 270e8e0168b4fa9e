"""SQL of refunds that were asked for as changes. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

# Through their own index: next to none wait at any time.
_TO_START = text("""
    SELECT x.id FROM changes x
    WHERE x.status = 'scheduled' AND x.waits_for = 'portone' AND x.effective_at <= :now AND x.kind = 'refund'
      AND NOT EXISTS (SELECT FROM refunds r WHERE r.change_id = x.id)
    ORDER BY x.effective_at, x.id LIMIT :limit
""")

# Through the index of a subscription's changes, of which there are few.
_OF_CANCELLATION = text("""
    SELECT x.id FROM (SELECT subscription_id FROM changes WHERE id = :id OFFSET 0) canceled
    CROSS JOIN LATERAL (
        SELECT id, kind, preview FROM changes WHERE subscription_id = canceled.subscription_id OFFSET 0) x
    WHERE x.kind = 'refund' AND x.preview -> 'cancellation' = to_jsonb(CAST(:id AS bigint))
""")

_CURRENT_CHARGE = text("""
    SELECT c.id FROM (SELECT id FROM subscriptions WHERE code = :code OFFSET 0) s
    CROSS JOIN LATERAL (
        SELECT id, period_end FROM charges WHERE subscription_id = s.id AND period_start <= :now
        ORDER BY period_start DESC LIMIT 1) c
    WHERE c.period_end > :now
""")

_ACTOR = text("SELECT current_setting('application_name')")


def changes_to_start(session: Session, *, now: datetime, limit: int) -> Sequence[int]:
    """Return the changes whose refund is to be recorded and sent: their process has ended before it did so."""
    return session.scalars(_TO_START, {"now": now, "limit": limit}).all()


def refund_of_cancellation(session: Session, cancellation_id: int) -> int | None:
    """Return the change that refunds what a cancellation was asked to refund; None when it refunds nothing."""
    found: int | None = session.scalar(_OF_CANCELLATION, {"id": cancellation_id})
    return found


def current_charge(session: Session, code: str, *, now: datetime) -> int | None:
    """Return the charge of the period in which a subscription stands; None when it stands in none."""
    found: int | None = session.scalar(_CURRENT_CHARGE, {"code": code, "now": now})
    return found


def actor(session: Session) -> str:
    """Return as whom this connection acts."""
    return str(session.execute(_ACTOR).scalar_one())
