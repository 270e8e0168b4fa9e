"""What a step of the database's clock leaves in the tables, and how it is set right.

Leases and quiet periods are differences of the database's times. When its clock is set ahead, they all seem over at
once; when it is set back, they seem to last for as long as it was set back. Whatever may have been under way at a step
is therefore waited for once more, a whole quiet period from the step on, by the clock as it is now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

LONGEST_DEFERRAL = timedelta(days=1)
"""A try that was to come sooner after its decision waits for a while, not for a date, and is counted anew."""

_ANSWERED = text("""
    SELECT EXISTS (
        SELECT FROM sweeps
        WHERE holds_claims AND started_at BETWEEN :since AND :now AND until >= started_at + :quiet_period)
""")

# With another time of its beginning it is another sweep: whoever is at it loses it, and takes it anew.
_RETIME_HOLDS = text("""
    UPDATE sweeps
    SET since = LEAST(since, :since), position = LEAST(position, :now), until = :until, started_at = :now,
        lease_until = :now
    WHERE holds_claims AND finished_at IS NULL
    RETURNING id
""")

_RETIME_OTHERS = text("""
    UPDATE sweeps
    SET since = LEAST(since, :now), position = LEAST(position, :now), until = :now, started_at = LEAST(started_at, :now)
    WHERE until > :now AND (NOT holds_claims OR finished_at IS NOT NULL)
""")

# What somebody else settles at this moment needs nothing any more.
_RETIME_LEASES = text("""
    UPDATE attempts SET lease_until = :lease_until
    WHERE id IN (SELECT id FROM attempts WHERE status = 'started' FOR UPDATE SKIP LOCKED)
""")

_RETIME_LOOK_UPS = text("""
    UPDATE attempts SET next_lookup_at = :now
    WHERE id IN (
        SELECT id FROM attempts
        WHERE status = 'unknown' AND flagged_at IS NULL AND next_lookup_at > :now AND status_at > :now
        FOR UPDATE SKIP LOCKED)
""")

_RETIME_TRIES = text("""
    UPDATE charges SET next_attempt_at = :now + (next_attempt_at - status_at)
    WHERE id IN (
        SELECT id FROM charges
        WHERE status IN ('due', 'past_due') AND next_attempt_at > :now AND status_at > :now
          AND next_attempt_at - status_at < :longest
        FOR UPDATE SKIP LOCKED)
""")


def is_answered(session: Session, *, now: datetime, within: timedelta, quiet_period: timedelta) -> bool:
    """Say whether a hold that waits for a quiet period was begun in the last `within`: then it covers a step in it."""
    parameters = {"now": now, "since": now - within, "quiet_period": quiet_period}
    return bool(session.execute(_ANSWERED, parameters).scalar_one())


def set_right(session: Session, *, now: datetime, since: datetime, until: datetime, lease: timedelta) -> Sequence[int]:
    """Count every waiting time anew by the clock as it is now; returns the holds, which last until `until` now.

    A hold compares from `since` at least, and every lease lasts `lease` from now. Due dates are dates, and stay.
    """
    held = session.scalars(_RETIME_HOLDS, {"now": now, "since": since, "until": until}).all()
    session.execute(_RETIME_OTHERS, {"now": now})
    session.execute(_RETIME_LEASES, {"lease_until": now + lease})
    session.execute(_RETIME_LOOK_UPS, {"now": now})
    session.execute(_RETIME_TRIES, {"now": now, "longest": LONGEST_DEFERRAL})
    return held
