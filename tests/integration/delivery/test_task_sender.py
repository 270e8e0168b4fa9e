"""Events as tasks of a host, through a real Valkey and a real Celery worker of the host's."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker

from worker.delivery import task_sender
from worker.delivery.task_sender import TaskSender, configuration
from worker.domain.events.destinations import Delivered, Delivery, DestinationKind, Endpoint, Message, NotDelivered
from worker.domain.events.types import EventType

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
TASK = Endpoint(kind=DestinationKind.TASK, target="shop.tasks.on_event")


def message(position: int) -> Message:
    return Message(
        id=f"evt_{position}", type=EventType.CHARGE_PAID, at=NOW, version=1, position=position, data={"name": "골드"}
    )


def send(broker_url: str, *positions: int, queue: str | None = None) -> list[Delivery]:
    async def story() -> list[Delivery]:
        sender = TaskSender(broker_url, queue=queue)
        try:
            return [await sender.send(TASK, message(position), now=NOW) for position in positions]
        finally:
            await sender.aclose()

    return asyncio.run(story())


@pytest.fixture
def broker(valkey: str) -> str:
    """A database of its own in the broker."""
    url = f"{valkey.rpartition('/')[0]}/7"
    redis.Redis.from_url(url).flushdb()
    return url


def test_host_worker_runs_its_task_with_each_event(broker: str):
    ran: list[dict[str, Any]] = []
    all_there = threading.Event()
    host = Celery("shop", broker=broker, set_as_current=False)
    host.conf.task_default_queue = "events"

    @host.task(name="shop.tasks.on_event")
    def on_event(**event: Any) -> None:
        ran.append(event)
        if len(ran) == 3:
            all_there.set()

    with start_worker(host, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        assert send(broker, 1, 2, 3, queue="events") == [Delivered("in the broker")] * 3
        assert all_there.wait(60)
    assert ran == [{"id": f"evt_{position}", **message(position).content()} for position in (1, 2, 3)]


def test_task_waits_in_celerys_own_queue_under_the_id_of_its_event(broker: str):
    send(broker, 1)
    (raw,) = redis.Redis.from_url(broker).lrange("celery", 0, -1)
    headers = json.loads(raw)["headers"]
    assert (headers["id"], headers["task"], headers["ignore_result"]) == ("evt_1", "shop.tasks.on_event", True)


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_broker_that_is_away_is_a_failure(scheme: str):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        (outcome,) = send(f"{scheme}://127.0.0.1:{unused.getsockname()[1]}/0", 1)
    assert isinstance(outcome, NotDelivered)
    assert outcome.reason.startswith("the broker is not reached")


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_broker_that_hangs_is_a_failure(scheme: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(task_sender, "SOCKET_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        (outcome,) = send(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/0", 1)
    assert isinstance(outcome, NotDelivered)
    assert outcome.reason.startswith("the broker is not reached")


def test_broker_that_is_full_is_a_failure(broker: str):
    client = redis.Redis.from_url(broker)
    client.config_set("maxmemory", "1")
    try:
        (outcome,) = send(broker, 1)
    finally:
        client.config_set("maxmemory", "0")
    assert outcome == NotDelivered("the broker's memory is full")


def test_no_broker_is_a_failure():
    assert send("", 1) == [NotDelivered("no broker is known: set AGAIN_EVENTS_BROKER_URL")]


def test_broker_with_tls_is_verified_and_rabbitmq_confirms():
    assert configuration("rediss://broker/0")["broker_use_ssl"]["ssl_cert_reqs"] == "required"
    assert configuration("amqp://broker/")["broker_transport_options"]["confirm_publish"] is True
