"""What customers were told in a story, and the tick that tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.scenarios.conftest import World
from worker import tasks
from worker.domain.events.types import EventType
from worker.events.queries import Event
from worker.events.reading import read_events


def tell(world: World) -> None:
    """Run the ticks of events and notices, until every notice is an event."""
    tasks.relay()
    tasks.send_due_notices()
    tasks.relay()


def notices(world: World, kind: str | None = None, code: str | None = None) -> Sequence[Any]:
    """Return what was told, in its order."""
    return world.sql(
        """SELECT n.*, s.code FROM notices n JOIN subscriptions s ON s.id = n.subscription_id
           WHERE n.sent_at IS NOT NULL AND (CAST(:kind AS text) IS NULL OR n.kind = :kind)
             AND (CAST(:code AS text) IS NULL OR s.code = :code)
           ORDER BY n.id""",
        kind=kind,
        code=code,
    )


def events(world: World) -> list[Event]:
    """Return the events of notices."""
    return list(read_events(world.runtime.sessions, types=[EventType.NOTICE_DUE]))
