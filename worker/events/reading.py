"""Reading events from a position on, as a host does that keeps its own place in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from worker.database.engine import Sessions
from worker.domain.events.types import EventType
from worker.events import queries
from worker.events.queries import Event, Wanted

BATCH = 500
"""Events that one query reads."""


def read_events(
    sessions: Sessions, *, after: int = 0, types: Sequence[EventType] = (), subscription: str | None = None
) -> Iterator[Event]:
    """Return the events after a position, the oldest first, up to the newest that is published.

    Of these types and of the subscription with this code only, where they are given. Keep the `position` of the last
    event that you have worked off, in the transaction that does so, and give it as `after` the next time: then none is
    missed, and none is worked off twice. Events that are older than they are kept are missing.
    """
    wanted = Wanted(types=types, subscription=subscription)
    while True:
        with sessions() as session:
            read = queries.after(session, after, wanted, limit=BATCH)
        yield from read
        if len(read) < BATCH:
            return
        after = read[-1].position
