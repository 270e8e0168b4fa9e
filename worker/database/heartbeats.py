"""When each moving part was last seen: progress in the database, not the pulse of a process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.database.watch_models import Heartbeat

BEAT = "beat"


def beat(session: Session, name: str, *, now: datetime) -> None:
    """Note that `name` is alive; never moves backwards."""
    row = insert(Heartbeat).values(name=name, seen_at=now)
    seen_at = func.greatest(Heartbeat.seen_at, row.excluded.seen_at)
    session.execute(row.on_conflict_do_update(index_elements=[Heartbeat.name], set_={"seen_at": seen_at}))


def last_seen(session: Session) -> Mapping[str, datetime]:
    """Say when each part was last seen."""
    return {row.name: row.seen_at for row in session.scalars(select(Heartbeat))}
