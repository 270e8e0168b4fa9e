"""Is this the database we have worked with all along? A restored backup has forgotten payments that were made.

Before anything is opened or claimed, a worker looks here. After a gap, or in a copy, nothing is charged until PortOne's
payments since then were compared with the books: see `worker.reconciliation.statement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, event, text
from sqlalchemy.orm import Session

from schedules.plans import SEOUL
from worker.config.settings import Settings
from worker.database.clock import APART, DatabaseClock, Step, read
from worker.domain.clock import Clock
from worker.ledger import clock_steps
from worker.reconciliation import queries as reconciliation_queries

MARGIN = timedelta(minutes=10)
"""So far back a sweep begins before what it is about: clocks differ, and payments show late."""

TOUCH_EVERY = timedelta(seconds=30)
"""So often a worker that goes on says so; less often than it looks, for every claim would wait for the same row."""

RESTORED = "restored"
"""The reason of a sweep that holds charging in a restored copy."""

STEP = "clock"
"""The reason of a sweep that holds charging because the database's clock has stepped."""

_STANDING = text("""
    SELECT identity, identity = database_identity() AS same, seen_at, mode, prefix,
           EXISTS (SELECT FROM sweeps WHERE finished_at IS NULL AND holds_claims) AS held
    FROM lineage
""")

# A clock that was ahead, or a worker that looked before anybody knew of the restore, must not hide what lies before.
_LAST_WORK = text("""
    SELECT LEAST(
        (SELECT max(started_at) FROM attempts),
        (SELECT max(at) FROM audit WHERE entity IN ('charge', 'attempt'))) AS at
""")

_LOCKED = text("SELECT seen_at FROM lineage FOR UPDATE")

