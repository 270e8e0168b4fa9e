"""Servers that are slow, away or full: the pump slows down, nothing is lost, and it goes on by itself."""

from __future__ import annotations

from pathlib import Path

import redis

from tests.system.conftest import Site
from worker.devstack.addresses import Valkey
from worker.sandbox.rules.behaviours import pay


def test_broker_that_is_full_stops_no_charge(site: Site, server_folder: Path):
    broker = Valkey(server_folder / "full")
    site.broker_url = broker.url
    first = site.subscribe((20, (pay(),)))
    worker = site.start_worker()
    site.start_beat()
    site.until("all are paid", lambda: site.statuses() == {"paid": first})
    with redis.Redis.from_url(broker.url) as client:
        client.config_set("maxmemory", "1")
        site.until("the worker has noticed", lambda: "the broker is full" in worker.log.read_text())
        another = site.start_worker("another")  # as after a deployment
        site.until(
            "it has started", lambda: "another@" in another.log.read_text() and "ready" in another.log.read_text()
        )
        while_full = first + site.subscribe((20, (pay(),)))
        site.until("all are paid", lambda: site.statuses() == {"paid": while_full})
        client.config_set("maxmemory", "0")
        site.until("the worker has noticed", lambda: "the broker has room again" in worker.log.read_text())
    total = while_full + site.subscribe((20, (pay(),)))
    site.until("all are paid", lambda: site.statuses() == {"paid": total})
    assert site.comparison().agrees
    assert site.portone.report().again_requests == total
    assert "Trying to reconnect" not in worker.log.read_text() + another.log.read_text()
    site.stop()
    broker.close()
