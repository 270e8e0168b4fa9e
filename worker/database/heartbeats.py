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

_SEEN = text("""
    INSERT INTO heartbeats AS h (name, seen_at) VALUES (:name, :now)
    ON CONFLICT (name) DO UPDATE
    SET seen_at = CASE WHEN h.seen_at > :far_ahead THEN excluded.seen_at ELSE GREATEST(h.seen_at, excluded.seen_at) END
""")

# One that lies far ahead is of before the clock was set back.
_RETURNED = text("""
    INSERT INTO heartbeats (name, seen_at) SELECT CAST(:name AS text), CAST(:now AS timestamptz)
    WHERE NOT EXISTS (SELECT FROM heartbeats WHERE name <> :name AND seen_at >= :silent_since)
       OR EXISTS (SELECT FROM heartbeats WHERE name = :name AND seen_at > :far_ahead)
    ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at
""")


def beat(session: Session, name: str, *, now: datetime) -> None:
    """Note that `name` is alive; moves back only from a time that lies far ahead, before the clock was set back."""
    session.execute(_SEEN, {"name": name, "now": now, "far_ahead": now + APART})


def note_return(session: Session, *, now: datetime, silence: timedelta) -> None:
    """Note that the workers are back, if nothing was seen for so long; before this one's own sign of life."""
    values = {"name": RETURN, "now": now, "silent_since": now - silence, "far_ahead": now + APART}
    session.execute(_RETURNED, values)


def last_seen(session: Session) -> Mapping[str, datetime]:
    """Return when each part was last seen."""
    return {row.name: row.seen_at for row in session.scalars(select(Heartbeat))}
