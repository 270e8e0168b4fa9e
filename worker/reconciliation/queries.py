"""Sweeps as rows: started, leased by one worker at a time, advanced slice by slice, finished."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.tables.operations import Sweep
from worker.domain.states import SweepReason
from worker.ledger.charging_hold import begin_sweep

MIN_BETWEEN_DAILY_SWEEPS = timedelta(minutes=10)
"""Shortest time from any sweep to a daily one that starts early because a payment waits to be backfilled."""

# One a day, however many ticks ask: the lock makes the second see the first one's row.
_DAILY_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('again.sweep'))")
# Earlier when a late answer has reported a payment that only a sweep can backfill: its charge waits for that.
_DAILY_IS_DUE = text("""
    SELECT NOT EXISTS (SELECT FROM sweeps WHERE reason = 'daily' AND finished_at IS NULL)
       AND (NOT EXISTS (SELECT FROM sweeps WHERE reason = 'daily' AND ended_early IS NULL AND started_at > :after)
            OR EXISTS (SELECT FROM discrepancies WHERE status = 'open' AND kind IN ('missing_here', 'declined_here'))
               AND NOT EXISTS (SELECT FROM sweeps WHERE started_at > :recently))
""")

# A lease that ends later than one given now was given before the database's clock was set back.
# What holds claims comes first, unless its list could not be read the last time; among the others each has its turn, so
# that one that fails keeps none waiting.
_LEASE = text("""
    UPDATE sweeps SET lease_until = :lease_until
    WHERE id = (
        SELECT id FROM sweeps
        WHERE finished_at IS NULL AND (lease_until <= :now OR lease_until > :lease_until) AND id = COALESCE(:only, id)
        ORDER BY holds_claims AND failure IS NULL DESC, lease_until, id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, reason, holds_claims, since, until, position, started_at
""")

_ADVANCE = text("""
    UPDATE sweeps
    SET position = GREATEST(position, :position), lease_until = :lease_until, payments = payments + :payments,
        not_ours = not_ours + :not_ours, repaired = repaired + :repaired, found = found + :found,
        failing_since = NULL, failure = NULL,
        finished_at = CASE WHEN :position >= until THEN CAST(:now AS timestamptz) END
    WHERE id = :id AND started_at = :started_at AND finished_at IS NULL
    RETURNING finished_at IS NOT NULL
""")

_RENEW = text("""
    UPDATE sweeps SET lease_until = :lease_until WHERE id = :id AND started_at = :started_at AND finished_at IS NULL
""")

_RELEASE = text("""
    UPDATE sweeps
    SET lease_until = :free_at, failure = CAST(:failure AS text),
        failing_since = CASE WHEN CAST(:failure AS text) IS NOT NULL
            THEN COALESCE(failing_since, CAST(:now AS timestamptz)) END
    WHERE id = :id AND started_at = :started_at AND finished_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class LeasedSweep:
    """A sweep that this worker holds the lease of."""

    id: int
    reason: SweepReason
    holds_claims: bool
    since: datetime
    until: datetime
    position: datetime
    started_at: datetime  # with the id it names one sweep for ever: a restored database gives ids out again


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceCounts:
    """How many payments a time slice held, and what comparing them came to."""

    payments: int = 0
    not_ours: int = 0
    repaired: int = 0
    found: int = 0

    def __add__(self, other: SliceCounts) -> SliceCounts:
        return SliceCounts(
            payments=self.payments + other.payments,
            not_ours=self.not_ours + other.not_ours,
            repaired=self.repaired + other.repaired,
            found=self.found + other.found,
        )


def start_daily_sweep(session: Session, *, every: timedelta, span: timedelta, now: datetime) -> bool:
    """Start the daily sweep of the last `span`, unless one started within `every` or is in progress.

    Returns whether it was started.
    """
    session.execute(_DAILY_LOCK)
    if not session.execute(
        _DAILY_IS_DUE, {"after": now - every, "recently": now - MIN_BETWEEN_DAILY_SWEEPS}
    ).scalar_one():
        return False
    begin_sweep(session, reason=SweepReason.DAILY, holds_claims=False, since=now - span, until=now, now=now)
    return True


def lease_sweep(session: Session, *, now: datetime, lease: timedelta, only: int | None = None) -> LeasedSweep | None:
    """Lease an unfinished sweep that no worker holds, the `only` one if named; another worker can after `lease`."""
    row = session.execute(_LEASE, {"now": now, "lease_until": now + lease, "only": only}).one_or_none()
    if row is None:
        return None
    return LeasedSweep(
        id=row.id,
        reason=SweepReason(row.reason),
        holds_claims=row.holds_claims,
        since=row.since,
        until=row.until,
        position=row.position,
        started_at=row.started_at,
    )


def advance_sweep(
    session: Session, sweep: LeasedSweep, *, position: datetime, counts: SliceCounts, now: datetime, lease: timedelta
) -> bool | None:
    """Advance a sweep. True: it is finished. None: another process has finished it, or a restore has removed it."""
    known = {"id": sweep.id, "started_at": sweep.started_at}
    parameters = {**known, "position": position, "now": now, "lease_until": now + lease, **asdict(counts)}
    moved: bool | None = session.execute(_ADVANCE, parameters).scalar()
    return moved


def renew_lease(session: Session, sweep: LeasedSweep, *, now: datetime, lease: timedelta) -> None:
    """Extend the lease of a worker that is alive."""
    session.execute(_RENEW, {"id": sweep.id, "started_at": sweep.started_at, "lease_until": now + lease})


def release_lease(session: Session, sweep: LeasedSweep, *, now: datetime, back_off: timedelta, failure: str) -> None:
    """End the lease, so that a worker can continue after `back_off`.

    `failure` is why PortOne's list could not be read, which operators see until it can; empty when it was read.
    """
    parameters = {"id": sweep.id, "started_at": sweep.started_at, "failure": failure or None}
    session.execute(_RELEASE, {**parameters, "now": now, "free_at": now + back_off})


def find_sweep(session: Session, sweep_id: int) -> Sweep | None:
    return session.get(Sweep, sweep_id)
