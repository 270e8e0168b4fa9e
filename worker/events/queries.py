"""Events, read in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.domain.events.types import EventType

_COLUMNS = "e.position, e.id, e.type, e.version, e.at, e.subscription_id, e.data"

_AFTER = text(f"SELECT {_COLUMNS} FROM events e WHERE e.position > :after ORDER BY e.position LIMIT :limit")  # noqa: S608

_NEWEST = text(f"SELECT {_COLUMNS} FROM events e ORDER BY e.position DESC LIMIT :limit")  # noqa: S608

# Rows are compared, and not each column for itself: by position alone, all events would be read for a rare type.
_AFTER_OF_TYPES = text(f"""
    SELECT {_COLUMNS} FROM unnest(CAST(:types AS text[])) AS wanted(type)
    CROSS JOIN LATERAL (
        SELECT * FROM events
        WHERE (type, position) > (wanted.type, CAST(:after AS bigint)) AND type <= wanted.type
        ORDER BY type, position LIMIT :limit) e
    ORDER BY e.position LIMIT :limit
""")  # noqa: S608 - constants only

_NEWEST_OF_TYPES = text(f"""
    SELECT {_COLUMNS} FROM unnest(CAST(:types AS text[])) AS wanted(type)
    CROSS JOIN LATERAL (
        SELECT * FROM events WHERE type >= wanted.type AND type <= wanted.type
        ORDER BY type DESC, position DESC LIMIT :limit) e
    ORDER BY e.position DESC LIMIT :limit
""")  # noqa: S608 - constants only

# Of one subscription there are some dozens, of whatever type.
_OF_ONE = f"""
    SELECT {_COLUMNS} FROM (
        SELECT * FROM events
        WHERE subscription_id = (SELECT id FROM subscriptions WHERE code = :subscription) OFFSET 0) e
    WHERE e.position > :after
      AND (CAST(:types AS text[]) IS NULL OR e.type = ANY(CAST(:types AS text[])))
    ORDER BY e.position {{order}} LIMIT :limit
"""  # noqa: S608 - constants only

_AFTER_OF_ONE, _NEWEST_OF_ONE = (text(_OF_ONE.format(order=order)) for order in ("", "DESC"))

_BY_ID = text(f"""
    SELECT {_COLUMNS} FROM (SELECT * FROM events WHERE id = :id OFFSET 0) e ORDER BY e.position LIMIT 1
""")  # noqa: S608 - constants only

_LAST_POSITION = text("SELECT COALESCE(max(position), 0) FROM events")

# By position, which grows with the time of writing. What a destination has not got yet stays, and is walked over.
_PRUNE = text("""
    WITH looked AS MATERIALIZED (
        SELECT e.position, EXISTS (
            SELECT FROM destinations x JOIN deliveries d ON d.destination_id = x.id AND d.position = e.position
            ) AS is_queued
        FROM events e WHERE e.position > :after AND e.position < :before
        ORDER BY e.position LIMIT :limit
    ), deleted AS (
        DELETE FROM events WHERE position = ANY(ARRAY(SELECT position FROM looked WHERE NOT is_queued))
        RETURNING position
    )
    SELECT (SELECT max(position) FROM looked) AS reached, (SELECT count(*) FROM deleted) AS deleted
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change of state, as it is told. `position` is its place among all; `id` names the fact, however often told."""

    position: int
    id: str
    type: EventType
    version: int
    at: datetime
    subscription_id: int | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events are wanted: of some types, of one subscription by its code; all, where nothing is said."""

    types: Sequence[EventType] = ()
    subscription: str | None = None


def after(session: Session, position: int, wanted: Wanted, *, limit: int) -> Sequence[Event]:
    """Return the wanted events after a position, the oldest first."""
    return _wanted(session, wanted, (_AFTER, _AFTER_OF_TYPES, _AFTER_OF_ONE), after=position, limit=limit)


def newest(session: Session, wanted: Wanted, *, limit: int) -> Sequence[Event]:
    """Return the newest of the wanted events, the oldest first."""
    return _wanted(session, wanted, (_NEWEST, _NEWEST_OF_TYPES, _NEWEST_OF_ONE), after=0, limit=limit)[::-1]


def by_id(session: Session, event_id: str) -> Event | None:
    """Return an event by its id."""
    plan_by_index(session)
    found = _events(session, _BY_ID, {"id": event_id})
    return found[0] if found else None


def last_position(session: Session) -> int:
    """Return where the newest event stands; 0 where there is none."""
    return int(session.scalar(_LAST_POSITION) or 0)


def prune(session: Session, before: int, *, after: int = 0, limit: int) -> tuple[int | None, int]:
    """Delete those of the next `limit` events between two positions that every destination has got.

    Return the position that was reached, None at the end, and how many were deleted.
    """
    plan_by_index(session)
    row = session.execute(_PRUNE, {"after": after, "before": before, "limit": limit}).one()
    return row.reached, row.deleted


def _wanted(
    session: Session, wanted: Wanted, statements: tuple[TextClause, TextClause, TextClause], **parameters: int
) -> Sequence[Event]:
    """Read by the statement for all events, that for some types, or that for one subscription."""
    plan_by_index(session)
    of_all, of_types, of_one = statements
    types = [kind.value for kind in wanted.types] or None
    if wanted.subscription is not None:
        return _events(session, of_one, {**parameters, "types": types, "subscription": wanted.subscription})
    return _events(session, of_all if types is None else of_types, {**parameters, "types": types})


def _events(session: Session, statement: Any, parameters: Mapping[str, Any]) -> Sequence[Event]:
    return [
        Event(**{**row._mapping, "type": EventType(row.type)})  # noqa: SLF001 - public
        for row in session.execute(statement, parameters)
    ]
