"""A charge that waits is tried at once: its billing key was replaced, or its subscription begins now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

# What the newest key itself has declined stays where it is, and so does what waits for consent to that key.
_WAKE = text("""
    UPDATE charges c SET next_attempt_at = :now
    FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id
    WHERE c.subscription_id = ANY(:ids) AND c.status = 'past_due' AND c.next_attempt_at IS NULL
      AND c.awaits_consent_since IS NULL
      AND s.id = c.subscription_id AND s.status NOT IN ('canceled', 'ended') AND k.status = 'active'
      AND k.id IS DISTINCT FROM (
        SELECT a.billing_key_id FROM attempts a WHERE a.charge_id = c.id ORDER BY a.number DESC LIMIT 1)
    RETURNING c.id
""")

_CHARGE_NOW = text("""
    UPDATE charges SET next_attempt_at = :now WHERE id = :id AND status = 'due' AND next_attempt_at > :now
""")


def wake_charges(session: Session, subscription_ids: Sequence[int], now: datetime) -> int:
    """Make due the charges that waited for another key, where their subscription has one; return how many.

    Charges in flight are left alone; should one end with a hard decline of the old key, it is woken afterwards.
    """
    return len(session.execute(_WAKE, {"ids": sorted(subscription_ids), "now": now}).all())


def charge_now(session: Session, charge_id: int, *, now: datetime) -> None:
    """Make a first charge due at once, though the plan's hour has not come."""
    session.execute(_CHARGE_NOW, {"id": charge_id, "now": now})
