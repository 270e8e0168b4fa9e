"""What must hold for events at the end of a history: with the tables, and with what the host has received."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from tests.simulation.engine.world import World
from tests.support import arrivals
from tests.support.arrivals import Told
from tests.support.events import assert_events_tell_what_happened
from worker.domain.events.types import EventType

_EVENTS = "SELECT position, id, type, data FROM events ORDER BY position"
_LEFT = "SELECT (SELECT count(*) FROM outbox) AS facts, (SELECT count(*) FROM deliveries) AS deliveries"


def problems(world: World) -> Iterator[str]:
    """Return what does not hold: no change without its event, no event without its change, all of it delivered."""
    if world.host is not None:
        (left,) = world.sql(_LEFT)
        if left.facts or left.deliveries:
            yield f"{left.facts} facts are not published, {left.deliveries} events are not delivered"
    try:
        assert_events_tell_what_happened(world.sessions)  # publishes what is left
    except AssertionError as error:
        (*_, failed) = traceback.extract_tb(error.__traceback__)
        yield f"events and tables differ: not {failed.line}. {error}"
    if world.host is not None:
        if not world.host.arrivals:
            yield "the host was told of nothing"
        kept = [
            Told(position=row.position, id=row.id, type=EventType(row.type), data=row.data)
            for row in world.sql(_EVENTS)
        ]
        yield from arrivals.problems(kept, world.host.arrivals, faults=len(world.struck))
