"""`again events resend`: events are delivered once more, one or a range."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.events.destinations import DestinationStatus
from worker.events import destination_queries, queries, resend_queries
from worker.events.destinations import known, read_types
from worker.events.resend_queries import Range

BATCH = 5000
"""Events that one transaction queues."""

MICROSECONDS = 1_000_000


def resend_one(sessions: Sessions, event_id: str, *, destination: str | None, now: datetime) -> int:
    """Queue an event once more; returns for how many destinations. Raises Refused for one that there is not."""
    with sessions() as session:
        event = queries.by_id(session, event_id)
    if event is None:
        raise Refused(f"There is no event {event_id!r:.60}; it may be older than events are kept.")
    return _resend(sessions, Range(after=event.position - 1, last=event.position), destination, now=now)


def resend_range(
    sessions: Sessions,
    *,
    since: datetime,
    until: datetime | None,
    types: Sequence[str],
    destination: str | None,
    now: datetime,
) -> int:
    """Queue what was written from one instant to another once more; returns how many deliveries. Raises Refused."""
    until = now if until is None else until
    if since >= until:
        raise Refused("The range ends before it begins; give --since an earlier time, or --until a later one.")
    wanted = Range(after=_position(since) - 1, last=_position(until), types=read_types(types))
    return _resend(sessions, wanted, destination, now=now)


def _resend(sessions: Sessions, wanted: Range, destination: str | None, *, now: datetime) -> int:
    _require_active(sessions, destination)
    total, after = 0, wanted.after
    while True:
        rest = Range(after=after, last=wanted.last, types=wanted.types)
        with sessions.begin() as session:
            reached, queued = resend_queries.queue(session, rest, destination, now=now, limit=BATCH)
        total += queued
        if reached is None or reached >= wanted.last:
            return total
        after = reached


def _require_active(sessions: Sessions, name: str | None) -> None:
    """Raise Refused unless there is a destination that events can be sent to."""
    with sessions() as session:
        if name is not None:
            destination = known(session, name)
            if destination.status is not DestinationStatus.ACTIVE:
                raise Refused(f"{name} is disabled: {destination.status_reason}. `again webhook enable {name}` first.")
        elif all(each.status is not DestinationStatus.ACTIVE for each in destination_queries.listed(session)):
            raise Refused("There is no active destination: `again webhook add` adds one.")


def _position(instant: datetime) -> int:
    """Return where events of an instant stand: positions are microseconds, and grow with the time of writing."""
    return int(instant.timestamp() * MICROSECONDS)
