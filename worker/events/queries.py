"""Events, read in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.events.types import EventType

_COLUMNS = "e.position, e.id, e.type, e.version, e.at, e.subscription_id, e.data"

_AFTER = text(f"""
    SELECT {_COLUMNS} FROM events e
    WHERE e.position > :after
      AND (CAST(:types AS text[]) IS NULL OR e.type = ANY(CAST(:types AS text[])))
      AND (CAST(:subscription AS text) IS NULL
           OR e.subscription_id = (SELECT id FROM subscriptions WHERE code = :subscription))
    ORDER BY e.position LIMIT :limit
""")  # noqa: S608 - constants only

_NEWEST = text(f"""
    SELECT * FROM (
        SELECT {_COLUMNS} FROM events e
        WHERE (CAST(:types AS text[]) IS NULL OR e.type = ANY(CAST(:types AS text[])))
          AND (CAST(:subscription AS text) IS NULL
               OR e.subscription_id = (SELECT id FROM subscriptions WHERE code = :subscription))
        ORDER BY e.position DESC LIMIT :limit
    ) newest ORDER BY position
""")  # noqa: S608 - constants only

_BY_ID = text(f"SELECT {_COLUMNS} FROM events e WHERE e.id = :id ORDER BY e.position LIMIT 1")  # noqa: S608

_LAST_POSITION = text("SELECT COALESCE(max(position), 0) FROM events")

# By position, which grows with the time of writing.
_PRUNE = text("""
    DELETE FROM events
    WHERE position = ANY(ARRAY(
        SELECT e.position FROM events e
        WHERE e.position < :before AND NOT EXISTS (
            SELECT FROM destinations x JOIN deliveries d ON d.destination_id = x.id AND d.position = e.position)
        ORDER BY e.position LIMIT :limit))
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

    def parameters(self) -> Mapping[str, Any]:
        """Return what the statements ask by."""
        return {"types": [kind.value for kind in self.types] or None, "subscription": self.subscription}


def after(session: Session, position: int, wanted: Wanted, *, limit: int) -> Sequence[Event]:
    """Return the wanted events after a position, the oldest first."""
    return _events(session, _AFTER, {"after": position, "limit": limit, **wanted.parameters()})


def newest(session: Session, wanted: Wanted, *, limit: int) -> Sequence[Event]:
    """Return the newest of the wanted events, the oldest first."""
    return _events(session, _NEWEST, {"limit": limit, **wanted.parameters()})


def by_id(session: Session, event_id: str) -> Event | None:
    """Return an event by its id."""
    found = _events(session, _BY_ID, {"id": event_id})
    return found[0] if found else None


def last_position(session: Session) -> int:
    """Return where the newest event stands; 0 where there is none."""
    return int(session.scalar(_LAST_POSITION) or 0)


def prune(session: Session, before: int, *, limit: int) -> int:
    """Delete up to `limit` of the events before a position, and return how many."""
    return session.execute(_PRUNE, {"before": before, "limit": limit}).rowcount  # type: ignore[attr-defined, no-any-return]


def _events(session: Session, statement: Any, parameters: Mapping[str, Any]) -> Sequence[Event]:
    return [
        Event(**{**row._mapping, "type": EventType(row.type)})  # noqa: SLF001 - public
        for row in session.execute(statement, parameters)
    ]
