"""A worker accepts only JSON from the broker. A message that would run code when read is discarded unread."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path

import pytest
import redis
from celery import Celery
from kombu.connection import Connection

from tests.system.conftest import Site
from worker.app import QUEUE
from worker.database import heartbeats
from worker.devstack.addresses import Valkey


class Bomb:
    """An object whose unpickling makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return open, (str(self._path), "w")


def test_pickled_message_is_discarded_unread_and_the_worker_continues(site: Site, tmp_path: Path):
    mark = tmp_path / "unpickled"
    pickle.loads(pickle.dumps(Bomb(mark))).close()
    assert mark.exists()  # the exploit itself works
    mark.unlink()
    with Connection(site.broker_url) as connection:
        connection.Producer().publish(
            pickle.dumps(((), {"bomb": Bomb(mark)}, {})),
            routing_key=QUEUE,
            content_type="application/x-python-serialize",
            content_encoding="binary",
            headers={"task": "again.open_charges", "id": "a-bomb"},
            declare=[connection.SimpleQueue(QUEUE).queue],
        )
    worker = site.start("worker", "worker", "-P", "solo", "-l", "INFO", "--without-gossip", "--without-mingle")
    site.until("the message is refused", lambda: "ContentDisallowed" in worker.log.read_text(), patience=20)
    with Celery("sender", broker=site.broker_url) as sender:
        sender.send_task("again.open_charges", queue=QUEUE)

    def opened() -> bool:
        with site.sessions() as session:
            return "again.open_charges" in heartbeats.last_seen(session)

    site.until("the next message is worked off", opened, patience=20)
    assert worker.ended is None
    assert not mark.exists()
    worker.stop(patience=0)


def body(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def message(**other: object) -> str:
    """Return a message as Celery sends it, with some changes."""
    properties = {
        "delivery_tag": "odd",
        "body_encoding": "base64",
        "delivery_info": {"exchange": "", "routing_key": QUEUE},
    }
    usual = {
        "body": body("[[], {}, {}]"),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "again.open_charges", "id": "odd"},
        "properties": properties,
    }
    return json.dumps({**usual, **other})


PROPERTIES = json.loads(message())["properties"]
ODD = [
    "garbage",
    "\xff",
    "",
    "null",
    "[]",
    "5",
    "{}",
    '{"body": "x"}',
    "[" * 20_000,
    '{"__type__": "datetime", "__value__": 5}',
    message(body="no base64 at all"),
    message(body=5),
    message(body=body("no json")),
    message(body=body("5")),
    message(headers=None),
    message(headers=[]),
    message(headers={"task": ["again.charge"], "id": {}}),
    message(headers={"task": "again.open_charges", "id": "odd", "expires": "never", "eta": "soon"}),
    message(headers={"task": "somebody.elses", "id": "odd"}),
    message(properties=None),
    message(properties={}),
    message(properties={**PROPERTIES, "delivery_info": None}),
    message(properties={**PROPERTIES, "delivery_tag": ["a", "list"]}),
    message(**{"content-encoding": "utf-99"}),
    message(**{"content-type": None}),
]


def opens_once_more(site: Site) -> None:
    """Fail unless a message that is sent now is processed."""
    with site.sessions() as session:
        before = heartbeats.last_seen(session).get("again.open_charges")
    with Celery("sender", broker=site.broker_url) as sender:
        sender.send_task("again.open_charges", queue=QUEUE)

    def opened() -> bool:
        with site.sessions() as session:
            return heartbeats.last_seen(session).get("again.open_charges") not in {before, None}

    site.until("the next message is worked off", opened, patience=40)


def test_queue_elements_that_are_not_messages_are_discarded(site: Site):
    worker = site.start("worker", "worker", "-P", "solo", "-l", "INFO", "--without-gossip", "--without-mingle")
    with redis.Redis.from_url(site.broker_url) as broker:
        # More of each than a worker prefetches: none may keep its place.
        broker.lpush(QUEUE, *(odd.encode("latin-1") for odd in ODD for _ in range(2)))
        site.until("all are taken", lambda: broker.llen(QUEUE) == 0)
        opens_once_more(site)
        site.until("none of them is kept", lambda: broker.hlen("unacked") == 0)
    assert worker.ended is None
    assert "message discarded, it cannot be read" in worker.log.read_text()


def test_worker_survives_a_broker_that_becomes_a_replica_and_primary_again(site: Site, server_folder: Path):
    broker = Valkey(server_folder / "failing-over")
    site.broker_url = broker.url
    worker = site.start("worker", "worker", "-P", "solo", "-l", "INFO", "--without-gossip", "--without-mingle")
    opens_once_more(site)
    with redis.Redis.from_url(broker.url) as primary:
        primary.replicaof("127.0.0.1", "1")
        with pytest.raises(redis.ReadOnlyError):
            primary.lpush(QUEUE, "refused")
        site.until("the worker has noticed", lambda: "Connection to broker lost" in worker.log.read_text())
        assert worker.ended is None
        primary.replicaof("NO", "ONE")
    opens_once_more(site)
    assert worker.ended is None
    site.stop()
    broker.close()
