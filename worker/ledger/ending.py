"""Subscriptions that were canceled end when what was paid for them is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.ledger.charges import PAID_UNTIL

LOOK_AGAIN = timedelta(hours=1)
"""How soon a canceled subscription is looked at again while a charge of it is still in flight."""

# Due are those that were just canceled, and those whose paid time was to be over by now: a charge that was in flight at
# the cancellation may have been paid since. Each is looked at through the index of its own charges.
_END = text(f"""
    WITH due AS (
        SELECT id FROM subscriptions WHERE status = 'canceled' AND ends_at <= :now
        ORDER BY ends_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), looked AS (
        SELECT s.id, {PAID_UNTIL} AS paid_until,
               EXISTS (SELECT FROM charges c WHERE c.subscription_id = s.id AND c.status = 'charging') AS in_flight
        FROM due JOIN subscriptions s USING (id)
        OFFSET 0
    ), judged AS (
        SELECT id, CASE WHEN paid_until > :now THEN paid_until WHEN in_flight THEN :look_again END AS ends_at
        FROM looked
    )
    UPDATE subscriptions s
    SET ends_at = j.ends_at,
        status = CASE WHEN j.ends_at IS NULL THEN 'ended' ELSE s.status END,
        status_reason = CASE WHEN j.ends_at IS NULL THEN 'what was paid is over' ELSE s.status_reason END,
        status_at = CASE WHEN j.ends_at IS NULL THEN CAST(:now AS timestamptz) ELSE s.status_at END
    FROM judged j WHERE s.id = j.id AND s.status = 'canceled'
    RETURNING s.status
""")  # noqa: S608 - constants only


def end_canceled(session: Session, *, now: datetime, limit: int) -> tuple[int, int]:
    """End up to `limit` canceled subscriptions whose paid time is over; the caller commits.

    Returns how many were looked at, and how many of them have ended.
    """
    parameters = {"now": now, "look_again": now + LOOK_AGAIN, "limit": limit}
    looked_at = session.scalars(_END, parameters).all()
    return len(looked_at), sum(status == "ended" for status in looked_at)
