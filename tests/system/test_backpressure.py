"""Servers that are slow, away or full: the pump slows down, nothing is lost, and it goes on by itself."""

from __future__ import annotations

from pathlib import Path

import redis
from sqlalchemy import make_url, text

from tests.support.relay import Relay
from tests.system.conftest import PROCESSES, Site
from worker.devstack.addresses import Valkey
from worker.sandbox.rules.behaviours import pay, slow

IN_FLIGHT = 10  # calls of each process, and charges it claims at once


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


SLOW_WRITE_BACK = """
    CREATE FUNCTION wait_a_while() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM changed WHERE status = 'paid') THEN PERFORM pg_sleep(1); END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER slow AFTER UPDATE ON attempts REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION wait_a_while();
"""


class MostOpen:
    """The most attempts that were seen without an outcome at once."""

    def __init__(self, site: Site) -> None:
        self._site, self.seen = site, 0

    def all_are_paid(self, count: int) -> bool:
        self.seen = max(self.seen, self._site.open_attempts().total())
        return self._site.statuses() == {"paid": count}


def few_slots(site: Site) -> None:
    site.settings = site.settings.model_copy(update={"max_in_flight": IN_FLIGHT, "claim_chunk": IN_FLIGHT})


def test_claims_wait_for_a_database_that_is_slow_to_write_back(site: Site):
    few_slots(site)
    with site.sessions.begin() as session:
        session.execute(text(SLOW_WRITE_BACK))
    count = site.subscribe((160, (pay(),)))
    site.start_worker()
    site.start_beat()
    most = MostOpen(site)
    site.until("all are paid", lambda: most.all_are_paid(count))
    assert most.seen <= PROCESSES * 5 * IN_FLIGHT  # in flight, claimed ahead, answered, and being written
    assert site.comparison().agrees
    assert site.portone.report().again_requests == count


def test_answers_to_a_database_that_is_away_for_long_are_looked_up(site: Site, folder: Path):
    address = make_url(site.database_url)
    server = Path(str(address.query["host"]))
    relay = Relay(folder, server)
    site.database_url = relay.url(str(address.database))
    count = site.subscribe((40, (slow(0.5),)))
    worker = site.start_worker()
    site.start_beat()
    site.until("calls are in flight", lambda: site.portone.report().again_requests > 0)
    relay.cut()
    site.until("answers are lost", lambda: "reconciliation will look them up" in worker.log.read_text())
    relay.to = server
    site.until("all are paid", lambda: site.statuses() == {"paid": count})
    assert site.comparison().agrees
    site.stop()
    relay.close()


def test_portone_that_is_slow_for_a_while_gets_no_more_calls_than_there_are_slots(site: Site):
    few_slots(site)
    site.portone.switch(latency_seconds=[1.0, 1.2])
    count = site.subscribe((150, (pay(),)))
    site.start_worker()
    site.start_beat()
    most = MostOpen(site)
    site.until("it is called", lambda: most.all_are_paid(count) or site.statuses()["paid"] > 0)
    assert site.statuses()["due"] > 0, "all were claimed at once"
    site.portone.switch(latency_seconds=[0.0, 0.0])
    site.until("all are paid", lambda: most.all_are_paid(count))
    assert most.seen <= PROCESSES * 5 * IN_FLIGHT
    assert site.comparison().agrees
