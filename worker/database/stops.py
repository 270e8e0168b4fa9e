"""The kill switch as a row: while it stands, no claim takes a charge of its scope."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.database.claims import CLAIM_LOCK, EVERYTHING
from worker.database.models import Attempt, BillingKey, Stop
from worker.lifecycle import AttemptStatus

__all__ = ["EVERYTHING", "calls_in_flight", "standing", "start", "stop"]


def stop(session: Session, *, scope: str, reason: str, stopped_by: str, now: datetime) -> None:
    """Set the switch. Waits for claims that are under way: once this commits, nothing more is claimed."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CLAIM_LOCK})
    row = {"scope": scope, "reason": reason, "stopped_by": stopped_by, "stopped_at": now}
    session.execute(insert(Stop).values(row).on_conflict_do_nothing())


def start(session: Session, *, scope: str) -> bool:
    """Release the switch; False when it was not set."""
    return session.execute(delete(Stop).where(Stop.scope == scope).returning(Stop.scope)).first() is not None


def standing(session: Session) -> Sequence[Stop]:
    """List what is stopped."""
    return session.scalars(select(Stop).order_by(Stop.scope)).all()


def calls_in_flight(session: Session, *, now: datetime, scope: str = EVERYTHING) -> int:
    """Count the attempts of a scope whose request may still be on its way: started, within their lease."""
    query = select(func.count()).where(Attempt.status == AttemptStatus.STARTED, Attempt.lease_until >= now)
    if scope != EVERYTHING:
        query = query.where(Attempt.billing_key_id == BillingKey.id, BillingKey.pg == scope)
    return session.scalars(query).one()
