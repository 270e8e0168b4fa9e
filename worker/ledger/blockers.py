"""Whether a charge can be claimed, and what blocks it: the one definition, as SQL.

The claim takes charges without a blocker. `again charge`, `again status` and the invariants read the same conditions.
They are about a charge `c` with what BLOCKER_TABLES joins to it, and take the parameters that `parameters` returns: the
instant, and what is stopped or closed, which as a list of values costs a plan nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.blockers import Blocker
from worker.domain.channel_rules import closed
from worker.domain.merchant_uid import MAX_NUMBER
from worker.ledger.channel_rules import channel_rules

OWNER = """
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s
    LEFT JOIN LATERAL (SELECT * FROM billing_keys WHERE id = s.billing_key_id OFFSET 0) k ON true
"""
"""The subscription `s` of a charge `c`, and its billing key `k` if there is one: by their ids, as OFFSET 0 keeps them
from becoming a join, whose order statistics would decide."""

BLOCKER_TABLES = f"""{OWNER}
    LEFT JOIN LATERAL (
        SELECT number, status, merchant_uid, window_until FROM attempts
        WHERE charge_id = c.id ORDER BY number DESC LIMIT 1
    ) last ON true
"""  # noqa: S608 - constants only
"""What all conditions together need: OWNER, and the newest attempt `last` of a charge `c`."""

WITHOUT_KEY = "s.billing_key_id IS NULL"
KEY_NOT_ACTIVE = "k.status <> 'active'"

# PortOne shows money for it that our records do not have: reconciliation, or an operator, settles that first.
OPEN_DISCREPANCIES = "FROM discrepancies d WHERE d.charge_id = c.id AND d.status = 'open'"

ACTIVE_HOLD = "FROM holds h WHERE h.subscription_id = c.subscription_id AND h.status = 'held'"

# One subscription has one charge in flight, the oldest first: wallets refuse two at once (seen in Kakao's forum).
EARLIER_CHARGES = """FROM charges other
    WHERE other.subscription_id = c.subscription_id AND other.id <> c.id
      AND other.status IN ('due', 'charging', 'past_due')
      AND CASE other.status
        WHEN 'charging' THEN 'started' = ANY(ARRAY(SELECT a.status FROM attempts a WHERE a.charge_id = other.id))
        ELSE other.next_attempt_at <= :now AND other.period_start < c.period_start
          AND other.awaits_consent_since IS NULL AND other.gate_held_since IS NULL
      END"""
"""The other charges `other` of its subscription that are charged before a charge `c`."""

# Each so that its negation is one that indexes can answer, and of columns that are never NULL where it decides.
# OFFSET 0 has a subquery answered for each charge by itself: joined by statistics older than the charges, 600,000 of
# them were read for each of 600,000.
CONDITIONS: Mapping[Blocker, str] = {
    Blocker.NOT_WAITING: "c.status NOT IN ('due', 'past_due')",
    Blocker.SUBSCRIPTION: "s.status NOT IN ('trialing', 'active', 'past_due')",
    Blocker.DISCREPANCY: f"EXISTS (SELECT {OPEN_DISCREPANCIES} OFFSET 0)",
    Blocker.BILLING_KEY: f"({WITHOUT_KEY} OR {KEY_NOT_ACTIVE})",
    Blocker.CONSENT: "c.awaits_consent_since IS NOT NULL",
    Blocker.GATE: "c.gate_held_since IS NOT NULL",
    Blocker.STOP: "('all' = ANY(:stopped) OR k.pg = ANY(:stopped) OR s.plan_id = ANY(:stopped_plans))",
    Blocker.CHANNEL_CLOSED: "k.pg = ANY(:closed)",
    Blocker.SUBSCRIPTION_HELD: f"EXISTS (SELECT {ACTIVE_HOLD} OFFSET 0)",
    Blocker.ATTEMPTS_SPENT: f"COALESCE(last.number, 0) >= {MAX_NUMBER}",
    Blocker.LAST_ATTEMPT: "COALESCE(last.status, '') IN ('started', 'unknown', 'paid')",
    Blocker.NO_NEXT_ATTEMPT: "c.next_attempt_at IS NULL",
    Blocker.NOT_YET: "c.next_attempt_at > :now",
    Blocker.CHARGING_HOLD: "EXISTS (SELECT FROM sweeps w WHERE w.holds_claims AND w.finished_at IS NULL)",
    Blocker.ANOTHER_CHARGE: f"EXISTS (SELECT {EARLIER_CHARGES} OFFSET 0)",
}
"""When each blocker applies."""


def none_of(blockers: Collection[Blocker]) -> str:
    """Return the condition that none of these blockers applies to a charge `c`."""
    return " AND ".join(f"NOT ({CONDITIONS[blocker]})" for blocker in Blocker if blocker in blockers)


def all_but(*blockers: Blocker) -> frozenset[Blocker]:
    """Return every blocker but these."""
    return frozenset(Blocker) - frozenset(blockers)


# A time that has come is a time. Said twice, the planner would expect a quarter of the charges that there are.
CLAIMABLE = none_of(all_but(Blocker.NO_NEXT_ATTEMPT))
"""The condition that a charge `c` can be claimed at `:now`: no blocker applies."""


def first_of(blockers: Collection[Blocker]) -> str:
    """Return what names the first of these blockers that applies to a charge `c`; it is NULL when none does."""
    named = (f"WHEN {CONDITIONS[blocker]} THEN '{blocker.value}'" for blocker in Blocker if blocker in blockers)
    return f"CASE {' '.join(named)} END"


FIRST_BLOCKER = first_of(frozenset(Blocker))
"""What blocks a charge `c`, by the value of its Blocker; NULL when it is claimable."""

_STOPPED = text("SELECT scope, plan_id FROM stops ORDER BY scope")


def parameters(session: Session, *, now: datetime) -> dict[str, Any]:
    """Return what the conditions are asked with, as things stand at this statement."""
    standing = session.execute(_STOPPED).all()
    plans = [row.plan_id for row in standing if row.plan_id is not None]
    return {
        "now": now,
        "stopped": [row.scope for row in standing],
        "stopped_plans": plans,
        "closed": closed(channel_rules(session), now),
    }
