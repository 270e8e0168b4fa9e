"""Charging hold: in a restored database, after a silence or a step of its clock nothing is charged for a while.

Before anything is opened or claimed, a worker looks here. After a gap, or in a copy, nothing is charged until PortOne's
payments since then were compared with our records: see `worker.reconciliation.statement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from schedules.plans import SEOUL
from worker.database.audit_reason import give_reason
from worker.database.clock import DatabaseClock, Step, read
from worker.database.tables.operations import Sweep
from worker.domain.clock import Clock
from worker.domain.states import SweepReason
from worker.ledger import clock_steps
from worker.ledger.database_identity import HoldPolicy, KnownIdentity, check_owner, known_identity, touch

MARGIN = timedelta(minutes=10)
"""How far a sweep reaches back before what it is about: clocks differ, and payments show late."""

# A clock that was ahead, or a worker that looked before the restore was known, must not hide what lies before. By ids:
# what was sent again, or while a clock was ahead, may have started later, but to compare from earlier is safe. What a
# sweep has adopted was paid at any time; its lease is as long as nothing.
_LAST_WORK = text("""
    SELECT COALESCE(max(started_at) FILTER (WHERE lease_until > started_at), max(started_at))
    FROM (SELECT started_at, lease_until FROM attempts ORDER BY id DESC LIMIT 1000) newest
""")

_BEGIN = text("""
    INSERT INTO sweeps (reason, holds_claims, since, until, position, started_at, lease_until)
    VALUES (:reason, :holds_claims, :since, :until, :since, :now, :now)
    RETURNING id
""")

# What has finished is at its end: `ended_early` says that this one has not compared everything before.
_RELEASE = text("""
    UPDATE sweeps
    SET position = GREATEST(position, until), finished_at = :now, ended_early = 'released', released_by = :by
    WHERE holds_claims AND finished_at IS NULL
    RETURNING id
""")

_STOP_ALL = text("""
    INSERT INTO stops (scope, reason, stopped_by, stopped_at) VALUES ('all', :reason, :by, :now) ON CONFLICT DO NOTHING
""")

_MAY_STOP = text("SELECT has_table_privilege('stops', 'INSERT')")

_WAS_STOPPED = text("""
    SELECT EXISTS (
        SELECT FROM audit
        WHERE entity = 'stop' AND entity_name = 'all' AND to_status = 'stopped' AND at >= :since)
""")

_RESTORED = text("""
    SELECT id FROM sweeps WHERE reason = 'restored' AND holds_claims AND finished_at IS NULL ORDER BY id DESC LIMIT 1
