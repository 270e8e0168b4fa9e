"""Real Celery processes under real signals. Every story ends on the sandbox's ledger."""

from __future__ import annotations

import json
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
from sqlalchemy import text

from tests.system.conftest import Site
from worker.database import heartbeats
from worker.devstack.addresses import Valkey
from worker.devstack.stack import Part, free_port, wait_for
from worker.sandbox.rules.behaviours import Reply, pay, slow, troubled

CLAIMED_BY = text("SELECT created_by FROM attempts")
DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def children(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def logged_under(part: Part, event: str) -> set[str]:
    """Return the tasks that a worker's log names beside an event."""
    lines = [json.loads(line) for line in part.log.read_text().splitlines() if line.startswith("{")]
    return {str(line["task"]) for line in lines if line["event"] == event}


def test_beat_makes_periods_due_and_a_worker_charges_them(site: Site):
    count = site.subscribe((40, (pay(),)), (5, (troubled(Reply.DROP, charged=True), pay())))
    worker = site.start_worker()
    site.start_beat()
    site.until("all are paid", lambda: site.statuses() == {"paid": count})
    assert site.comparison().agrees
    assert logged_under(worker, "pump run ended") == {"again.charge"}
    assert logged_under(worker, "reconciliation ended") == {"again.reconcile"}
    with site.sessions() as session:
        assert {heartbeats.BEAT, "again.charge", "again.open_charges"} <= heartbeats.last_seen(session).keys()


def test_two_beats_and_two_workers_charge_every_customer_once(site: Site):
    count = site.subscribe((120, (pay(),)))
    for number in (1, 2):
        site.start_worker(f"worker{number}")
        site.start_beat(f"beat{number}")
    site.until("all are paid", lambda: site.statuses() == {"paid": count})
    assert site.comparison().agrees
    assert site.portone.report().again_requests == count


def test_two_workers_share_what_has_piled_up(site: Site):
    site.settings = site.settings.model_copy(update={"max_in_flight": 10, "claim_chunk": 10})
    site.portone.switch(latency_seconds=[0.5, 0.6])  # the slots are what limits each worker, not the processor
    workers = [site.start_worker(f"worker{number}") for number in (1, 2)]
    site.until("both are ready", lambda: all(" ready." in worker.log.read_text() for worker in workers))
    count = site.subscribe((400, (pay(),)))
    pids = [{child.pid for child in children(worker.process.pid)} for worker in workers]
    site.start_beat()
    site.until("all are paid", lambda: site.statuses() == {"paid": count})
    with site.sessions() as session:
        claimed = Counter(int(str(by).rpartition(":")[2]) for by in session.scalars(CLAIMED_BY))
        deadlocks = session.scalar(DEADLOCKS)
    shares = [sum(claimed[pid] for pid in of_worker) for of_worker in pids]
    assert sum(shares) == count
    assert min(shares) >= count // 4, shares
    assert deadlocks == 0
    assert site.comparison().agrees


def test_sigterm_lets_calls_in_flight_finish_and_settles_them(site: Site):
    site.subscribe((60, (slow(1.0),)))
    worker = site.start_worker()
    site.start_beat()
    site.until("calls are in flight", lambda: site.portone.report().again_requests > 0)
    worker.process.send_signal(signal.SIGTERM)
    site.until("the worker has ended", lambda: worker.ended is not None, patience=20)
    assert worker.ended == 0
    assert site.open_attempts() == {}
    statuses = site.statuses()
    assert statuses["charging"] == 0
    assert statuses["paid"] == site.portone.report().charges > 0
    # It claimed nothing more: with a concurrency limit of 50, a part of the 60 was left.
    assert statuses["due"] == 60 - statuses["paid"] > 0


def test_kill_9_during_charges_charges_nothing_twice_and_misses_nothing(site: Site):
    count = site.subscribe((60, (slow(0.3, answer_seconds=0.3),)))
    worker = site.start_worker()
    site.start_beat()
    site.until("money has moved and answers have not", lambda: site.portone.report().charges > 0)
    for process in [psutil.Process(worker.process.pid), *children(worker.process.pid)]:
        process.kill()
    assert site.open_attempts()["started"] > 0
    site.start_worker("another")
    site.until("all are paid", lambda: site.statuses() == {"paid": count})
    assert site.comparison().agrees


def test_killed_child_is_replaced_and_its_attempts_are_looked_up(site: Site):
    count = site.subscribe((60, (slow(0.3, answer_seconds=0.3),)))
    worker = site.start_worker()
    site.start_beat()
    site.until("money has moved and answers have not", lambda: site.portone.report().charges > 0)
    for child in children(worker.process.pid):
        child.kill()
    site.until("all are paid", lambda: site.statuses() == {"paid": count})
    assert worker.ended is None
    assert site.comparison().agrees


def test_broker_that_loses_everything_delays_and_loses_no_charge(site: Site, server_folder: Path):
    broker = Valkey(server_folder / "forgetful")
    site.broker_url = broker.url
    count = site.subscribe((150, (slow(0.2),)))
    site.start_worker()
    site.start_beat()
    site.until("money moves", lambda: site.portone.report().charges > 0)
    broker.kill()
    broker = Valkey(server_folder / "forgetful", port=broker.port, password=broker.password)
    site.until("all are paid", lambda: site.statuses() == {"paid": count})
    assert site.comparison().agrees
    site.stop()
    broker.close()


def test_flower_shows_what_a_pump_run_did(site: Site):
    port = free_port(0)
    flower = site.start("flower", "flower", "--address=127.0.0.1", f"--port={port}")
    wait_for(replace(flower, url=f"http://127.0.0.1:{port}"), "/healthcheck")
    count = site.subscribe((10, (pay(),)))
    site.start_worker()
    site.start_beat()
    site.until("all are paid", lambda: site.statuses() == {"paid": count})

    def results() -> list[str]:
        tasks = httpx.get(f"http://127.0.0.1:{port}/api/tasks", params={"taskname": "again.charge"}, trust_env=False)
        return [str(task["result"]) for task in tasks.json().values()]

    site.until("flower has seen the run", lambda: any(f"'paid': {count}" in result for result in results()))
