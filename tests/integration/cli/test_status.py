"""`again status`: what is going on, at one glance and at any size."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text

from tests.integration.cli.conftest import MINUTE, Again, Tables
from worker.database import heartbeats
from worker.database.engine import Sessions
from worker.operations import count_queries, status_queries


def test_status_counts_rows_with_the_age_of_the_oldest(again: Again, subscription: str, key: int, tables: Tables):
    hour = timedelta(hours=1)
    midnight = datetime.now(ZoneInfo("Asia/Seoul")).replace(hour=0, minute=0, second=0, microsecond=0)
    tables.charge(subscription, "due", months_ago=1, next_attempt_at=tables.now - hour)
    tables.charge(subscription, "due", months_ago=2, next_attempt_at=tables.now + hour)  # not due yet
    tables.charge(subscription, "past_due", months_ago=3, next_attempt_at=tables.now + hour)
    tables.charge(subscription, "uncollectible", months_ago=4)
    tables.charge(subscription, "void", months_ago=5)
    tables.charge(subscription, "paid", refunded=3000, months_ago=6, paid_at=midnight)
    tables.charge(subscription, "paid", months_ago=7, paid_at=midnight - timedelta(seconds=1))  # yesterday
    tables.attempt(tables.charge(subscription, "charging", months_ago=8))
    tables.attempt(tables.charge(subscription, "charging", months_ago=9), lease_until=tables.now - MINUTE)
    tables.attempt(tables.charge(subscription, "charging", months_ago=10), "unknown", started_at=tables.now - hour)
    flag = {"next_lookup_at": None, "flagged_at": tables.now, "flag_reason": "other_payment"}
    tables.attempt(tables.charge(subscription, "charging", months_ago=11), "unknown", **flag)
    tables.charge(subscription, "past_due", months_ago=12, next_attempt_at=None)  # the active key was refused for good

    spent = {
        "wait_reason": "month_quota",
        "status_reason": "waits for the next month (soft: [-752])",
        "next_attempt_at": tables.now + hour,
    }
    tables.charge(subscription, "due", months_ago=13, **spent)
    tables.charge(subscription, "past_due", months_ago=14, **spent)

    tables.discrepancy("m1")
    tables.discrepancy("m2", "repaired")

    document = again("status", "--json").document
    assert {name: found["count"] for name, found in document["counts"].items()} == {
        "to_open": 0,
        "due": 1,
        "deferred": 1,
        "month_quota": 2,
        "in_flight": 1,
        "abandoned": 1,
        "unknown": 1,
        "needs_person": 3,
        "past_due": 1,
        "waiting_for_key": 0,
        "waiting_for_consent": 0,
        "held_by_gate": 0,
        "charged_despite_gate": 0,
        "waiting_for_payment": 0,
        "uncollectible": 1,
        "failing": 0,
        "void": 1,
        "refunding": 0,
        "waiting_for_approval": 0,
    }
    assert document["paid_today"] | {"since": ""} == {
        "count": 1,
        "amount": 9900,
        "refunded": 3000,
        "count_elsewhere": 0,
        "amount_elsewhere": 0,
        "currency": "KRW",
        "since": "",
    }
    assert datetime.fromisoformat(document["counts"]["due"]["oldest_at"]) == tables.now - hour
    assert datetime.fromisoformat(document["counts"]["unknown"]["oldest_at"]) == tables.now - hour
    assert document["counts"]["to_open"]["oldest_at"] is None


def test_charges_that_wait_for_a_key_are_counted_whether_it_is_dead_or_none(
    again: Again, gold: str, subscription: str, key: int, tables: Tables
):
    other = again("subscribe", "cheolsu", "--plan", gold, "--key", key, "--allow-duplicates", "--json").document["code"]
    tables.charge(subscription)
    tables.charge(other, "past_due", next_attempt_at=None)
    tables.sql("UPDATE billing_keys SET status = 'dead'")
    tables.sql("UPDATE subscriptions SET billing_key_id = NULL WHERE code = :code", code=other)
    counts = {name: found["count"] for name, found in again("status", "--json").document["counts"].items()}
    assert counts["waiting_for_key"] == 2
    assert (counts["due"], counts["past_due"], counts["needs_person"]) == (0, 0, 0)  # each charge is in one row


def test_an_attempt_left_to_a_person_is_counted_once_with_its_discrepancy(
    again: Again, subscription: str, tables: Tables
):
    flag = {"next_lookup_at": None, "flagged_at": tables.now, "flag_reason": "other_payment"}
    charge = tables.charge(subscription, "charging")
    merchant_uid = tables.attempt(charge, "unknown", **flag)
    assert again("status", "--json").document["counts"]["needs_person"]["count"] == 1
    tables.discrepancy(merchant_uid)
    tables.sql("UPDATE discrepancies SET charge_id = :charge, attempt_id = 1", charge=charge)
    assert again("status", "--json").document["counts"]["needs_person"]["count"] == 1


def test_a_charge_with_a_discrepancy_waits_for_a_person_and_is_counted_once(
    again: Again, subscription: str, tables: Tables
):
    hour = timedelta(hours=1)
    times = {"due": tables.now, "deferred": tables.now + hour, "past_due": tables.now + hour, "stuck": None}
    for place, (name, at) in enumerate(times.items()):
        status = "due" if name in {"due", "deferred"} else "past_due"
        charge = tables.charge(subscription, status, months_ago=place, next_attempt_at=at)
        tables.discrepancy(f"m{place}")
        tables.sql(
            "UPDATE discrepancies SET charge_id = :charge WHERE merchant_uid = :uid", charge=charge, uid=f"m{place}"
        )
    counts = {name: found["count"] for name, found in again("status", "--json").document["counts"].items()}
    assert {name: count for name, count in counts.items() if count} == {"needs_person": len(times)}
    tables.sql("UPDATE billing_keys SET status = 'dead'")
    counts = {name: found["count"] for name, found in again("status", "--json").document["counts"].items()}
    assert (counts["waiting_for_key"], counts["needs_person"]) == (0, len(times))
    tables.sql("UPDATE discrepancies SET status = 'resolved', status_at = now()")
    counts = {name: found["count"] for name, found in again("status", "--json").document["counts"].items()}
    assert (counts["waiting_for_key"], counts["needs_person"]) == (len(times), 0)


def test_invariants_that_did_not_hold_at_the_last_look_are_shown(again: Again, tables: Tables):
    assert again("status", "--json").document["violations"] == []
    assert "Violated" not in again("status").out
    tables.sql(
        "INSERT INTO violations VALUES ('periods_do_not_overlap', 2, '7, 9', :since, :now)",
        since=tables.now - timedelta(hours=3),
        now=tables.now,
    )
    [violation] = again("status", "--json").document["violations"]
    assert (violation["name"], violation["count"], violation["examples"]) == ("periods_do_not_overlap", 2, "7, 9")
    lines = again("status").out.splitlines()
    assert [line.split()[:4] for line in lines if line.startswith("violations")] == [["violations", "1", "3", "h"]]
    assert any(line.split() == ["periods_do_not_overlap", "2", "3", "h", "7,", "9"] for line in lines)


def test_status_shows_the_holding_and_the_last_daily_sweep(again: Again, tables: Tables):
    document = again("status", "--json").document
    assert (document["held"], document["last_daily_sweep"]) == (None, None)
    assert "never completed" in again("status").out
    tables.sweep("daily", payments=1200, not_ours=3, repaired=2, found=1, finished=True)
    tables.sweep("gap", payments=70, holds=True)
    document = again("status", "--json").document
    assert (document["held"]["reason"], document["held"]["payments"]) == ("gap", 70)
    assert document["last_daily_sweep"]["repaired"] == 2
    said = again("status").said
    assert "held: comparing with PortOne since" in said
    assert "70 payments compared (gap)" in said
    assert "1,200 payments, 3 of them not ours; 2 repaired, 1 left to decide" in said


def test_periods_that_no_tick_has_opened_are_counted(again: Again, subscription: str, tables: Tables):
    tables.sql("UPDATE subscriptions SET next_charge_at = now() - interval '2 hours'")
    assert again("status", "--json").document["counts"]["to_open"]["count"] == 1


def test_status_fits_on_a_terminal_of_80_columns(again: Again, subscription: str, tables: Tables):
    tables.charge(subscription)
    tables.sql(
        "INSERT INTO violations VALUES (:name, 1000, '1, 2, 3, 4, 5', :now, :now)", name=60 * "x", now=tables.now
    )
    tables.sweep("restored", holds=True, payments=10**6)
    again("stop", "--reason", "a reason that is long enough to need a second line on a terminal of that width")
    out = again("status", columns="80").out
    assert max(map(len, out.splitlines())) <= 80
    for part in ("due now", "needs a decision", "paid today", "since midnight in Seoul", "again.charge", "never"):
        assert part in out


def test_status_shows_when_beat_and_each_task_were_last_seen(again: Again, sessions: Sessions, tables: Tables):
    with sessions.begin() as session:
        heartbeats.beat(session, heartbeats.BEAT, now=tables.now - timedelta(minutes=3))
        heartbeats.beat(session, "again.charge", now=tables.now)
    seen = again("status", "--json").document["last_seen"]
    assert datetime.fromisoformat(seen["beat"]) == tables.now - timedelta(minutes=3)
    assert datetime.fromisoformat(seen["again.charge"]) == tables.now
    assert seen["again.reconcile"] is None
    assert "3 min" in again("status").out


def test_destinations_and_unpublished_changes_are_shown(again: Again, subscription: str, tables: Tables):
    again("webhook", "add", "https://shop.example/hook", "--name", "shop")
    tables.sql("UPDATE outbox SET at = :at", at=tables.now - timedelta(hours=2))
    tables.sql("INSERT INTO deliveries (destination_id, position, next_try_at) VALUES (1, 1764547200000000, now())")
    again("webhook", "disable", "shop", "--reason", "it moves")
    events = again("status", "--json").document["events"]
    assert events["unpublished"] == tables.sql("SELECT count(*) FROM outbox")[0][0]
    assert datetime.fromisoformat(events["oldest_at"]) == tables.now - timedelta(hours=2)
    [shop] = events["destinations"]
    assert (shop["name"], shop["status"], shop["waiting"], shop["status_reason"]) == ("shop", "disabled", 1, "it moves")
    assert shop["oldest_at"].startswith("2025-12-01T00:00:00")
    assert "target" not in shop
    said = again("status").said
    assert "not published yet, the oldest 2 h ago" in said
    assert "it moves; `again doctor destinations`" in said


def test_webhooks_of_the_day_are_counted_and_those_of_unknown_payments_named(again: Again, tables: Tables):
    seen_to = ["done", *status_queries.UNKNOWN_PAYMENTS]
    today, earlier = tables.now, tables.now - timedelta(days=2)
    rows = [*((outcome, None, today) for outcome in seen_to), ("waiting", today, earlier), (None, today, today)]
    for place, (outcome, next_lookup_at, received_at) in enumerate(rows):
        tables.sql(
            "INSERT INTO webhooks (imp_uid, merchant_uid, status, received_at, next_lookup_at, outcome_code) "
            "VALUES (:uid, 'm', 'paid', :at, :next_lookup_at, :outcome)",
            uid=f"imps_{place}",
            at=received_at,
            next_lookup_at=next_lookup_at,
            outcome=outcome,
        )
    webhooks = again("status", "--json").document["webhooks"]
    assert webhooks | {"since": ""} == {"count": 4, "unknown": 2, "waiting": 2, "since": ""}
    line = "4 since midnight in Seoul, 2 of them of unknown payments; 2 waiting for a look at PortOne"
    assert line in again("status").out


def test_counts_do_not_read_settled_charges(subscription: str, tables: Tables, engine: Engine):
    """At a million charges the discrepancy is seconds; the plan shows it at a few thousand."""
    tables.sql("ALTER TABLE charges DISABLE TRIGGER USER")
    tables.sql("""
        INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                             paid_at, created_at, status_at)
        SELECT s.id, now() - make_interval(days => n), now() - make_interval(days => n - 1), 9900, 0, 'KRW', 'Gold',
               'paid', now() - make_interval(days => n), now(), now()
        FROM subscriptions s, generate_series(1, 20000) n
    """)
    tables.sql("ANALYZE charges")
    with engine.connect() as connection:
        for query, values in (
            (count_queries._MOVING, {"now": tables.now}),
            (count_queries._STANDING, {"now": tables.now}),
            (status_queries._PAID_SINCE, {"since": tables.now}),
        ):
            plan = "\n".join(connection.scalars(text(f"EXPLAIN {query}"), values))
            assert "Seq Scan on charges" not in plan
