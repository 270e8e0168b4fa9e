"""What the fate of its charges makes of a subscription: past due, or active again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

_SETTLED = text("""
    UPDATE subscriptions s SET status = 'active', status_reason = :reason, status_at = :now
    WHERE s.id = ANY(:ids) AND s.status IN ('past_due', 'trialing')
      AND NOT EXISTS (
        SELECT FROM charges c
        WHERE c.subscription_id = s.id AND (c.status = 'past_due' OR c.status = 'charging' AND c.declines > 0))
""")

# The next period is opened again, if few enough charges are unpaid by then.
_WAIT_NO_MORE = text("""
    UPDATE subscriptions SET waiting_since = NULL WHERE id = ANY(:ids) AND waiting_since IS NOT NULL
""")

_DECLINED = text("""
    UPDATE subscriptions SET status = 'past_due', status_reason = 'a charge was declined', status_at = :now
    WHERE id = ANY(:ids) AND status IN ('trialing', 'active')
""")


def settle_subscriptions(session: Session, subscription_ids: Sequence[int], *, reason: str, now: datetime) -> None:
    """Move subscriptions of which a charge was settled on to `active`, unless they owe something else."""
    ids = sorted(subscription_ids)
    session.execute(_SETTLED, {"ids": ids, "reason": reason, "now": now})
    session.execute(_WAIT_NO_MORE, {"ids": ids})


def mark_past_due(session: Session, subscription_ids: Sequence[int], *, now: datetime) -> None:
    """Move subscriptions of which a charge was declined on to `past_due`."""
    session.execute(_DECLINED, {"ids": sorted(subscription_ids), "now": now})
