"""When each moving part was last seen: progress in the database, not the pulse of a process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.database.clock import APART
from worker.database.tables.operations import Heartbeat

BEAT = "beat"


def beat(session: Session, name: str, *, now: datetime) -> None:
    """Note that `name` is alive; moves back only from a time that lies far ahead, before the clock was set back."""
    row = insert(Heartbeat).values(name=name, seen_at=now)
    later = func.greatest(Heartbeat.seen_at, row.excluded.seen_at)
    seen_at = case((Heartbeat.seen_at > now + APART, row.excluded.seen_at), else_=later)
    session.execute(row.on_conflict_do_update(index_elements=[Heartbeat.name], set_={"seen_at": seen_at}))


def last_seen(session: Session) -> Mapping[str, datetime]:
    """Return when each part was last seen."""
    return {row.name: row.seen_at for row in session.scalars(select(Heartbeat))}
