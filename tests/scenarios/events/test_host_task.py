"""Events that call a Celery task of the host's: the destination follows the settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from tests.scenarios.conftest import World
from worker import process, tasks
from worker.events import destinations
from worker.sandbox.rules.behaviours import pay

TASK = "shop.tasks.on_event"


@pytest.fixture
def broker(valkey: str) -> str:
    """A database of its own in the broker."""
    url = f"{valkey.rpartition('/')[0]}/8"
    redis.Redis.from_url(url).flushdb()
    return url


def relay() -> None:
    tasks.relay()
    process.current().wait_for_deliveries()


def called(broker: str, queue: str = "celery") -> list[dict[str, Any]]:
    """Return the headers of the tasks in a queue, the oldest first."""
    raw: Any = redis.Redis.from_url(broker).lrange(queue, 0, -1)
    return [json.loads(each)["headers"] for each in reversed(raw)]


def state(world: World) -> list[tuple[str, str, str]]:
    rows = world.sql("SELECT target, status, status_reason FROM destinations ORDER BY id")
    return [(row.target, row.status, row.status_reason) for row in rows]


def test_hosts_task_is_called_with_each_event_in_order(world: World, broker: str):
    world.changed(events_task=TASK, events_broker_url=SecretStr(broker))
    relay()
    world.subscribe(pay())
    world.tick()
    for _ in range(4):
        relay()
    events = [row.id for row in world.sql("SELECT id FROM events ORDER BY position")]
    assert [each["id"] for each in called(broker)] == events
    assert {each["task"] for each in called(broker)} == {TASK}
    world.assert_books_agree()


def test_destination_of_the_task_follows_the_settings(world: World, broker: str):
    relay()
    assert state(world) == []
    world.changed(events_task=TASK, events_broker_url=SecretStr(broker))
    relay()
    assert state(world) == [(TASK, "active", "added")]
    world.changed(events_task="shop.other")
    relay()
    assert state(world) == [("shop.other", "active", "added")]
    world.changed(events_task=None)
    relay()
    assert state(world) == [("shop.other", "disabled", "AGAIN_EVENTS_TASK is not set")]
    world.changed(events_task=TASK)
    relay()
    assert state(world) == [(TASK, "active", "AGAIN_EVENTS_TASK is set")]


def test_task_that_an_operator_has_disabled_stays_so(world: World, broker: str):
    world.changed(events_task=TASK, events_broker_url=SecretStr(broker))
    relay()
    destinations.disable(world.runtime.sessions, "celery", reason="a story", now=world.now)
    world.subscribe(pay())
    relay()
    assert state(world) == [(TASK, "disabled", "a story")]
    assert called(broker) == []
