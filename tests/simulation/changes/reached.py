"""What sequences have reached: each change that was asked for, what it was about at that moment, and the answer."""

from __future__ import annotations

from collections import Counter

from hypothesis import currently_in_test_context, event

from tests.simulation.engine.world import World
from worker.domain.changes import ChangeKind

_CHARGE = """
    SELECT CASE WHEN c.status = 'paid' AND c.paid_elsewhere IS NULL AND c.declines > 0 THEN 'paid late'
                WHEN EXISTS (SELECT FROM attempts a WHERE a.charge_id = c.id AND a.status IN ('started', 'unknown'))
                    THEN 'without an answer'
                WHEN c.status = 'past_due' AND k.status = 'dead' THEN 'behind a dead key'
                ELSE c.status END AS state
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    LEFT JOIN billing_keys k ON k.id = s.billing_key_id WHERE c.id = :id
"""
_SUBSCRIPTION = "SELECT status AS state FROM subscriptions WHERE code = :code"


class Reached(Counter[tuple[str, str, bool]]):
    """How often each kind was asked for in each state, and done or refused."""

    def state_of(self, world: World, subject: int | str) -> str:
        """Return what a charge or a subscription is before something is done to it."""
        rows = world.sql(_CHARGE, id=subject) if isinstance(subject, int) else world.sql(_SUBSCRIPTION, code=subject)
        return str(rows[0].state) if rows else "unknown"

    def add(self, kind: ChangeKind, state: str, *, done: bool) -> None:
        self[kind.value, state, done] += 1
        if currently_in_test_context():
            event(f"{kind.value}, {state}: {'done' if done else 'refused'}")
