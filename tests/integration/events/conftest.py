"""Events, destinations and relays on a real database, with a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.webhook_receiver import LOCAL
from worker.database.engine import Sessions
from worker.delivery.webhook_sender import WebhookSender
from worker.domain.events.destinations import DestinationKind
from worker.domain.events.facts import NewEvent
from worker.domain.events.types import EventType
from worker.events import delivery_queries, destinations
from worker.events.relay import Relay
from worker.ledger import outbox


@dataclass
class Stage:
    """Short methods for what these tests do."""

    sessions: Sessions
    now: datetime = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)

    def wait(self, **span: float) -> None:
        self.now += timedelta(**span)

    def webhook(self, url: str, name: str = "shop", types: Sequence[str] = ()) -> None:
        destinations.add_webhook(self.sessions, url, name=name, types=types, secret=None, allowed=LOCAL, now=self.now)

    def write(self, *subscriptions: int | None, kind: EventType = EventType.CHARGE_PAID) -> list[int]:
        """Write an event of each of these subscriptions, as publishing does; returns their positions."""
        events = [
            NewEvent(id=f"evt_{id(self) % 1000}_{number}_{subscription}", type=kind, version=1, at=self.now,
                     subscription_id=subscription, data={"subscription": subscription})
            for number, subscription in enumerate(subscriptions)
        ]  # fmt: skip
        with self.sessions.begin() as session:
            written = outbox.write(session, events)
            delivery_queries.queue(session, written)
        return [each.position for each in written]

    def relay(self) -> Relay:
        """Make a relay; inside the event loop that runs it."""
        senders = {DestinationKind.WEBHOOK: WebhookSender(LOCAL)}
        return Relay(self.sessions, senders, clock=lambda: self.now, stopping=lambda: False)

    def run(self, times: int = 1) -> None:
        """Let one relay deliver what is due."""

        async def story() -> None:
            relay = self.relay()
            for _ in range(times):
                await relay.run()
                await relay.idle()
            await relay.close()

        asyncio.run(story())

    def queued(self) -> list[int]:
        return [row.position for row in self.sql("SELECT position FROM deliveries ORDER BY position")]

    def destination(self, name: str = "shop") -> Any:
        (row,) = self.sql("SELECT * FROM destinations WHERE name = :name", name=name)
        return row

    def sql(self, statement: str, **parameters: Any) -> list[Any]:
        with self.sessions.begin() as session:
            result = session.execute(text(statement), parameters)
            return list(result) if result.returns_rows else []  # type: ignore[attr-defined]


@pytest.fixture
def stage(sessions: Sessions) -> Stage:
    return Stage(sessions)


def in_a_loop(story: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(story)
