"""Webhooks: stored once each, however often they come, and kept until they were looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

MAX_LOOKUPS = 20
"""PortOne is asked so often, a quarter of an hour apart; the sweep finds what is left."""

MAX_UNCONFIRMED_LOOKUPS = 3
"""So often PortOne is asked again about what it does not show so far, before the webhook counts as nonsense."""

KEPT = timedelta(days=90)
"""So long a webhook that was seen to is kept, to tell what was heard when. Come again later it is looked up anew."""

RECHECK_AFTER = timedelta(minutes=1)
"""Repeated within that time, a webhook that PortOne did not bear out waits for the periodic look."""

_STORE = text("""
    INSERT INTO webhooks AS w (imp_uid, merchant_uid, status, cancellation_id, received_at, next_look_at)
    VALUES (:imp_uid, :merchant_uid, :status, :cancellation_id, :now, :hold_until)
    ON CONFLICT (imp_uid, merchant_uid, status, cancellation_id) DO UPDATE
        SET times = w.times + 1,
            -- It may have come too early, or from somebody who knew the ids, and be true by now.
            next_look_at = CASE WHEN NOT w.confirmed THEN LEAST(w.next_look_at, :hold_until) END
    RETURNING id, NOT confirmed AND COALESCE(looked_at <= :lately, true) AS is_due
""")

_TAKE = text("""
    UPDATE webhooks SET looks = looks + 1,
        next_look_at = CASE WHEN looks < :most THEN CAST(:now AS timestamptz) + interval '15 minutes' END
    WHERE id IN (
        SELECT id FROM webhooks WHERE next_look_at <= :now ORDER BY next_look_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id, imp_uid, status
""")

# A look-up right after a payment may not show it yet (seen in client code).
_NOT_CONFIRMED = text("""
    UPDATE webhooks SET outcome = :outcome, looked_at = :now,
        next_look_at = CASE WHEN looks < :most THEN next_look_at END
    WHERE id = :id AND NOT confirmed
""")

_CONFIRMED = text("""
    UPDATE webhooks SET outcome = :outcome, looked_at = :now, next_look_at = NULL, confirmed = true WHERE id = :id
""")

_PRUNE = text("""
    DELETE FROM webhooks WHERE id IN (
        SELECT id FROM webhooks WHERE received_at < :before AND next_look_at IS NULL
        ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id
""")


def store(session: Session, said: Mapping[str, str], *, now: datetime, hold: timedelta) -> int | None:
    """Store a webhook, or count one more of it; returns its id when it is to be looked up now, else None."""
    values = {**said, "now": now, "hold_until": now + hold, "lately": now - RECHECK_AFTER}
    row = session.execute(_STORE, values).one()
    return int(row.id) if row.is_due else None


def take(session: Session, *, now: datetime, limit: int) -> Sequence[Row[Any]]:
    """Take the webhooks whose look-up did not come to an end."""
    return session.execute(_TAKE, {"now": now, "limit": limit, "most": MAX_LOOKUPS}).all()


def looked_up(session: Session, webhook_id: int, *, outcome: str, confirmed: bool, now: datetime) -> None:
    """Write down what a look-up came to. One that did not bear the webhook out is repeated a few times."""
    values = {"id": webhook_id, "outcome": outcome[:500], "now": now}
    if confirmed:
        session.execute(_CONFIRMED, values)
    else:
        session.execute(_NOT_CONFIRMED, {**values, "most": MAX_UNCONFIRMED_LOOKUPS})


def prune(session: Session, *, now: datetime, limit: int) -> int:
    """Delete webhooks that were seen to long ago; returns how many."""
    return len(session.execute(_PRUNE, {"before": now - KEPT, "limit": limit}).all())
