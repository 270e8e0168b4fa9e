"""`again stop --plan` and `again stop --subscription`: the kill switch for one plan, and for one subscription."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.cli.conftest import Again, Tables
from tests.support.sandbox import wait_until
from worker.charging import kill_switch
from worker.database.engine import Sessions
from worker.ledger.claiming import claim

MINUTE = timedelta(minutes=1)


def claimed(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return len(claim(session, now=datetime.now(UTC), limit=10, lease=MINUTE, prefix="again"))


def test_stopped_plan_is_shown_everywhere_with_who_and_why(again: Again, subscription: str, gold: str, tables: Tables):
    charge = tables.charge(subscription)
    document = again("stop", "--plan", gold, "--reason", "가격 오류", "--json").document
    assert (document["scope"], document["reason"]) == (f"plan:{gold}", "가격 오류")
    by = document["stopped_by"]
    assert f"plan:{gold}" in again("status").said
    assert again("status", "--json").document["stopped"][0]["scope"] == f"plan:{gold}"
    why = f"Charging is stopped (plan:{gold}: 가격 오류, by {by}); it waits for `again start --plan {gold}`."
    shown = again("charge", "show", charge, "--json").document
    assert (shown["blocked_by"], shown["next"]) == ("stop", why)
    shown = again("plan", "show", gold, "--json").document["stopped"]
    assert (shown["stopped_by"], shown["waiting"]) == (by, 1)
    said = again("plan", "show", gold).said
    assert f"by {by}: 가격 오류 (`again start --plan {gold}`); 1 charge is set aside" in said
    assert f"(`again start --plan {gold}`)" in again("subscription", "show", subscription).said
    assert f"once the cause is fixed: `again start --plan {gold}`" in again("doctor", "stops").said
    assert f'again_stopped{{scope="plan:{gold}"}} 1' in again("metrics", "show").said
    assert f"plan:{gold}" in again("audit", "stop").said


def test_stopped_plan_is_not_claimed_until_it_is_started_by_name(
    again: Again, subscription: str, gold: str, tables: Tables, sessions: Sessions
):
    tables.charge(subscription)
    again("stop", "--plan", gold)
    assert claimed(sessions) == 0
    assert f"start it with `again start --plan {gold}`" in again("start", code=1).said
    again("stop", "payco")
    ended = again("start", "--plan", gold)
    assert "1 charge that waited can be claimed again" in ended.out
    assert "still stopped: payco" in ended.err
    assert claimed(sessions) == 1
    assert again("plan", "show", gold, "--json").document["stopped"] is None


def test_stopped_subscription_is_held_until_an_operator_starts_it(
    again: Again, subscription: str, tables: Tables, sessions: Sessions
):
    charge = tables.charge(subscription)
    document = again("stop", "--subscription", subscription, "--reason", "dispute", "--json").document
    scope, by = f"subscription:{subscription}", document["stopped_by"]
    assert (document["scope"], document["reason"], document["was_set"]) == (scope, "dispute", False)
    assert again("stop", "--subscription", subscription, "--reason", "second", "--json").document["reason"] == "dispute"
    assert claimed(sessions) == 0
    held = again("status", "--json").document["held_subscriptions"]["longest"]
    assert [(each["subscription"], each["reason"], each["held_by"]) for each in held] == [(subscription, "dispute", by)]
    assert by.split()[0] in again("status").said
    shown = again("charge", "show", charge, "--json").document
    command = f"`again start --subscription {subscription}`"
    assert shown["next"] == f"Its subscription is stopped (dispute, by {by}); it waits for {command}."
    assert command in again("subscription", "show", subscription).said
    assert f"by {by}: dispute" in again("doctor", "stops").said
    again("start", "--subscription", subscription, "--reason", "settled")
    assert claimed(sessions) == 1
    assert "is not held" in again("start", "--subscription", subscription, code=1).said


def test_stop_takes_over_what_a_limit_has_held_and_its_reason(again: Again, subscription: str, tables: Tables):
    tables.sql(
        "INSERT INTO holds (subscription_id, status, status_reason, status_at, held_by) "
        "SELECT id, 'held', 'too much', now(), 'charge limits' FROM subscriptions RETURNING id"
    )
    assert again("stop", "--subscription", subscription, "--reason", "dispute", "--json").document["was_set"] is False
    (hold,) = tables.sql("SELECT status, status_reason, held_by FROM holds")
    assert (hold.status, hold.status_reason) == ("held", "dispute")
    assert hold.held_by.startswith("cli ")


def test_only_one_thing_is_stopped_at_a_time_and_only_what_exists(again: Again, subscription: str, gold: str):
    assert "give one of a PG" in again("stop", "payco", "--plan", gold, code=2).said
    assert "give one of a PG" in again("start", "--plan", gold, "--subscription", subscription, code=2).said
    assert "There is no plan 'nothing'" in again("stop", "--plan", "nothing", code=1).said
    assert "There is no subscription" in again("stop", "--subscription", "0" * 13, code=1).said
    again("subscription", "cancel", subscription, "--at", "now", "--yes")
    assert "nothing of it is charged any more" in again("stop", "--subscription", subscription, code=1).said


@pytest.mark.parametrize("option", ["--plan", "--subscription"])
def test_the_switch_of_one_waits_for_a_claim_under_way_and_for_its_calls(
    again: Again,
    subscription: str,
    gold: str,
    tables: Tables,
    sessions: Sessions,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
):
    tables.charge(subscription)
    monkeypatch.setattr(kill_switch, "sleep", lambda _: tables.sql("UPDATE attempts SET status = 'not_charged'"))
    with sessions() as claiming, ThreadPoolExecutor(1) as threads:
        claim(claiming, now=datetime.now(UTC), limit=1, lease=5 * MINUTE, prefix="again")

        def commit_once_waited_for() -> None:
            waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            wait_until(lambda: tables.sql(waiting), "nothing waits for the claim")
            claiming.commit()

        committed = threads.submit(commit_once_waited_for)
        ended = again("stop", option, gold if option == "--plan" else subscription)
        committed.result()
    assert "1 call still in flight" in ended.err  # it was seen, so `stop` had waited until it committed
    assert tables.statuses("attempts") == ["not_charged"]


def test_stop_of_one_counts_only_its_own_unknown_outcomes(again: Again, subscription: str, gold: str, tables: Tables):
    tables.attempt(tables.charge(subscription, "charging"), "unknown")
    assert again("stop", "--plan", gold, "--json").document["unknown"] == 1
    assert again("stop", "--subscription", subscription, "--json").document["unknown"] == 1
    again("plan", "add", "other", "--name", "Other", "--amount", 9900, "--cadence", "month")
    assert again("stop", "--plan", "other", "--json").document["unknown"] == 0
