"""Is this the database we have worked with all along? A restored backup has forgotten payments that were made.

Before anything is opened or claimed, a worker looks here. After a gap, or in a copy, nothing is charged until PortOne's
payments since then were compared with the books: see `worker.sweeping`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database import sweeps
from worker.settings import Settings

MARGIN = timedelta(minutes=10)
"""So far back a sweep begins before what it is about: clocks differ, and payments show late."""

TOUCH_EVERY = timedelta(seconds=30)
"""So often a worker that goes on says so; less often than it looks, for every claim would wait for the same row."""

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
    UPDATE lineage SET seen_at = :now, identity = database_identity(), mode = :mode, prefix = :prefix
    WHERE seen_at = :seen_at AND identity = :identity
    RETURNING seen_at
""")

_RESTORED = text("""
    SELECT id FROM sweeps WHERE reason = 'restored' AND holds_claims AND finished_at IS NULL ORDER BY id DESC LIMIT 1
""")

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


def goes_on(session: Session, watch: Watch, *, now: datetime) -> bool:
    """Say whether work may go on; if not, a sweep stands in the tables that must end first. The caller commits.

    Raises WrongDatabase.
    """
    row = session.execute(_STANDING).one()
    check_owner(row.mode, row.prefix, watch)
    if not row.same:
        # What was sent before the copy took over may land until the quiet period is over.
        _hold(session, row, watch, now=now, until=now + watch.quiet_period, reason="restored")
        return False
    if now - row.seen_at > watch.gap:
        _hold(session, row, watch, now=now, until=now + watch.gap_wait, reason="gap")
        return False
    if abs(now - row.seen_at) > TOUCH_EVERY or row.mode is None:
        _touch(session, row, watch, now)
    return not row.held


def declare_restored(session: Session, watch: Watch, *, now: datetime, since: datetime | None = None) -> int:
    """Hold everything as for a restored copy, on a person's word, and return the sweep; one under way is kept.

    It compares from `since`, or from the last work that the database knows of.
    """
    session.execute(_LOCKED)
    row = session.execute(_STANDING).one()
    if since is None and (known := session.scalar(_RESTORED)) is not None:
        return int(known)
    _hold(session, row, watch, now=now, until=now + watch.quiet_period, reason="restored", since=since)
    return int(session.execute(_RESTORED).scalar_one())


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
) -> None:
    if not _touch(session, row, watch, now):
        return  # somebody else has noticed at the same moment
    last_work = session.execute(_LAST_WORK).scalar()
    since = min(filter(None, (row.seen_at, now, last_work, since))) - MARGIN
    sweeps.begin(session, reason=reason, holds_claims=True, since=since, until=until, now=now)
    log.warning(
        "nothing is charged until PortOne's payments were compared with the books",
        reason=reason,
        since=since.isoformat(),
        until=until.isoformat(),
    )


def _touch(session: Session, row: Row[Any], watch: Watch, now: datetime) -> bool:
    known = {"seen_at": row.seen_at, "identity": row.identity}
    parameters = {"now": now, "mode": watch.mode, "prefix": watch.prefix, **known}
    return session.execute(_TOUCH, parameters).first() is not None
