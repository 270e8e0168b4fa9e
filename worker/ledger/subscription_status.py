"""What the fate of its charges makes of a subscription: past due, active once its trial is paid, or active again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

# A trial is over once the first charge that is owed is settled: a later one that is forgiven does not end it.
_SETTLED = text("""
    UPDATE subscriptions s SET status = 'active', status_reason = :reason, status_at = :now
    WHERE s.id = ANY(:ids) AND s.status IN ('past_due', 'trialing')
      AND NOT EXISTS (
        SELECT FROM charges c
        WHERE c.subscription_id = s.id AND (c.status = 'past_due' OR c.status = 'charging' AND c.declines > 0))
      AND (s.status = 'past_due' OR COALESCE((
        SELECT c.status FROM charges c WHERE c.subscription_id = s.id AND c.status <> 'void'
        ORDER BY c.period_start LIMIT 1), 'void') NOT IN ('due', 'charging'))
""")

# The next period is opened again, if few enough charges are unpaid by then.
_WAIT_NO_MORE = text("""
    UPDATE subscriptions SET waiting_since = NULL WHERE id = ANY(:ids) AND waiting_since IS NOT NULL
""")

_DECLINED = text("""
    UPDATE subscriptions SET status = 'past_due', status_reason = :reason, status_at = :now
    WHERE id = ANY(:ids) AND status IN ('trialing', 'active')
""")


def settle_subscriptions(session: Session, subscription_ids: Sequence[int], *, reason: str, now: datetime) -> None:
    """Move subscriptions of which a charge was settled on to `active`, unless they owe something else.

    Nothing else ends a trial but a decline of its first charge: no period that begins makes it active.
    """
    ids = sorted(subscription_ids)
    session.execute(_SETTLED, {"ids": ids, "reason": reason, "now": now})
    session.execute(_WAIT_NO_MORE, {"ids": ids})


def mark_past_due(
    session: Session, subscription_ids: Sequence[int], *, reason: str = "a charge was declined", now: datetime
) -> None:
    """Move subscriptions of which a charge was declined, or is collected although it was given up, to `past_due`."""
    session.execute(_DECLINED, {"ids": sorted(subscription_ids), "reason": reason, "now": now})
