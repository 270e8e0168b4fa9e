"""What destinations have not got yet: queued, claimed one event per subscription, deleted once it is delivered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.database.planning import plan_by_index
from worker.domain.events.destinations import Message
from worker.domain.events.types import EventType
from worker.ledger.outbox import WrittenEvent

# Due since it happened; an instant that a clock had ahead counts as now.
# BETWEEN and the order leave one index to choose: one that has the position second is gone through from end to end.
_QUEUE = text("""
    INSERT INTO deliveries (destination_id, position, subscription_id, next_try_at)
    SELECT d.id, e.position, coalesce(e.subscription_id, 0), LEAST(e.at, clock_timestamp())
    FROM unnest(CAST(:positions AS bigint[])) AS written(position)
    CROSS JOIN LATERAL (
        SELECT * FROM events
        WHERE position BETWEEN written.position AND written.position ORDER BY position LIMIT 1) e
    JOIN destinations d ON d.status = 'active' AND (d.types = '{}' OR e.type = ANY(d.types))
    ON CONFLICT (destination_id, position) DO NOTHING
""")

_LISTENED = text("SELECT EXISTS (SELECT FROM destinations WHERE status = 'active')")

# Of each subscription the first event only: the next one is claimed when that is delivered, and so deleted. The lease
# is the time of the next try; a relay that dies leaves it, and the event is sent again, under the same id. What comes
# before it is looked for in the order of one index, whatever the planner believes of a queue that was empty just now.
_CLAIM = text("""
    WITH first AS MATERIALIZED (
        SELECT d.position FROM deliveries d
        WHERE d.destination_id = :destination AND d.next_try_at <= :now
          AND NOT EXISTS (
              SELECT FROM deliveries earlier
              WHERE earlier.destination_id = d.destination_id AND earlier.subscription_id >= d.subscription_id
                AND (earlier.subscription_id, earlier.position) < (d.subscription_id, d.position)
              ORDER BY earlier.subscription_id, earlier.position LIMIT 1 OFFSET 0)
        ORDER BY d.next_try_at, d.position
        LIMIT :limit FOR UPDATE OF d SKIP LOCKED
    ), claimed AS (
        UPDATE deliveries SET next_try_at = :leased_until, attempts = attempts + 1
        WHERE destination_id = :destination AND position = ANY(ARRAY(SELECT position FROM first))
        RETURNING position, failing_since
    )
    SELECT c.position, c.failing_since, e.id, e.type, e.version, e.at, e.data
    FROM claimed c
    LEFT JOIN LATERAL (
        SELECT * FROM events WHERE position BETWEEN c.position AND c.position ORDER BY position LIMIT 1) e ON true
    ORDER BY c.position
""")

_DELETE = text("""
    DELETE FROM deliveries WHERE destination_id = :destination AND position = ANY(CAST(:positions AS bigint[]))
""")

# What follows a failed event waits with it, so that claims need not walk over it again and again.
_POSTPONE = text("""
    WITH failed AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
            position bigint, next_try_at timestamptz, failing_since timestamptz, reason text)
    ), moved AS (
        UPDATE deliveries d
        SET next_try_at = f.next_try_at, failing_since = f.failing_since, last_error = f.reason
        FROM failed f
        WHERE d.destination_id = :destination AND d.position = f.position
          AND d.position = ANY(ARRAY(SELECT position FROM failed))
        RETURNING d.subscription_id, d.position, d.next_try_at
    ), behind AS (
        SELECT l.position FROM moved m
        CROSS JOIN LATERAL (
            SELECT position FROM deliveries
            WHERE destination_id = :destination AND subscription_id BETWEEN m.subscription_id AND m.subscription_id
              AND position > m.position
            ORDER BY subscription_id, position OFFSET 0) l
    )
    UPDATE deliveries later SET next_try_at = m.next_try_at
    FROM moved m
    WHERE later.destination_id = :destination AND later.subscription_id = m.subscription_id
      AND later.position = ANY(ARRAY(SELECT position FROM behind))
      AND later.position > m.position AND later.next_try_at < m.next_try_at
