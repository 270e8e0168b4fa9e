"""The broker's transport, on a real Valkey that is killed while a worker waits and has a message in hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu.asynchronous import Hub, set_event_loop
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.messaging import Consumer

from worker.devstack.addresses import Valkey
from worker.messaging.registration import register_transport


@pytest.fixture
def broker(server_folder: Path) -> Iterator[Valkey]:
    valkey = Valkey(server_folder / "killed")
    yield valkey
    valkey.close()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    set_event_loop(hub)
    yield hub
    set_event_loop(None)
    hub.close()


def lost_with_a_message_in_hand(broker: Valkey, hub: Hub) -> tuple[Connection, Any]:
    """Take a message as a worker does, wait for the next, and lose the broker; as Celery then does, collect."""
    register_transport()
    taken: list[Any] = []
    connection = Connection(broker.url)
    connection.transport.register_with_event_loop(connection.connection, hub)
    with connection.SimpleQueue("again") as queue:
        queue.put("look now")
    connection.default_channel.basic_consume("again", no_ack=False, callback=taken.append, consumer_tag="1")
    commands = Queue("commands", Exchange("commands", type="fanout"), auto_delete=True)
    Consumer(connection.channel(), [commands], callbacks=[print]).consume()
    turns = hub.loop
    while not taken:
        next(turns)
    for ask_for_more in list(hub.on_tick):
        ask_for_more()
    broker.kill()
    connection.collect()
    return connection, taken[0]


def test_connection_that_was_lost_with_a_message_in_hand_is_closed(broker: Valkey, hub: Hub):
    """Celery closes it before it connects again, and what that raises would end the worker."""
    connection, _ = lost_with_a_message_in_hand(broker, hub)
    connection.close()
    assert not connection.connected


def test_message_of_a_lost_connection_that_is_done_is_a_connection_error(broker: Valkey, hub: Hub):
    connection, message = lost_with_a_message_in_hand(broker, hub)
    lost = connection.recoverable_connection_errors
    connection.close()
    with pytest.raises(lost):
        message.ack()
