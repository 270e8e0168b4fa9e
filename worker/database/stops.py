"""The kill switch as a row: while it stands, no claim takes a charge of its scope."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.database.claims import CLAIM_LOCK, EVERYTHING
from worker.database.watch_models import Stop
from worker.outcomes import UnknownReason

__all__ = ["EVERYTHING", "await_claims", "calls_in_flight", "claims_under_way", "standing", "start", "stop"]

CLOCKS_APART = timedelta(minutes=5)
"""How far the clocks of a worker, a reconciler and the command line may differ; for so long, no lease is over."""

# Who holds a claim's shared lock just now. A lock of a 64-bit number shows as its two halves.
_CLAIMS_UNDER_WAY = text("""
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 0 AND objid = :lock AND objsubid = 1 AND mode = 'ShareLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY pid
""")

# What a reconciler declared abandoned by its own clock may be on its way still, whatever a look-up has said since.
_CALLS_IN_FLIGHT = text("""
    SELECT count(*) FROM attempts a JOIN billing_keys k ON k.id = a.billing_key_id
    WHERE a.lease_until >= :since AND k.pg = COALESCE(:pg, k.pg)
      AND (a.status = 'started' OR a.status = 'unknown' AND EXISTS (
        SELECT FROM audit
        WHERE entity = 'attempt' AND entity_id = a.id AND to_status = 'unknown' AND reason = :abandoned))
""")


def stop(session: Session, *, scope: str, reason: str, stopped_by: str, now: datetime) -> None:
    """Set the switch. Once this is committed, no claim that begins takes anything of the scope."""
    row = {"scope": scope, "reason": reason, "stopped_by": stopped_by, "stopped_at": now}
    session.execute(insert(Stop).values(row).on_conflict_do_nothing())


def await_claims(session: Session, *, patience: timedelta) -> None:
    """Wait until every claim that began before a committed stop has ended.

    Raises OperationalError (LockNotAvailable) when one does not end within `patience`.
    """
    milliseconds = f"{patience // timedelta(milliseconds=1)}ms"
    session.execute(text("SELECT set_config('lock_timeout', :patience, true)"), {"patience": milliseconds})
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CLAIM_LOCK})


def claims_under_way(session: Session) -> Sequence[int]:
    """List PostgreSQL's process ids of the connections that are in the middle of a claim."""
    return session.scalars(_CLAIMS_UNDER_WAY, {"lock": CLAIM_LOCK}).all()


def start(session: Session, *, scope: str) -> Stop | None:
    """Release the switch, and give it as it was; None when it was not set."""
    return session.scalars(delete(Stop).where(Stop.scope == scope).returning(Stop)).first()


def standing(session: Session) -> Sequence[Stop]:
    """List what is stopped."""
    return session.scalars(select(Stop).order_by(Stop.scope)).all()


def calls_in_flight(session: Session, *, now: datetime, scope: str = EVERYTHING) -> int:
    """Count the attempts of a scope whose request may still be on its way, however much the clocks differ."""
    parameters = {
        "since": now - CLOCKS_APART,
        "pg": None if scope == EVERYTHING else scope,
        "abandoned": UnknownReason.ABANDONED.value,
    }
    return int(session.scalar(_CALLS_IN_FLIGHT, parameters) or 0)