""")

_UNCLAIM = text("""
    UPDATE deliveries SET next_try_at = :now, attempts = attempts - 1
    WHERE destination_id = :destination AND position = ANY(CAST(:positions AS bigint[]))
""")

_DUE_NOW = text("""
    UPDATE deliveries SET next_try_at = :now WHERE destination_id = :destination AND next_try_at > :unless_before
""")

_FORGET = text("DELETE FROM deliveries WHERE destination_id = :destination")

_WAITING = text("""
    SELECT count(*) FROM (SELECT FROM deliveries WHERE destination_id = :destination LIMIT :most) w
""")


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event that this relay may send to a destination until its lease ends; None where it is kept no longer."""

    position: int
    failing_since: datetime | None
    message: Message | None


@dataclass(frozen=True, slots=True)
class Postponed:
    """An event that could not be delivered, and when it is sent again."""

    position: int
    next_try_at: datetime
    failing_since: datetime
    reason: str


def queue(session: Session, written: Iterable[WrittenEvent]) -> None:
    """Queue events that this transaction has written for every destination that wants them."""
    positions = [each.position for each in written]
    if positions and session.scalar(_LISTENED):
        session.execute(_QUEUE, {"positions": positions})


def claim(session: Session, destination: int, *, now: datetime, lease: timedelta, limit: int) -> Sequence[Claimed]:
    """Claim events of a destination that are due: at most one of each subscription, the oldest first."""
    plan_by_index(session)
    parameters = {"destination": destination, "now": now, "leased_until": now + lease, "limit": limit}
    return [
        Claimed(row.position, row.failing_since, None if row.id is None else _message(row._mapping))  # noqa: SLF001
        for row in session.execute(_CLAIM, parameters)
    ]


def _message(row: RowMapping) -> Message:
    return Message(
        id=row["id"],
        type=EventType(row["type"]),
        at=row["at"],
        version=row["version"],
        position=row["position"],
        data=row["data"],
    )


def delete(session: Session, destination: int, positions: Iterable[int]) -> None:
    """Delete what was delivered."""
    if listed := list(positions):
        plan_by_index(session)
        session.execute(_DELETE, {"destination": destination, "positions": listed})


def postpone(session: Session, destination: int, failed: Iterable[Postponed]) -> None:
    """Let what was not delivered, and what follows it in its subscription, wait for the next try."""
    rows = [
        {
            "position": each.position,
            "next_try_at": each.next_try_at,
            "failing_since": each.failing_since,
            "reason": each.reason,
        }
        for each in failed
    ]
    if rows:
        plan_by_index(session)
        session.execute(_POSTPONE, {"destination": destination, "rows": as_rows(rows)})


def unclaim(session: Session, destination: int, positions: Iterable[int], *, now: datetime) -> None:
    """Let what was claimed and not sent be claimed again at once."""
    if listed := list(positions):
        plan_by_index(session)
        session.execute(_UNCLAIM, {"destination": destination, "positions": listed, "now": now})


def retry_now(session: Session, destination: int, *, now: datetime, unless_before: datetime) -> None:
    """Let everything that waits for its next try be due, but for what is tried by an instant: it may be on its way."""
    session.execute(_DUE_NOW, {"destination": destination, "now": now, "unless_before": unless_before})


def forget(session: Session, destination: int) -> int:
    """Delete everything that is queued for a destination, and return how many events that were."""
    return session.execute(_FORGET, {"destination": destination}).rowcount  # type: ignore[attr-defined, no-any-return]


def waiting(session: Session, destination: int, *, most: int) -> int:
    """Count what a destination has not got yet, up to `most`."""
    return int(session.scalar(_WAITING, {"destination": destination, "most": most}) or 0)
