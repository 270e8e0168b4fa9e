"""`again webhook test`: one message to a destination, now, and what came of it."""

from __future__ import annotations

from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.events.catalogue import CATALOGUE
from worker.domain.events.destinations import Delivered, Delivery, DestinationStatus, Message, Senders
from worker.domain.events.identifiers import event_id
from worker.domain.events.retries import Health
from worker.domain.events.types import EventType
from worker.events import delivery_queries, destination_queries
from worker.events.destinations import known
from worker.events.drain import LEASE


async def send_test(sessions: Sessions, senders: Senders, name: str, *, now: datetime) -> Delivery:
    """Send a test message to a destination, whether it is active or not. Raises Refused for an unknown one.

    One that was down, and takes it, gets what waits for it at once.
    """
    with sessions() as session:
        destination = known(session, name)
    message = Message(
        id=event_id(EventType.TEST, None, None, f"{name} {now.isoformat()}"),
        type=EventType.TEST,
        at=now,
        version=CATALOGUE[EventType.TEST].version,
        position=0,  # it is not among the events
        data={"destination": name},
    )
    outcome = await senders[destination.kind].send(destination.endpoint, message, now=now)
    if isinstance(outcome, Delivered) and destination.health.failures:
        _recover(sessions, name, now=now)
    return outcome


def _recover(sessions: Sessions, name: str, *, now: datetime) -> None:
    with sessions.begin() as session:
        destination = known(session, name)
        if destination.status is DestinationStatus.ACTIVE:
            destination_queries.set_health(session, destination.id, Health(), delivered_at=now)
            delivery_queries.retry_now(session, destination.id, now=now, unless_before=now + LEASE)
