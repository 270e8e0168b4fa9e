"""The way of events, broken on purpose, in ways that a careless change could bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from worker.domain.events.destinations import Delivered, NotDelivered
from worker.domain.events.facts import event_of
from worker.events import delivery_queries, delivery_turn, publishing
from worker.events.publishing import BATCH
from worker.ledger import outbox

_ORDER = """
          AND NOT EXISTS (
              SELECT FROM deliveries earlier
              WHERE earlier.destination_id = d.destination_id AND earlier.subscription_id >= d.subscription_id
                AND (earlier.subscription_id, earlier.position) < (d.subscription_id, d.position)
              ORDER BY earlier.subscription_id, earlier.position LIMIT 1 OFFSET 0)"""


def _with(patch: pytest.MonkeyPatch, module: Any, name: str, **replaced: str) -> None:
    """Change a statement; what is to be replaced must be in it."""
    sql = str(getattr(module, name))
    assert replaced["part"] in sql
    patch.setattr(module, name, text(sql.replace(replaced["part"], replaced["by"])))


def delete_before_it_is_sent(patch: pytest.MonkeyPatch) -> None:
    """Take what is sent out of the queue, as many queues do."""
    _with(
        patch,
        delivery_queries,
        "_CLAIM",
        part="UPDATE deliveries SET next_try_at = :leased_until, attempts = attempts + 1\n        WHERE",
        by="DELETE FROM deliveries WHERE CAST(:leased_until AS timestamptz) IS NOT NULL AND",
    )


def keep_the_fact(patch: pytest.MonkeyPatch) -> None:
    """Write the event of a fact, and leave the fact where it is."""
    part = "DELETE FROM outbox WHERE id = ANY(ARRAY(SELECT id FROM outbox ORDER BY id LIMIT :limit)) RETURNING *"
    _with(patch, outbox, "_TAKE", part=part, by="SELECT * FROM outbox ORDER BY id LIMIT :limit")


def send_in_any_order(patch: pytest.MonkeyPatch) -> None:
    """Send whatever is due, though an earlier event of its subscription has not arrived."""
    _with(patch, delivery_queries, "_CLAIM", part=_ORDER, by="")


def claim_without_a_lease(patch: pytest.MonkeyPatch) -> None:
    """Leave what is on its way for others to send as well."""
    part = "SET next_try_at = :leased_until, attempts"
    _with(patch, delivery_queries, "_CLAIM", part=part, by="SET next_try_at = least(:now, :leased_until), attempts")


def take_facts_in_a_transaction_of_their_own(patch: pytest.MonkeyPatch) -> None:
    """Commit what was taken out of the outbox, and write the events afterwards."""

    def in_two(sessions: Any, _: Any) -> tuple[int, int]:
        with sessions.begin() as session:
            facts = outbox.take(session, BATCH)
        with sessions.begin() as session:
            events = [event for fact in facts if (event := publishing._event_of(fact)) is not None]
            delivery_queries.queue(session, outbox.write(session, events))
        return len(facts), len(facts)

    patch.setattr(publishing, "_publish_batch", in_two)


def queue_in_a_transaction_of_its_own(patch: pytest.MonkeyPatch) -> None:
    """Commit the events, and queue them for their destinations afterwards."""

    def in_two(sessions: Any, _: Any) -> tuple[int, int]:
        with sessions.begin() as session:
            facts = outbox.take(session, BATCH)
            events = [event for fact in facts if (event := publishing._event_of(fact)) is not None]
            written = outbox.write(session, events)
        with sessions.begin() as session:
            delivery_queries.queue(session, written)
        return len(facts), len(facts)

    patch.setattr(publishing, "_publish_batch", in_two)


def take_a_failure_for_an_arrival(patch: pytest.MonkeyPatch) -> None:
    """Delete what was refused."""
    take = delivery_turn.take

    def trusting(session: Any, destination_id: int, answered: Iterable[Any], **named: Any) -> Any:
        believed = [
            (claimed, Delivered() if isinstance(outcome, NotDelivered) else outcome) for claimed, outcome in answered
        ]
        return take(session, destination_id, believed, **named)

    patch.setattr(delivery_turn, "take", trusting)


def number_events_by_chance(patch: pytest.MonkeyPatch) -> None:
    """Give each event an id of its own, whatever fact it tells of."""
    made = iter(range(1_000_000))

    def numbered(fact: Any) -> Any:
        return replace(event_of(fact), id=f"evt_{next(made)}")

    patch.setattr(publishing, "event_of", numbered)
