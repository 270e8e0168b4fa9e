"""`again metrics` says what `again status` says, of any book."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.cli.conftest import Again, Tables
from worker.database.engine import Sessions
from worker.domain.consent_gate.rules import RuleCode
from worker.events.publishing import publish
from worker.ledger import consent_gate
from worker.metrics.families import FAMILIES
from worker.metrics.readings import MOST_OF_DATABASE, Census

ALL_LACKED = ["consent_free_to_paid", "notice_free_to_paid"]

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(again: Again) -> Samples:
    families = text_string_to_metric_families(again("metrics", "show").out)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def by_label(samples: Samples, name: str, label: str) -> dict[str, float]:
    return {dict(labels)[label]: value for (known, labels), value in samples.items() if known == name}


def only(samples: Samples, name: str) -> float:
    return samples[name, frozenset()]


def fill(again: Again, tables: Tables, subscription: str, seed: int) -> None:
    """Leave a random book: charges of every fate, discrepancies, stops, violations, events that wait."""
    chance = random.Random(seed)
    hours = [timedelta(hours=chance.randint(-30, 30)) for _ in range(3)]
    fates: list[dict[str, Any]] = [
        {"status": "due", "next_attempt_at": tables.now + chance.choice(hours)},
        {"status": "past_due", "next_attempt_at": tables.now + chance.choice(hours)},
        {"status": "past_due", "next_attempt_at": None},
        {"status": "due", "next_attempt_at": tables.now + timedelta(hours=2), "wait_reason": "month_quota"},
        {"status": "uncollectible"},
        {"status": "void"},
        {"status": "paid"},
        {"status": "due", "awaits_consent_since": tables.now},
        {"status": "charging"},
    ]
    for month in range(chance.randint(12, 30)):
        charge = tables.charge(subscription, months_ago=month, **chance.choice(fates))
        [(status,)] = tables.sql("SELECT status FROM charges WHERE id = :id", id=charge)
        if status == "charging":
            kind: list[tuple[str, dict[str, Any]]] = [
                ("started", {}),
                ("started", {"lease_until": tables.now - timedelta(minutes=1)}),
                ("unknown", {"started_at": tables.now - chance.choice(hours) - timedelta(hours=31)}),
                ("unknown", {"next_lookup_at": None, "flagged_at": tables.now, "flag_reason": "other_payment"}),
            ]
            attempt, columns = chance.choice(kind)
            tables.attempt(charge, attempt, **columns)
        elif chance.random() < 0.2:
            tables.discrepancy(f"m{charge}")
            tables.sql("UPDATE discrepancies SET charge_id = :id WHERE merchant_uid = :m", id=charge, m=f"m{charge}")
    if chance.random() < 0.3:
        tables.sql("UPDATE billing_keys SET status = 'dead'")
    if chance.random() < 0.5:
        again("stop", "kakaopay", "--reason", "a random book", "--no-wait")
    if chance.random() < 0.5:
        tables.sql("INSERT INTO violations VALUES ('periods_do_not_overlap', 2, '7, 9', now(), now())")
    if chance.random() < 0.5:
        again("webhook", "add", "https://shop.example/hook", "--name", "shop")
        tables.sql("INSERT INTO deliveries (destination_id, position, next_try_at) VALUES (1, 1764547200000000, now())")
    if chance.random() < 0.5:
        tables.sql("UPDATE subscriptions SET next_charge_at = now() - interval '2 hours'")


@pytest.mark.parametrize("seed", range(6))
def test_metrics_of_a_random_book_are_the_numbers_of_status(
    seed: int, again: Again, subscription: str, key: int, tables: Tables
):
    fill(again, tables, subscription, seed)
    document, samples = again("status", "--json").document, scraped(again)
    counts = {row: found["count"] for row, found in document["counts"].items()}
    assert by_label(samples, "again_status_rows", "row") == counts
    oldest = by_label(samples, "again_status_oldest_age_seconds", "row")
    aged = {row for row, age in oldest.items() if age > 0}
    since = {row: found["oldest_at"] for row, found in document["counts"].items() if found["oldest_at"]}
    assert (
        {row for row, at in since.items() if at < document["at"]} <= aged <= since.keys()
    )  # a second may pass between
    unknown = by_label(samples, "again_unknown_attempts", "age")
    flagged = tables.sql("SELECT count(*) FROM attempts WHERE status = 'unknown' AND flagged_at IS NOT NULL")[0][0]
    assert sum(unknown.values()) == counts["unknown"] + flagged
    assert set(by_label(samples, "again_stopped", "scope")) == {each["scope"] for each in document["stopped"]}
    assert only(samples, "again_stopped_scopes") == len(document["stopped"])
    assert only(samples, "again_held_subscriptions") == document["held_subscriptions"]["count"]
    assert only(samples, "again_violated_invariants") == len(document["violations"])
    open_ones = tables.sql("SELECT count(*) FROM discrepancies WHERE status = 'open'")[0][0]
    assert sum(by_label(samples, "again_open_discrepancies", "kind").values()) == open_ones
    assert only(samples, "again_outbox_rows") == document["events"]["unpublished"]
    waiting = {each["name"]: each["waiting"] for each in document["events"]["destinations"]}
    assert by_label(samples, "again_deliveries_waiting", "destination") == waiting


def test_charges_that_the_gate_holds_and_lets_go_are_counted(
    again: Again, subscription: str, tables: Tables, sessions: Sessions
):
    both, notice, overridden, settled = (
        tables.charge(subscription, months_ago=month, status="due", next_attempt_at=tables.now) for month in range(4)
    )
    lacks = {both: ALL_LACKED, notice: ALL_LACKED[1:], overridden: ALL_LACKED, settled: ALL_LACKED}
    for charge, codes in lacks.items():
        tables.sql(
            "UPDATE charges SET gate_held_since = now(), gate_judged_at = now(), gate_lacks = :codes WHERE id = :id",
            id=charge,
            codes=codes,
        )
    with sessions.begin() as session:
        assert consent_gate.override(session, overridden, now=tables.now)
    tables.sql("UPDATE charges SET status = 'void', next_attempt_at = NULL WHERE id = :id", id=settled)
    publish(sessions)
    samples = scraped(again)
    assert by_label(samples, "again_gate_held_charges", "rule") == {
        RuleCode.CONSENT_TO_PAID: 1,
        RuleCode.CONSENT_TO_INCREASE: 0,
        RuleCode.NOTICE_OF_PAID: 2,
    }
    assert by_label(samples, "again_gate_releases_total", "released_by") == {"override": 1, "settled": 1}


def test_every_sample_is_of_a_documented_family_with_its_labels(again: Again, subscription: str, tables: Tables):
    fill(again, tables, subscription, 2)
    for family in text_string_to_metric_families(again("metrics", "show").out):
        assert family.name in FAMILIES
        assert family.documentation == FAMILIES[family.name].help.replace("\n", " ")
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(FAMILIES[family.name].labels)


def test_parts_that_were_never_seen_are_infinitely_late_if_they_run_within_minutes(again: Again, tables: Tables):
    seen = by_label(scraped(again), "again_part_seen_age_seconds", "part")
    assert seen["beat"] == seen["again.charge"] == float("inf")
    assert "again.make_partitions" not in seen
    tables.sql("INSERT INTO heartbeats VALUES ('beat', now())")
    samples = scraped(again)
    late_after = by_label(samples, "again_part_late_after_seconds", "part")
    assert by_label(samples, "again_part_seen_age_seconds", "part")["beat"] < late_after["beat"]


def test_limits_used_are_those_of_today_in_seoul(again: Again, tables: Tables):
    tables.sql(
        "INSERT INTO day_totals (day_on, pg, sends, amount, since) VALUES "
        "((now() AT TIME ZONE 'Asia/Seoul')::date, 'payco', 250, 1000, now()),"
        "((now() AT TIME ZONE 'Asia/Seoul')::date - 1, 'kakaopay', 250, 1000, now())"
    )
    families = text_string_to_metric_families(
        again("metrics", "show", again_max_day_charges="1000", again_max_day_sum="10000").out
    )
    used = {(s.labels["pg"], s.labels["limit"]): s.value for f in families for s in f.samples if "limit" in s.labels}
    assert used == {("payco", "day_charges"): 0.25, ("payco", "day_sum"): 0.1}


def test_database_of_another_mode_is_read_without_a_key(again: Again, tables: Tables):
    tables.sql("UPDATE database_identity SET mode = 'live', prefix = 'again'")
    again("status", code=3)
    assert by_label(scraped(again), "again_info", "mode") == {"live": 1.0}


def waits(again: Again) -> dict[str, float]:
    """Return for how long what is due has waited, by PG, in hours."""
    found = by_label(scraped(again), "again_due_wait_seconds", "pg")
    return {pg: round(seconds / 3600) for pg, seconds in found.items()}


def test_charge_that_nothing_blocks_waits_from_its_time_on(again: Again, subscription: str, key: int, tables: Tables):
    hours: dict[str, Any] = {
        "next_attempt_at": tables.now - timedelta(hours=3),
        "status_at": tables.now - timedelta(hours=5),
    }
    tables.charge(subscription, "past_due", **hours)
    assert waits(again) == {"kakaopay": 3}
    again("stop", "kakaopay", "--no-wait")
    assert waits(again) == {"kakaopay": 0}
    again("start", "kakaopay")
    tables.sweep("gap", holds=True)
    assert waits(again) == {"kakaopay": 0}


def test_charge_that_was_opened_late_waits_since_then(again: Again, subscription: str, key: int, tables: Tables):
    tables.charge(subscription, next_attempt_at=tables.now - timedelta(days=2), status_at=tables.now)
    assert waits(again) == {"kakaopay": 0}
    assert by_label(scraped(again), "again_due_charges", "pg") == {"kakaopay": 1}


def test_charge_behind_another_is_not_late(again: Again, subscription: str, key: int, tables: Tables):
    old: dict[str, Any] = {
        "next_attempt_at": tables.now - timedelta(hours=9),
        "status_at": tables.now - timedelta(hours=9),
    }
    tables.attempt(tables.charge(subscription, "charging", months_ago=1))
    tables.charge(subscription, **old)
    assert waits(again) == {"kakaopay": 0}
    assert by_label(scraped(again), "again_status_rows", "row")["due"] == 1


def test_period_that_no_tick_opens_waits_from_its_start_or_its_sign_up(again: Again, subscription: str, tables: Tables):
    tables.sql("UPDATE subscriptions SET next_charge_at = now() - interval '2 hours', status_at = now()")
    assert only(scraped(again), "again_opening_wait_seconds") < 3600
    tables.sql("UPDATE subscriptions SET status_at = now() - interval '3 hours'")
    assert round(only(scraped(again), "again_opening_wait_seconds") / 3600) == 2


def test_counts_that_took_long_are_taken_again_late():
    at = datetime(2026, 1, 5, tzinfo=UTC)
    census = Census(counts={}, at=at, seconds=1.5)
    pause = timedelta(seconds=1.5 * MOST_OF_DATABASE)
    assert census.is_fresh(at + pause - timedelta(seconds=1), timedelta(minutes=1))
    assert not census.is_fresh(at + pause, timedelta(minutes=1))
    quick = Census(counts={}, at=at, seconds=0.0)
    assert not quick.is_fresh(at, timedelta(0))
    assert quick.is_fresh(at, timedelta(minutes=1))
    assert not quick.is_fresh(at - timedelta(seconds=1), timedelta(minutes=1)), "the clock was set back"
