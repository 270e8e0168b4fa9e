"""When each moving part was last seen: progress in the database, not the pulse of a process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from worker.database.clock import APART
from worker.database.tables.operations import Heartbeat

BEAT = "beat"

RETURN = "return of the workers"
"""The row that says when a worker was back after none had been there."""

# A clock that was turned since it was asked says it late: what it said is put on to the turned time. While a turn moves
# all that was seen, no part is seen, so both statements below begin before it or after it.
_AT = """
    CAST(:now AS timestamptz)
    + (SELECT clock_ahead - COALESCE(CAST(:ahead AS interval), clock_ahead) FROM database_identity)
"""

_SEEN = text(f"""
    INSERT INTO heartbeats AS h (name, seen_at) SELECT CAST(:name AS text), {_AT}
    ON CONFLICT (name) DO UPDATE
    SET seen_at = CASE WHEN h.seen_at > excluded.seen_at + :apart THEN excluded.seen_at
                       ELSE GREATEST(h.seen_at, excluded.seen_at) END
""")  # noqa: S608 - constants only

# One that lies far ahead is of before the clock was set back.
_RETURNED = text(f"""
    INSERT INTO heartbeats (name, seen_at) SELECT CAST(:name AS text), at.now
    FROM (SELECT {_AT} AS now) at
    WHERE NOT EXISTS (SELECT FROM heartbeats WHERE name <> :name AND seen_at >= at.now - CAST(:silence AS interval))
       OR EXISTS (SELECT FROM heartbeats WHERE name = :name AND seen_at > at.now + CAST(:apart AS interval))
    ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at
""")  # noqa: S608 - constants only


def beat(session: Session, name: str, *, now: datetime, ahead: timedelta | None = None) -> None:
    """Note that `name` is alive; moves back only from a time that lies far ahead, before the clock was set back.

    `ahead` is by how much the clock was turned that said `now`, when that was asked before this transaction.
    """
    session.execute(_SEEN, {"name": name, "now": now, "ahead": ahead, "apart": APART})


def note_return(session: Session, *, now: datetime, silence: timedelta, ahead: timedelta | None = None) -> None:
    """Note that the workers are back, if nothing was seen for so long; before this one's own sign of life."""
    values = {"name": RETURN, "now": now, "ahead": ahead, "silence": silence, "apart": APART}
    session.execute(_RETURNED, values)


def last_seen(session: Session) -> Mapping[str, datetime]:
    """Return when each part was last seen."""
    return {row.name: row.seen_at for row in session.scalars(select(Heartbeat))}
