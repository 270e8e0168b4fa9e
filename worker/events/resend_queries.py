"""Events that are queued once more, for destinations that may have had them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index

# Those of a subscription keep their order, and come before what of it is queued and newer.
_QUEUE = text("""
    WITH chosen AS MATERIALIZED (
        SELECT e.position, e.type, coalesce(e.subscription_id, 0) AS subscription_id FROM events e
        WHERE e.position > :after AND e.position <= :last
        ORDER BY e.position LIMIT :limit
    ), queued AS (
        INSERT INTO deliveries (destination_id, position, subscription_id, next_try_at)
        SELECT d.id, c.position, c.subscription_id, :now
        FROM chosen c JOIN destinations d ON d.status = 'active' AND (d.types = '{}' OR c.type = ANY(d.types))
        WHERE d.name = coalesce(CAST(:destination AS text), d.name)
          AND (CAST(:types AS text[]) IS NULL OR c.type = ANY(CAST(:types AS text[])))
        ON CONFLICT (destination_id, position) DO NOTHING
        RETURNING position
    )
    SELECT (SELECT max(position) FROM chosen) AS reached, (SELECT count(*) FROM queued) AS queued
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Which events are meant: those behind one position, up to another, of some types."""

    after: int
    last: int
    types: Sequence[str] = ()


def queue(
    session: Session, wanted: Range, destination: str | None, *, now: datetime, limit: int
) -> tuple[int | None, int]:
    """Queue up to `limit` events; returns the position that was reached, None at the end, and how many were queued."""
    plan_by_index(session)
    parameters = {
        "after": wanted.after,
        "last": wanted.last,
        "types": list(wanted.types) or None,
        "destination": destination,
        "now": now,
        "limit": limit,
    }
    row = session.execute(_QUEUE, parameters).one()
    return row.reached, row.queued