_TOUCH = text("""
    UPDATE lineage
    SET seen_at = CASE WHEN :set_back THEN :now ELSE GREATEST(seen_at, :now) END,
        identity = database_identity(), mode = :mode, prefix = :prefix
    WHERE seen_at = :seen_at AND identity = :identity
    RETURNING seen_at
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


class WrongDatabase(RuntimeError):
    """The database belongs to another mode (live, sandbox) or another merchant_uid prefix than the settings say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What the settings say about the database: whose it is, and how long a silence makes it doubtful."""

    mode: str
    prefix: str
    gap: timedelta
    gap_wait: timedelta  # how long charging is held after a gap, besides comparing; money may be on its way
    quiet_period: timedelta

    @property
    def touch_every(self) -> timedelta:
        """So often a worker that goes on says so: several times within the shortest silence that is a gap."""
        return min(TOUCH_EVERY, self.gap / 4)

    @property
    def smallest_step(self) -> timedelta:
        """By so much the database's clock may move without anybody waiting: far less than a quiet period."""
        return min(APART, self.quiet_period / 10)

    @property
    def longest_lease(self) -> timedelta:
        """No claimed attempt belongs to its worker for longer: the settings make a gap of two leases at least."""
        return self.gap / 2


def watch_of(settings: Settings) -> Watch:
    """Give what the settings say about the database that charges are opened and claimed in."""
    return Watch(
        mode=settings.mode,
        prefix=settings.merchant_uid_prefix,
        gap=settings.gap,
        # With real money, what was sent before may still land; a sandbox need not be waited for.
        gap_wait=settings.quiet_period if settings.live else timedelta(0),
        quiet_period=settings.quiet_period,
    )


def goes_on(session: Session, watch: Watch, *, now: datetime | Clock) -> bool:
    """Say whether work may go on; if not, a sweep stands in the tables that must end first. The caller commits.

    By a clock, which is read here, a step of the database's clock is noticed besides; an instant may have become old
    meanwhile, and shows none. Raises WrongDatabase.
    """
    row = session.execute(_STANDING).one()
    check_owner(row.mode, row.prefix, watch)
    read_at = now if isinstance(now, datetime) else read(session, now)
    if not row.same:
        # What was sent before the copy took over may land until the quiet period is over.
        _hold(session, row, watch, now=read_at, until=read_at + watch.quiet_period, reason=RESTORED)
        return False
    if not isinstance(now, datetime) and _has_stepped(session, row, watch, clock=now, now=read_at):
        return False
    if read_at - row.seen_at > watch.gap:
        _hold(session, row, watch, now=read_at, until=read_at + watch.gap_wait, reason="gap")
        return False
    if read_at - row.seen_at > watch.touch_every or row.mode is None:
        _touch(session, row, watch, read_at)
    return not row.held


def _has_stepped(session: Session, row: Row[Any], watch: Watch, *, clock: Clock, now: datetime) -> bool:
    """Hold charging when the database's clock was set, and nobody has held it for that yet.

    A worker that has asked it before knows by how much more it moved than has elapsed. Whoever has not sees at least
    that it was set back: the last look lies ahead.
    """
    step = clock.step if isinstance(clock, DatabaseClock) else None
    if step is not None:
        if abs(step.by) > watch.smallest_step and not clock_steps.is_answered(
            session, now=now, within=step.within, quiet_period=watch.quiet_period
        ):
            _hold_for_step(session, row, watch, now=now, by=step.by)
            _forget_once_committed(session, clock, step)
            return True
        _forget_once_committed(session, clock, step)
    if row.seen_at - now > watch.smallest_step:
        _hold_for_step(session, row, watch, now=now, by=now - row.seen_at)
        return True
    return False


def _hold_for_step(session: Session, row: Row[Any], watch: Watch, *, now: datetime, by: timedelta) -> None:
    """Hold charging for a quiet period from now on, in the place of whatever holds it already and until when."""
    log.error(
        "the database's clock was set, or this machine stood still: look at NTP on both",
        moved_seconds=round(by.total_seconds(), 1),
    )
    if not _touch(session, row, watch, now, set_back=True):
        return  # somebody else has noticed at the same moment
    overtaken = clock_steps.set_right(session, now=now, lease=watch.longest_lease)
    reason = RESTORED if overtaken.restored else STEP
    _begin(session, row, now=now, until=now + watch.quiet_period, reason=reason, since=overtaken.since)


def _forget_once_committed(session: Session, clock: Clock, step: Step) -> None:
    def forget(_: Session) -> None:
        assert isinstance(clock, DatabaseClock)
        clock.dealt_with(step)

    event.listen(session, "after_commit", forget, once=True)


def declare_restored(session: Session, watch: Watch, *, now: datetime, since: datetime | None = None) -> int:
    """Hold everything as for a restored copy, on a person's word, and return the sweep; one under way is kept.

    It compares from `since`, or from the last work that the database knows of.
    """
    session.execute(_LOCKED)
    row = session.execute(_STANDING).one()
    if since is None and (known := session.scalar(_RESTORED)) is not None:
        return int(known)
    _hold(session, row, watch, now=now, until=now + watch.quiet_period, reason=RESTORED, since=since)
    return int(session.execute(_RESTORED).scalar_one())


def release(session: Session, *, by: str, reason: str, now: datetime) -> Sequence[int]:
    """End every sweep that holds charging, on a person's word, and give their ids. A restore's leaves all stopped.

    Unless a person was told to start charging while it was held: PortOne's payments are one thing that was forgotten,
    and what people did since the backup another.
    """
    held = reconciliation_queries.holding(session)
    released = reconciliation_queries.release(session, by=by, reason=reason, now=now)
    for each in held:
        if each.reason == RESTORED:
            stop_once_compared(session, since=each.since, begun_at=each.started_at, now=now)
    return released


def verify(session: Session, watch: Watch) -> None:
    """Raise WrongDatabase when the settings are not those with which the database has charged."""
    row = session.execute(_STANDING).one()
    check_owner(row.mode, row.prefix, watch)


def check_owner(mode: str | None, prefix: str | None, watch: Watch) -> None:
    """Raise WrongDatabase when a database has charged in another mode or under another prefix."""
    if mode is not None and mode != watch.mode:
        raise WrongDatabase(
            f"This database has charged in {mode} mode, and the settings say {watch.mode}: give each its own database "
            "(AGAIN_DATABASE_URL), or set or remove AGAIN_PORTONE_KEY."
        )
    if prefix is not None and prefix != watch.prefix:
        raise WrongDatabase(
            f"This database has charged under the prefix {prefix!r}, and AGAIN_MERCHANT_UID_PREFIX says "
            f"{watch.prefix!r}: another prefix would charge open periods a second time. Set it back."
        )


def _hold(
    session: Session,
    row: Row[Any],
    watch: Watch,
    *,
    now: datetime,
    until: datetime,
    reason: str,
    since: datetime | None = None,
) -> bool:
    """Begin a sweep that holds charging; False when somebody else has noticed at the same moment."""
    if not _touch(session, row, watch, now, set_back=True):
        return False
    _begin(session, row, now=now, until=until, reason=reason, since=since)
    # Pages may notice it first, and their database role stops nothing: then it is done when all is compared.
    if reason == RESTORED and session.scalar(_MAY_STOP):
        _stop_for_people(session, row.seen_at, now)
    return True


def _begin(
    session: Session, row: Row[Any], *, now: datetime, until: datetime, reason: str, since: datetime | None
) -> None:
    """Begin the sweep that holds, from the last work that is known of, or from `since` if that is earlier."""
    last_work = session.execute(_LAST_WORK).scalar()
    since = min(filter(None, (row.seen_at, now, last_work, since))) - MARGIN
    reconciliation_queries.begin(session, reason=reason, holds_claims=True, since=since, until=until, now=now)
    log.warning(
        "nothing is charged until PortOne's payments were compared with the books",
        reason=reason,
        since=since.isoformat(),
        until=until.isoformat(),
    )


def stop_once_compared(session: Session, *, since: datetime, begun_at: datetime, now: datetime) -> None:
    """See to it that a person starts charging once a restore holds it no more, unless one was told to before."""
    if not session.scalar(_WAS_STOPPED, {"since": begun_at}):
        _stop_for_people(session, since + MARGIN, now)


def _stop_for_people(session: Session, seen_at: datetime, now: datetime) -> None:
    """Stop all charging until a person starts it: PortOne tells what was paid since, and nobody what people did."""
    since = f"{seen_at.astimezone(SEOUL):%Y-%m-%d %H:%M %Z}"
    reason = (
        f"restored: what people did since the backup ({since}) is forgotten. Look at cancellations, pauses, key and "
        "plan changes, refunds and the kill switch since then, and repeat them; then `again start`"
    )
    session.execute(_STOP_ALL, {"reason": reason, "by": BY_RESTORE, "now": now})
    log.warning("charging is stopped until a person starts it", reason=reason)


def _touch(session: Session, row: Row[Any], watch: Watch, now: datetime, *, set_back: bool = False) -> bool:
    """Note that the database was worked with; `set_back`, also when that was noted at a later time."""
    known = {"seen_at": row.seen_at, "identity": row.identity}
    parameters = {"now": now, "set_back": set_back, "mode": watch.mode, "prefix": watch.prefix, **known}
    return session.execute(_TOUCH, parameters).first() is not None
