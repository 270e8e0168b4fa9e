"""What a step of the database's clock leaves in the tables, and how it is set right.

Leases and quiet periods are differences of the database's times. When its clock is set ahead, they all seem over at
once; when it is set back, they seem to last for as long as it was set back. Whatever may have been under way at a step
is therefore waited for once more, a whole quiet period from the step on, by the clock as it is now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.ledger import channel_stops

LONGEST_DEFERRAL = timedelta(days=1)
"""A try that was to come sooner after its decision waits for a while, not for a date, and is counted again from now."""

_ANSWERED = text("""
    SELECT EXISTS (
        SELECT FROM sweeps
        WHERE holds_claims AND started_at BETWEEN :since AND :now AND until >= started_at + :quiet_period)
""")

# What a sweep holds and until when never changes, so one whose times have lost their meaning ends, and another begins.
_OVERTAKE = text("""
    UPDATE sweeps
    SET position = GREATEST(position, until), finished_at = :now, ended_early = 'clock_set'
    WHERE finished_at IS NULL AND (holds_claims OR until > :now OR started_at > :now)
    RETURNING since, holds_claims, reason = 'restored' AS restored
""")

# What another process settles at this moment needs nothing any more.
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


def is_covered_by_hold(session: Session, *, now: datetime, within: timedelta, quiet_period: timedelta) -> bool:
    """Return whether a hold for a quiet period was started in the last `within`: then it covers a step in it."""
    parameters = {"now": now, "since": now - within, "quiet_period": quiet_period}
    return bool(session.execute(_ANSWERED, parameters).scalar_one())


@dataclass(frozen=True, slots=True)
class Overtaken:
    """What the holds that a step has ended were about: from when on they compared, and whether a restore was one."""

    since: datetime | None
    restored: bool


def restart_timers(session: Session, *, now: datetime, lease: timedelta) -> Overtaken:
    """Restart leases, look-ups and short deferrals from `now` after a change of the clock; end sweeps it made void.

    Every lease lasts `lease` from now, and evidence about channels that lies ahead is set to now. Due dates stay. The
    caller starts the charging hold that follows.
    """
    ended = [row for row in session.execute(_OVERTAKE, {"now": now}) if row.holds_claims]
    session.execute(_RETIME_LEASES, {"lease_until": now + lease})
    session.execute(_RETIME_LOOK_UPS, {"now": now})
    session.execute(_RETIME_TRIES, {"now": now, "longest": LONGEST_DEFERRAL})
    channel_stops.clamp_future_evidence(session, now=now)
    return Overtaken(min((row.since for row in ended), default=None), any(row.restored for row in ended))
