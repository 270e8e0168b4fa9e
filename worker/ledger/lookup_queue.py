"""Which attempts must be looked up at PortOne, and whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.mapping import KNOWN_ATTEMPT, OF_AN_ATTEMPT, known_attempt
from worker.database.planning import plan_by_index
from worker.domain.attempt import Attempt
from worker.domain.outcomes import UnknownReason

log = structlog.get_logger()

# An array of ids, and statuses that no index serves: the partial index, long after a burst, is not read from end to end
# once for each of the ids.
_EXPIRE = text("""
    UPDATE attempts SET status = 'unknown', status_reason = :reason, status_at = :now, next_lookup_at = :now
    WHERE (status = 'started') IS TRUE AND id = ANY(ARRAY(
        SELECT id FROM attempts WHERE status = 'started' AND lease_until < :now
        ORDER BY lease_until LIMIT :limit FOR UPDATE SKIP LOCKED
    ))
    RETURNING id
""")

_LEASE = text(f"""
    WITH taken AS (
        UPDATE attempts SET next_lookup_at = :taken_until, lookups = lookups + 1
        WHERE (status = 'unknown') IS TRUE AND id = ANY(ARRAY(
            SELECT id FROM attempts WHERE status = 'unknown' AND next_lookup_at <= :now
            ORDER BY next_lookup_at LIMIT :limit FOR UPDATE SKIP LOCKED
        ))
        RETURNING id, charge_id, billing_key_id, number, merchant_uid, sends, lookups, started_at, refusal, via,
                  window_until, resume_at
    )
    SELECT {KNOWN_ATTEMPT}
    FROM taken a
    {OF_AN_ATTEMPT}
    ORDER BY a.id
""")  # noqa: S608 - constants only

# An old refusal says nothing about what is sent from now on.
_FORGET_REFUSAL = text("UPDATE attempts SET refusal = NULL WHERE id = :id AND status = 'unknown'")

_EXPEDITE = text("""
    UPDATE attempts SET next_lookup_at = :now
    WHERE id = ANY(:ids) AND status = 'unknown' AND flagged_at IS NULL AND next_lookup_at > :now
""")


def forget_refusal(session: Session, attempt_id: int) -> None:
    """Forget that PortOne has refused an unknown attempt: it is about to be sent again."""
    session.execute(_FORGET_REFUSAL, {"id": attempt_id})


def expedite(session: Session, attempt_ids: Sequence[int], *, now: datetime) -> None:
    """Let unknown attempts be looked up at once: there is news of them at PortOne."""
    if attempt_ids:
        session.execute(_EXPEDITE, {"ids": list(attempt_ids), "now": now})


def expire_leases(session: Session, *, now: datetime, limit: int) -> int:
    """Declare attempts unknown whose worker let its lease run out; returns how many."""
    plan_by_index(session)
    parameters = {"now": now, "limit": limit, "reason": UnknownReason.ABANDONED.value}
    return len(session.execute(_EXPIRE, parameters).all())


def lease_due(session: Session, *, now: datetime, limit: int, lease: timedelta) -> list[Attempt]:
    """Take the attempts whose look-up is due. Should we die meanwhile, they are due again after `lease`."""
    plan_by_index(session)
    taken = []
    for row in session.execute(_LEASE, {"now": now, "limit": limit, "taken_until": now + lease}):
        try:
            taken.append(known_attempt(row))
        except (ValueError, LookupError, OSError) as error:
            # It stays unknown, in sight, and must not keep the others from being looked up.
            log.error("attempt cannot be looked up", attempt_id=row.attempt_id, reason=str(error))  # noqa: TRY400
    return taken
