"""A charge that waits is tried at once: its key was replaced or revived, or its subscription starts now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

# What the newest key itself has declined stays where it is, and so does what waits for consent to that key.
_WAKE_FOR_ANOTHER_KEY = text("""
    UPDATE charges c SET next_attempt_at = :now
    FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id
    WHERE c.subscription_id = ANY(:ids) AND c.status = 'past_due' AND c.next_attempt_at IS NULL
      AND c.awaits_consent_since IS NULL
      AND s.id = c.subscription_id AND s.status NOT IN ('canceled', 'ended') AND k.status = 'active'
      AND k.id IS DISTINCT FROM (
        SELECT a.billing_key_id FROM attempts a WHERE a.charge_id = c.id ORDER BY a.number DESC LIMIT 1)
    RETURNING c.id
""")

# What the newest key itself has declined stays where dunning put it. What is under way, and what waits, is left alone.
_WAKE_AGREED = text("""
    UPDATE charges c SET next_attempt_at = LEAST(COALESCE(c.next_attempt_at, :now), CAST(:now AS timestamptz))
    FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id
    WHERE s.id = :id AND c.subscription_id = s.id
      AND c.status IN ('due', 'past_due') AND c.awaits_consent_since IS NULL
      AND s.status NOT IN ('canceled', 'ended') AND k.status = 'active'
      AND k.id IS DISTINCT FROM (
        SELECT a.billing_key_id FROM attempts a WHERE a.charge_id = c.id ORDER BY a.number DESC LIMIT 1)
    RETURNING c.id, c.amount
""")

# What a hard decline had left to wait for another key. What waits for consent to this key goes on waiting.
_WAKE_BEHIND_KEY = text("""
    UPDATE charges c SET next_attempt_at = :now
    FROM subscriptions s
    WHERE s.billing_key_id = :key AND s.status NOT IN ('canceled', 'ended', 'pending') AND c.subscription_id = s.id
      AND c.status = 'past_due' AND c.next_attempt_at IS NULL AND c.awaits_consent_since IS NULL
""")

_CHARGE_NOW = text("""
    UPDATE charges SET next_attempt_at = :now WHERE id = :id AND status = 'due' AND next_attempt_at > :now
""")


@dataclass(frozen=True, slots=True)
class ChargedNow:
    """What a replaced key is charged with at once: how many charges, and their sum in won."""

    count: int
    amount: int


def wake_charges(session: Session, subscription_ids: Sequence[int], now: datetime) -> int:
    """Make due the charges that waited for another key, where their subscription has one; return how many.

    Charges in flight are left alone; should one end with a hard decline of the old key, it is woken afterwards.
    """
    return len(session.execute(_WAKE_FOR_ANOTHER_KEY, {"ids": sorted(subscription_ids), "now": now}).all())


def charge_now(session: Session, charge_id: int, *, now: datetime) -> None:
    """Make a first charge due at once, though the plan's hour has not come."""
    session.execute(_CHARGE_NOW, {"id": charge_id, "now": now})


def wake_agreed(session: Session, subscription_id: int, *, now: datetime) -> ChargedNow:
    """Make due at once what a subscription's new key may be charged with; charges that wait for consent are not."""
    woken = session.execute(_WAKE_AGREED, {"id": subscription_id, "now": now}).all()
    return ChargedNow(len(woken), sum(row.amount for row in woken))


def wake_behind_key(session: Session, key_id: int, *, now: datetime) -> None:
    """Make due what waited for another key than this one, which can be charged again."""
    session.execute(_WAKE_BEHIND_KEY, {"key": key_id, "now": now})
