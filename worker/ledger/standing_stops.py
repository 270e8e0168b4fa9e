"""What stops one subscription or one plan just now: of whom, since when and why, for operators to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.stop_scopes import EVERYTHING, PLAN, SUBSCRIPTION

_OF_SUBSCRIPTION = text(f"""
    SELECT h.scope, h.reason, h.stopped_by, h.stopped_at
    FROM (SELECT * FROM subscriptions WHERE id = :id OFFSET 0) s
    LEFT JOIN LATERAL (SELECT pg FROM billing_keys WHERE id = s.billing_key_id OFFSET 0) k ON true
    CROSS JOIN stops h
    WHERE h.scope IN ('{EVERYTHING}', k.pg) OR h.plan_id = s.plan_id
    UNION ALL
    SELECT '{SUBSCRIPTION}' || s.code, h.status_reason, h.held_by, h.status_at
    FROM holds h JOIN subscriptions s ON s.id = h.subscription_id
    WHERE h.subscription_id = :id AND h.status = 'held'
    ORDER BY stopped_at, scope
""")  # noqa: S608 - constants only

_OF_PLAN = text("SELECT scope, reason, stopped_by, stopped_at FROM stops WHERE plan_id = :id")

_WAITING = text("SELECT count(*) FROM charges WHERE queue = :queue AND status IN ('due', 'past_due')")


@dataclass(frozen=True, slots=True)
class StandingStop:
    """What stops charges: a scope of `worker.domain.stop_scopes`, or a hold under that of its subscription."""

    scope: str
    reason: str
    stopped_by: str
    stopped_at: datetime


@dataclass(frozen=True, slots=True)
class PlanStop(StandingStop):
    """What stops a plan, and how many of its charges are set aside meanwhile."""

    waiting: int


def of_subscription(session: Session, subscription_id: int) -> Sequence[StandingStop]:
    """List what stops a subscription, the oldest first: all of it, its PG, its plan, and the subscription itself."""
    return [StandingStop(*row) for row in session.execute(_OF_SUBSCRIPTION, {"id": subscription_id})]


def of_plan(session: Session, plan_id: int) -> PlanStop | None:
    """Return the stop of a plan; None while it is not stopped by name."""
    row = session.execute(_OF_PLAN, {"id": plan_id}).one_or_none()
    if row is None:
        return None
    waiting = session.scalar(_WAITING, {"queue": f"{PLAN}{plan_id}"})
    return PlanStop(row.scope, row.reason, row.stopped_by, row.stopped_at, int(waiting or 0))
