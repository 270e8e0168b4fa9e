"""`again doctor` tells what it can, each cause once, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine, text

from schedules.beat import beat_table
from tests.integration.cli.conftest import Again, Ended, Tables
from tests.support.sandbox import Api, RunningSandbox, running_sandbox
from worker.database import heartbeats, migrations
from worker.database.engine import Sessions
from worker.devstack.addresses import Valkey

ON_TABLES = {
    "migrations",
    "identity",
    "beat",
    "worker",
    "tasks",
    "stops",
    "invariants",
    "discrepancies",
    "arrears",
    "sweeps",
    "backlog",
    "schedules",
    "trials",
    "look-ups",
    "relay",
    "destinations",
}

LATE = "again.checkout_maintenance"
HOURLY = "again.make_partitions"


def by_check(ended: Ended) -> dict[str, dict[str, str]]:
    return {finding["check"]: finding for finding in ended.document}


def of_health(ended: Ended, health: str) -> set[str]:
    return {finding["check"] for finding in ended.document if finding["health"] == health}


def test_missing_broker_leaves_the_other_checks_running(again: Again, tmp_path: Path):
    nobody = "http://127.0.0.1:1"  # whatever else runs on this machine
    ended = again("doctor", "--json", code=1, again_data_dir=str(tmp_path), again_sandbox_url=nobody)
    found = by_check(ended)
    assert found["database"]["health"] == found["migrations"]["health"] == "ok"
    assert "run `again up`" in found["broker"]["remedy"]
    assert of_health(ended, "broken") == {"broker", "portone", "beat", "worker"}
    # One cause, one thing to do.
    assert [check for check, finding in found.items() if finding["remedy"]] == ["broker"]


def test_checks_that_need_an_unreachable_database_are_skipped(
    again_without_database: Again, valkey: str, tmp_path: Path
):
    settings = {"again_broker_url": valkey, "again_data_dir": str(tmp_path)}
    down = {**settings, "again_database_url": "postgresql://again:open-sesame@127.0.0.1:1/books"}
    ended = again_without_database("doctor", "--json", code=1, **down)
    assert of_health(ended, "skipped") == ON_TABLES
    assert by_check(ended)["broker"]["health"] == "ok"
    assert "sesame" not in ended.said
    none = again_without_database("doctor", "--json", code=1, **settings)
    assert of_health(none, "skipped") == ON_TABLES
    assert "run `again up` or `again migrate`" in by_check(none)["database"]["remedy"]


def test_database_without_tables_is_reported_once(again: Again, engine: Engine, valkey: str):
    migrations.downgrade(engine, "base")
    ended = again("doctor", "--json", code=1, again_broker_url=valkey)
    assert by_check(ended)["migrations"]["remedy"] == "run `again migrate`"
    assert of_health(ended, "skipped") == ON_TABLES - {"migrations"}


def test_stop_is_reported_with_its_time_in_seoul_and_the_command_to_resume(again: Again, tables: Tables):
    tables.sql(
        "INSERT INTO stops (scope, reason, stopped_at, stopped_by) VALUES "
        "('kakaopay', 'CID revoked', '2026-01-01T20:30:00Z', 'test'), ('all', 'audit', '2026-01-01T20:30:00Z', 'test')"
    )
    [found] = again("doctor", "stops", "--json").document
    assert "kakaopay since 2026-01-02 05:30 KST: CID revoked" in found["finding"]
    assert "`again start kakaopay`" in found["remedy"]
    assert "`again start`" in found["remedy"]


def test_violated_invariants_are_reported_with_meaning_and_remedy(again: Again, subscription: str, tables: Tables):
    [found] = again("doctor", "invariants", "--json").document
    assert found["health"] == "ok"
    stuck = tables.charge(subscription, "charging")
    tables.sql("UPDATE subscriptions SET status = 'past_due'")
    before = tables.everything()
    [found] = again("doctor", "invariants", "--json", code=1).document
    charging, past_due = found["finding"].splitlines()
    assert charging.startswith(f"charging_has_an_open_attempt: 1 charge ({stuck}). The charge counts as in flight")
    assert past_due.startswith("past_due_subscription_owes_something: 1 subscription (1). ")
    assert [line.split(":")[0] for line in found["remedy"].splitlines()] == [
        "charging_has_an_open_attempt",
        "past_due_subscription_owes_something",
    ]
    out = again("doctor", "invariants", code=1).out
    assert out.count("->") == 2
    assert tables.everything() == before, "looked at, and not repaired"


def test_open_discrepancies_are_reported_with_the_oldest(again: Again, tables: Tables):
    assert again("doctor", "discrepancies", "--json").document[0]["health"] == "ok"
    for uid, status, day in (("a", "open", 2), ("b", "open", 1), ("c", "resolved", 1)):
        tables.discrepancy(uid, status, found_at=datetime(2026, 1, day, 20, tzinfo=UTC))
    [found] = again("doctor", "discrepancies", "--json").document
    assert found["health"] == "warning"
    assert found["finding"].startswith("2 discrepancies wait to be decided, the oldest since 2026-01-02 05:00")
    assert found["remedy"] == "`again review list`"


def test_last_sweep_is_reported_and_a_holding_one_is_a_warning(again: Again, tables: Tables):
    assert "no daily sweep has finished yet" in again("doctor", "sweeps", "--json").document[0]["finding"]
    tables.sweep("daily", payments=1200, not_ours=3, repaired=2, found=1, finished=True)
    [found] = again("doctor", "sweeps", "--json").document
    assert found["health"] == "ok"
    assert "1,200 payments compared, 3 of them not ours, 2 repaired, 1 to be decided" in found["finding"]
    tables.sweep("restored", payments=70, holds=True)
    [found] = again("doctor", "sweeps", "--json").document
    assert found["health"] == "warning"
    assert "nothing is charged until PortOne's payments are reconciled (restored), since" in found["finding"]


def test_last_run_of_each_task_is_reported_and_a_late_one_named(again: Again, sessions: Sessions):
    def seen(ago: float, *names: str) -> None:
        with sessions.begin() as session:
            now = session.scalars(text("SELECT clock_timestamp()")).one()
            for name in names:
                heartbeats.beat(session, name, now=now - timedelta(seconds=ago))

    often = [entry.task for entry in beat_table() if entry.task not in {"again.check_invariants", LATE}]
    seen(7200, LATE)
    assert again("doctor", "tasks", "--json").document[0]["health"] == "skipped", "needs beat and a worker"
    seen(1, heartbeats.BEAT, *often)
    [found] = again("doctor", "tasks", "--json").document
    assert found["health"] == "warning"
    assert found["finding"].startswith(f"late: {LATE}; last runs: again.apply_changes ")
    assert "again.check_invariants never" in found["finding"]
    seen(1, LATE)
    [found] = again("doctor", "tasks", "--json").document
    assert found["health"] == "ok", "what runs every five minutes may not have run yet"


def test_task_is_late_only_after_the_workers_were_back_for_its_time(again: Again, sessions: Sessions):
    """None could run it while they were down, and what runs every hour may do so an hour later."""

    def come_back(ago: timedelta, *tasks: str) -> None:
        with sessions.begin() as session:
            now = session.scalars(text("SELECT clock_timestamp()")).one() - ago
            heartbeats.note_return(session, now=now, silence=timedelta(minutes=5))
            for name in (heartbeats.BEAT, *tasks):
                heartbeats.beat(session, name, now=now)

    every = [entry.task for entry in beat_table()]
    come_back(timedelta(days=2), *every)
    come_back(timedelta(seconds=1), *[task for task in every if task != HOURLY])
    assert again("doctor", "tasks", "--json").document[0]["health"] == "ok"
    with sessions.begin() as session:
        earlier = text("UPDATE heartbeats SET seen_at = seen_at - interval '8 hours' WHERE name = :name")
        session.execute(earlier, {"name": heartbeats.RETURN})
    assert again("doctor", "tasks", "--json").document[0]["finding"].startswith(f"late: {HOURLY};")


def test_broker_that_is_read_only_or_full_is_broken(again: Again, server_folder: Path):
    broker = Valkey(server_folder / "unwritable")
    try:
        with redis.Redis.from_url(broker.url) as server:
            [found] = again("doctor", "broker", "--json", again_broker_url=broker.url).document
            assert found["health"] == "ok"
            assert server.keys() == []
            server.replicaof("127.0.0.1", "1")
            [found] = again("doctor", "broker", "--json", code=1, again_broker_url=broker.url).document
            assert "accepts no writes" in found["finding"]
            assert "set AGAIN_BROKER_URL to the primary" in found["remedy"]
            server.replicaof("NO", "ONE")
            server.config_set("maxmemory", "1")
            [found] = again("doctor", "broker", "--json", code=1, again_broker_url=broker.url).document
            assert "is full" in found["finding"]
            assert "raise its maxmemory" in found["remedy"]
    finally:
        broker.close()


@pytest.mark.parametrize("name", ["AGAIN_WEBHOOK_ADDRESSES", "AGAIN_TRUSTED_PROXIES"])
@pytest.mark.parametrize(("network", "health"), [("0.0.0.0/0", "warning"), ("::/0", "warning"), ("10.0.0.0/8", "ok")])
def test_too_wide_networks_are_a_warning(again: Again, name: str, network: str, health: str):
    [found] = again("doctor", "pages", "--json", **{name.lower(): f"127.0.0.1,{network}"}).document
    assert (found["health"], network in found["finding"]) == (health, health == "warning")


def scheduled(sandbox: RunningSandbox, customer_uid: str, *merchant_uids: str, days: int = 3) -> None:
    """Have PortOne charge a key by itself."""
    at = int(datetime.now(UTC).timestamp()) + days * 86_400
    schedules = [
        {"merchant_uid": each, "schedule_at": at, "amount": 9900, "currency": "KRW", "name": "Plan"}
        for each in merchant_uids
    ]
    with Api(sandbox.base_url) as api:
        answer = api.post("/subscribe/payments/schedule", customer_uid=customer_uid, schedules=schedules)
    assert answer.json()["code"] == 0, answer.text


def test_schedules_of_our_keys_at_portone_are_named_with_what_to_do(again: Again, key: int):
    with running_sandbox() as sandbox:
        here = {"again_sandbox_url": sandbox.base_url}
        sandbox.admin.create_keys([{"customer_uid": "customer_uid_of_gildong"}, {"customer_uid": "somebody_elses"}])
        scheduled(sandbox, "somebody_elses", "m0")
        (found,) = again("doctor", "schedules", "--json", **here).document
        assert (found["health"], found["remedy"]) == ("ok", "")
        scheduled(sandbox, "customer_uid_of_gildong", "m1", "m2", days=40)
        scheduled(sandbox, "customer_uid_of_gildong", "m3", days=380)
        (found,) = again("doctor", "schedules", "--json", **here).document
        assert found["health"] == "warning"
        assert "3 open schedules of 1 billing key of ours" in found["finding"]
        assert f"key {key} on " in found["finding"]
        assert "9,900 KRW (m1)" in found["finding"]
        assert "gildong" not in found["finding"]
        assert "unschedule" in found["remedy"]
        assert "Recovery" in found["remedy"]
        asked = [each["endpoint"] for each in sandbox.admin.requests() if "schedule" in each["endpoint"]]
        assert set(asked) - {"POST /subscribe/payments/schedule"} == {"GET /subscribe/payments/schedule"}
        with Api(sandbox.base_url) as api:
            api.post("/subscribe/payments/unschedule", customer_uid="customer_uid_of_gildong")
        (found,) = again("doctor", "schedules", "--json", **here).document
        assert found["health"] == "ok"


def test_schedules_that_portone_does_not_list_are_not_taken_for_none(again: Again, key: int):
    with running_sandbox(outage="error") as sandbox:
        (found,) = again("doctor", "schedules", "--json", again_sandbox_url=sandbox.base_url).document
    assert found["health"] in {"skipped", "warning"}
    with running_sandbox() as sandbox:
        (found,) = again("doctor", "schedules", "--json", again_sandbox_url=f"{sandbox.base_url}/nowhere").document
    assert found["health"] in {"skipped", "warning"}


def test_failing_look_ups_are_reported_with_their_start_and_cause(again: Again, subscription: str, tables: Tables):
    (found,) = again("doctor", "look-ups", "--json").document
    assert found["health"] == "ok"
    charge = tables.charge(subscription, "charging")
    tables.attempt(charge, "unknown", failing_since=tables.now, failure="HTTP 404 not PortOne's envelope")
    (found,) = again("doctor", "look-ups", "--json").document
    assert found["health"] == "warning"
    assert "1 charge with an unknown outcome cannot be looked up at PortOne, the first since" in found["finding"]
    assert "HTTP 404 not PortOne's envelope" in found["finding"]
    assert "again doctor portone" in found["remedy"]
    counted = again("status", "--json").document["counts"]["failing"]
    assert counted["count"] == 1
    assert "cannot be looked up" in again("status").out


def test_failing_sweep_is_reported_before_any_has_finished(again: Again, tables: Tables):
    tables.sweep("daily")
    tables.sql("UPDATE sweeps SET failing_since = started_at, failure = 'no answer within the deadline'")
    (found,) = again("doctor", "sweeps", "--json").document
    assert found["health"] == "warning"
    assert "cannot be read since" in found["finding"]
    assert "no answer within the deadline" in found["finding"]
    assert "cannot be read since" in again("status").out
    assert again("status", "--json").document["failing_sweep"]["failure"] == "no answer within the deadline"


def test_disabled_destination_is_reported_with_what_to_do(again: Again, tables: Tables):
    assert again("doctor", "destinations", "--json").document[0]["finding"] == "events are sent nowhere"
    again("webhook", "add", "https://shop.example/hook", "--name", "shop")
    assert again("doctor", "destinations", "--json").document[0]["health"] == "ok"
    tables.sql("INSERT INTO deliveries (destination_id, position, next_try_at) VALUES (1, 1764547200000000, now())")
    [found] = again("doctor", "destinations", "--json").document
    assert "shop is behind; 1 event not delivered, the oldest of 2025-12-01 09:00 KST" in found["finding"]
    tables.sql("UPDATE destinations SET failures = 1, failing_since = now(), last_error = 'answered 500'")
    assert "answered 500" in again("doctor", "destinations", "--json").document[0]["finding"]
    again("webhook", "disable", "shop", "--reason", "it moves")
    [found] = again("doctor", "destinations", "--json").document
    assert "it moves" in found["finding"]
    for command in ("again webhook test shop", "again webhook enable shop", "again events resend --since"):
        assert command in found["remedy"]


def test_changes_that_no_relay_publishes_are_reported_once_they_are_old(
    again: Again, subscription: str, tables: Tables
):
    assert again("doctor", "relay", "--json").document[0]["health"] == "ok"
    assert tables.sql("SELECT count(*) FROM outbox")[0][0] > 0
    tables.sql("UPDATE outbox SET at = now() - interval '6 minutes'")
    [found] = again("doctor", "relay", "--json", code=1).document
    assert "not published yet, the oldest 36" in found["finding"]
    assert "again.relay" in found["remedy"]


def test_task_that_no_setting_names_is_no_trouble(again: Again, tables: Tables):
    tables.sql(
        "INSERT INTO destinations (name, kind, target, secrets, types, status, status_reason, status_at, created_at) "
        "VALUES ('task', 'task', 'shop.events', '{}', '{}', 'disabled', 'AGAIN_EVENTS_TASK is not set', now(), now())"
    )
    assert again("doctor", "destinations", "--json").document[0]["health"] == "ok"
