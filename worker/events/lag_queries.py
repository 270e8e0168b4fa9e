"""How far behind events are: what is not published yet, and what each destination has not got yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.domain.events.destinations import DestinationKind, DestinationStatus
from worker.events.destinations import NOT_SET

MOST_COUNTED = 10_000
"""Rows that are counted at most, of the outbox and of each destination: that many stand for more."""

_UNPUBLISHED = text("""
    SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT :most) o) AS found,
           (SELECT at FROM outbox ORDER BY id LIMIT 1) AS oldest_at
""")

# An event that is kept no longer happened when its position says: positions are microseconds.
_DESTINATIONS = text("""
    SELECT d.name, d.kind, d.status, d.status_reason, d.status_at, d.failing_since, d.last_error, d.delivered_at,
           (SELECT count(*) FROM (SELECT FROM deliveries WHERE destination_id = d.id LIMIT :most) w) AS waiting,
           (SELECT COALESCE(e.at, to_timestamp(oldest.position / 1000000.0))
            FROM (SELECT position FROM deliveries WHERE destination_id = d.id ORDER BY position LIMIT 1) oldest
            LEFT JOIN LATERAL (SELECT at FROM events WHERE position = oldest.position OFFSET 0) e ON true) AS oldest_at
    FROM destinations d WHERE d.status <> 'removed' ORDER BY d.id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationLag:
    """How one destination does, how many events it has not got yet, and when the oldest of these happened."""

    name: str
    kind: DestinationKind
    status: DestinationStatus
    status_reason: str
    status_at: datetime
    failing_since: datetime | None
    last_error: str | None
    delivered_at: datetime | None
    waiting: int
    oldest_at: datetime | None

    @property
    def is_disabled(self) -> bool:
        """Whether it gets nothing, though it is to: not the host's task where no setting names one."""
        return self.status is DestinationStatus.DISABLED and not self.status_reason.endswith(NOT_SET)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLag:
    """The changes of state that are no events yet, and what has not arrived at each destination."""

    unpublished: int
    oldest_at: datetime | None
    destinations: Sequence[DestinationLag]

    def behind(self, now: datetime) -> timedelta:
        """Return for how long the oldest change has waited to be published; nothing where none waits."""
        return timedelta(0) if self.oldest_at is None else max(now - self.oldest_at, timedelta(0))


def relay_lag(session: Session) -> RelayLag:
    """Return how far behind events are; counts at most MOST_COUNTED of each kind."""
    plan_by_index(session)
    unpublished = session.execute(_UNPUBLISHED, {"most": MOST_COUNTED}).one()
    rows = session.execute(_DESTINATIONS, {"most": MOST_COUNTED})
    return RelayLag(
        unpublished=unpublished.found,
        oldest_at=unpublished.oldest_at,
        destinations=[_lag(row) for row in rows],
    )


def _lag(row: Row[Any]) -> DestinationLag:
    values = {**row._mapping, "kind": DestinationKind(row.kind), "status": DestinationStatus(row.status)}  # noqa: SLF001
    return DestinationLag(**values)