""")

BY_RESTORE = "restore"
"""Who has stopped charging when the database was found to be a restored copy."""

log = structlog.get_logger()


def charging_is_allowed(session: Session, policy: HoldPolicy, *, now: datetime | Clock) -> bool:
    """Return whether charges may be opened and claimed; if not, a sweep has to end first. The caller commits.

    By a clock, which is read here, a step of the database's clock is noticed besides; an instant may have become old
    meanwhile, and shows none. Raises WrongDatabase.
    """
    known = known_identity(session)
    check_owner(known.mode, known.prefix, policy)
    read_at = now if isinstance(now, datetime) else read(session, now)
    if not known.same:
        # What was sent before the copy took over may land until the quiet period is over.
        _hold(
            session,
            known,
            policy,
            now=read_at,
            until=read_at + policy.quiet_period,
            reason=SweepReason.RESTORED,
        )
        return False
    if not isinstance(now, datetime) and _has_stepped(session, known, policy, clock=now, now=read_at):
        return False
    if read_at - known.seen_at > policy.gap:
        _hold(session, known, policy, now=read_at, until=read_at + policy.gap_wait, reason=SweepReason.GAP)
        return False
    if read_at - known.seen_at > policy.touch_every or known.mode is None:
        touch(session, known, policy, read_at)
    return not known.held


def _has_stepped(session: Session, known: KnownIdentity, policy: HoldPolicy, *, clock: Clock, now: datetime) -> bool:
    """Hold charging when the database's clock was set, and it is not held for that yet.

    A worker that has asked it before knows by how much more it moved than has elapsed. One that has not sees at least
    that it was set back: the last look lies ahead.
    """
    step = clock.step if isinstance(clock, DatabaseClock) else None
    if step is not None:
        if abs(step.by) > policy.smallest_step and not clock_steps.is_covered_by_hold(
            session, now=now, within=step.within, quiet_period=policy.quiet_period
        ):
            _hold_for_step(session, known, policy, now=now, by=step.by)
            _forget_once_committed(session, clock, step)
            return True
        _forget_once_committed(session, clock, step)
    if known.seen_at - now > policy.smallest_step:
        _hold_for_step(session, known, policy, now=now, by=now - known.seen_at)
        return True
    return False


def _hold_for_step(session: Session, known: KnownIdentity, policy: HoldPolicy, *, now: datetime, by: timedelta) -> None:
    """Replace any hold by one that lasts a quiet period from now."""
    log.error(
        "the database's clock was set, or this machine stood still: look at NTP on both",
        moved_seconds=round(by.total_seconds(), 1),
    )
    if not touch(session, known, policy, now, set_back=True):
        return  # another process has noticed at the same moment
    overtaken = clock_steps.restart_timers(session, now=now, lease=policy.longest_lease)
    reason = SweepReason.RESTORED if overtaken.restored else SweepReason.CLOCK
    _begin(session, known, now=now, until=now + policy.quiet_period, reason=reason, since=overtaken.since)


def _forget_once_committed(session: Session, clock: Clock, step: Step) -> None:
    def forget(_: Session) -> None:
        assert isinstance(clock, DatabaseClock)
        clock.dealt_with(step)

    event.listen(session, "after_commit", forget, once=True)


def declare_restored(session: Session, policy: HoldPolicy, *, now: datetime, since: datetime | None = None) -> int:
    """Hold everything as for a restored copy, on an operator's word, and return the sweep; one under way is kept.

    It compares from `since`, or from the last work that the database knows of.
    """
    known = known_identity(session, for_update=True)
    if since is None and (under_way := session.scalar(_RESTORED)) is not None:
        return int(under_way)
    _hold(
        session,
        known,
        policy,
        now=now,
        until=now + policy.quiet_period,
        reason=SweepReason.RESTORED,
        since=since,
    )
    return int(session.execute(_RESTORED).scalar_one())


def begin_sweep(
    session: Session, *, reason: SweepReason, holds_claims: bool, since: datetime, until: datetime, now: datetime
) -> int:
    """Begin a sweep of the payments made from `since` to `until`, and return its id; the next worker takes it."""
    parameters = {"reason": reason, "holds_claims": holds_claims, "since": since, "until": until, "now": now}
    return int(session.execute(_BEGIN, parameters).scalar_one())


def holding(session: Session) -> Sequence[Sweep]:
    """List the sweeps that hold charging, oldest first."""
    return session.scalars(
        select(Sweep).where(Sweep.holds_claims, Sweep.finished_at.is_(None)).order_by(Sweep.id)
    ).all()


def release(session: Session, *, by: str, reason: str, now: datetime) -> Sequence[int]:
    """End every sweep that holds charging, on an operator's word; return their ids.

    After a restore this stops all charging, unless an operator has started it during the hold: the backup has forgotten
    not only payments, but also what operators stopped since.
    """
    held = holding(session)
    give_reason(session, reason, now=now)
    released = session.scalars(_RELEASE, {"by": by, "now": now}).all()
    for each in held:
        if each.reason == SweepReason.RESTORED:
            stop_once_compared(session, since=each.since, begun_at=each.started_at, now=now)
    return released


def _hold(
    session: Session,
    known: KnownIdentity,
    policy: HoldPolicy,
    *,
    now: datetime,
    until: datetime,
    reason: SweepReason,
    since: datetime | None = None,
) -> bool:
    """Begin a sweep that holds charging; False when another process has noticed at the same moment."""
    if not touch(session, known, policy, now, set_back=True):
        return False
    _begin(session, known, now=now, until=until, reason=reason, since=since)
    # Pages may notice it first, and their database role stops nothing: then it is done when all is compared.
    if reason == SweepReason.RESTORED and session.scalar(_MAY_STOP):
        _stop_for_people(session, known.seen_at, now)
    return True


def _begin(
    session: Session,
    known: KnownIdentity,
    *,
    now: datetime,
    until: datetime,
    reason: SweepReason,
    since: datetime | None,
) -> None:
    """Begin the sweep that holds, from the last work that is known of, or from `since` if that is earlier."""
    last_work = session.execute(_LAST_WORK).scalar()
    since = min(filter(None, (known.seen_at, now, last_work, since))) - MARGIN
    begin_sweep(session, reason=reason, holds_claims=True, since=since, until=until, now=now)
    log.warning(
        "nothing is charged until PortOne's payments were compared with our records",
        reason=reason,
        since=since.isoformat(),
        until=until.isoformat(),
    )


def stop_once_compared(session: Session, *, since: datetime, begun_at: datetime, now: datetime) -> None:
    """Leave charging stopped for an operator once a restore holds it no more, unless one was told to start it."""
    if not session.scalar(_WAS_STOPPED, {"since": begun_at}):
        _stop_for_people(session, since + MARGIN, now)


def _stop_for_people(session: Session, seen_at: datetime, now: datetime) -> None:
    """Stop all charging until an operator starts it: PortOne tells what was paid since, not what operators did."""
    since = f"{seen_at.astimezone(SEOUL):%Y-%m-%d %H:%M %Z}"
    reason = (
        f"restored: what people did since the backup ({since}) is forgotten. Look at cancellations, pauses, key and "
        "plan changes, refunds and the kill switch since then, and repeat them; then `again start`"
    )
    session.execute(_STOP_ALL, {"reason": reason, "by": BY_RESTORE, "now": now})
    log.warning("charging is stopped until an operator starts it", reason=reason)
