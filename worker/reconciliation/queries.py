"""Sweeps as rows: begun, taken by one worker at a time, moved on window by window, finished."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.tables.operations import Sweep
from worker.domain.states import SweepReason
from worker.ledger.charging_hold import begin_sweep

AT_MOST_EVERY = timedelta(minutes=10)
"""How often a regular sweep begins when something waits for it."""

# One of its kind a day, however many beats ask: the lock makes the second see the first one's row.
_DAILY_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('again.sweep'))")
# Sooner when a late answer has named a payment that only a sweep can write into the books: its charge waits for that.
_DAILY_IS_DUE = text("""
    SELECT NOT EXISTS (SELECT FROM sweeps WHERE reason = 'daily' AND finished_at IS NULL)
       AND (NOT EXISTS (SELECT FROM sweeps WHERE reason = 'daily' AND ended_early IS NULL AND started_at > :after)
            OR EXISTS (SELECT FROM discrepancies WHERE status = 'open' AND kind IN ('missing_here', 'declined_here'))
               AND NOT EXISTS (SELECT FROM sweeps WHERE started_at > :recently))
""")

# A lease that ends later than one given now was given before the database's clock was set back.
# What holds claims comes first, unless its list could not be read the last time; among the others each has its turn, so
# that one that fails keeps none waiting.
_TAKE = text("""
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

_LEAVE = text("""
    UPDATE sweeps
    SET lease_until = :free_at, failure = CAST(:failure AS text),
        failing_since = CASE WHEN CAST(:failure AS text) IS NOT NULL
            THEN COALESCE(failing_since, CAST(:now AS timestamptz)) END
    WHERE id = :id AND started_at = :started_at AND finished_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class Taken:
    """A sweep that is ours for a while."""

    id: int
    reason: str
    holds_claims: bool
    since: datetime
    until: datetime
    position: datetime
    started_at: datetime  # with it, its id is that of no other sweep: a restored database gives ids out again


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a window held."""

    payments: int = 0
    not_ours: int = 0
    repaired: int = 0
    found: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            payments=self.payments + other.payments,
            not_ours=self.not_ours + other.not_ours,
            repaired=self.repaired + other.repaired,
            found=self.found + other.found,
        )


def begin_daily(session: Session, *, every: timedelta, span: timedelta, now: datetime) -> bool:
    """Begin the regular sweep over the last `span`, unless one began within `every` or is under way."""
    session.execute(_DAILY_LOCK)
    if not session.execute(_DAILY_IS_DUE, {"after": now - every, "recently": now - AT_MOST_EVERY}).scalar_one():
        return False
    begin_sweep(session, reason=SweepReason.DAILY, holds_claims=False, since=now - span, until=now, now=now)
    return True


def take(session: Session, *, now: datetime, lease: timedelta, only: int | None = None) -> Taken | None:
    """Take an unfinished sweep that nobody works on. Should we die, it is anybody's again after `lease`."""
    row = session.execute(_TAKE, {"now": now, "lease_until": now + lease, "only": only}).one_or_none()
    return None if row is None else Taken(*row)


def advance(
    session: Session, taken: Taken, *, position: datetime, counts: Counts, now: datetime, lease: timedelta
) -> bool | None:
    """Move a sweep on; True when that was its end, None when somebody else has ended it, or a restore undone it."""
    known = {"id": taken.id, "started_at": taken.started_at}
    parameters = {**known, "position": position, "now": now, "lease_until": now + lease, **asdict(counts)}
    moved: bool | None = session.execute(_ADVANCE, parameters).scalar()
    return moved


def renew(session: Session, taken: Taken, *, now: datetime, lease: timedelta) -> None:
    """Say that whoever took a sweep is alive."""
    session.execute(_RENEW, {"id": taken.id, "started_at": taken.started_at, "lease_until": now + lease})


def leave(session: Session, taken: Taken, *, now: datetime, back_off: timedelta, failure: str) -> None:
    """Give a sweep back before its lease ends, to be taken up again after `back_off`.

    `failure` is why PortOne's list could not be read, for people to see until it was; empty when it was.
    """
    parameters = {"id": taken.id, "started_at": taken.started_at, "failure": failure or None}
    session.execute(_LEAVE, {**parameters, "now": now, "free_at": now + back_off})


def named(session: Session, sweep_id: int) -> Sweep | None:
    return session.get(Sweep, sweep_id)
