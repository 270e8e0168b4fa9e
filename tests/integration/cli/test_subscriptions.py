"""`again subscribe` and `again subscription`: from the beginning to the end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from unicodedata import normalize
from zoneinfo import ZoneInfo

import pytest

from tests.integration.cli.conftest import Again, Tables

SEOUL = ZoneInfo("Asia/Seoul")


def today() -> date:
    return datetime.now(SEOUL).date()


def at_ten(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 10, tzinfo=SEOUL).astimezone(UTC)


# --- beginning -------------------------------------------------------------------------------------------------------


def test_a_subscription_begins_today_at_the_plans_hour(again: Again, gold: str, key: int):
    begun = again("subscribe", "gildong", "--plan", gold, "--key", key, "--json").document
    assert begun["anchor_on"] == str(today())
    assert datetime.fromisoformat(begun["next_charge_at"]) == at_ten(today())
    assert begun["status"] == "active"
    assert len(begun["code"]) == 13


def test_a_trial_comes_before_the_first_charge(again: Again, key: int):
    again("plan", "add", "try", "--name", "Try", "--amount", 9900, "--cadence", "month", "--trial-days", 14)
    start = today() + timedelta(days=3)
    begun = again("subscribe", "gildong", "--plan", "try", "--key", key, "--start", start, "--json").document
    assert begun["status"] == "trialing"
    assert datetime.fromisoformat(begun["next_charge_at"]) == at_ten(start + timedelta(days=14))


def test_a_key_is_named_by_its_customer_uid_as_well(again: Again, gold: str, key: int):
    ended = again("subscribe", "gildong", "--plan", gold, "--key", "customer_uid_of_gildong", "--json")
    assert ended.document["key_id"] == key
    assert "customer_uid_of_gildong" not in ended.out


def test_ambiguous_key_is_refused(again: Again, gold: str, key: int):
    again("key", "add", str(key), "--pg", "payco")
    assert "Give an id as #ID" in again("subscribe", "gildong", "--plan", gold, "--key", key, code=1).said
    assert again("subscribe", "gildong", "--plan", gold, "--key", f"#{key}", "--json").document["key_id"] == key


def test_unknown_key_is_named_as_it_was_given(refused: Again, gold: str):
    assert "no billing key with id 99" in refused("subscribe", "sora", "--plan", gold, "--key", "#99").err


def test_second_running_subscription_to_a_plan_is_refused(again: Again, tables: Tables, subscription: str, key: int):
    said = again("subscribe", "gildong", "--plan", "gold", "--key", key, code=1).said
    assert subscription in said
    again("subscribe", "cheolsu", "--plan", "gold", "--key", key, "--allow-duplicates")
    again("subscription", "cancel", subscription, "--at", "now")
    again("subscribe", "gildong", "--plan", "gold", "--key", key, "--allow-duplicates")
    assert tables.count("subscriptions") == 3


@pytest.mark.parametrize(
    ("customer", "options", "expected"),
    [
        ("gildong", {"--plan": "platinum"}, "There is no plan 'platinum'"),
        ("gildong", {"--key": "99"}, "no billing key with id 99"),
        ("gildong", {"--key": str(10**30)}, "no billing key"),  # larger than any id
        ("gildong", {"--key": "somebody_elses_customer_uid"}, "customer_uid ****_uid"),
        ("", {}, "1 to 100 printable"),
        ("x" * 101, {}, "1 to 100 printable"),
        ("gil\tdong", {}, "1 to 100 printable"),
        (" gildong", {}, "1 to 100 printable"),
        ("gildong", {"--start": "2026-02-30"}, "a date written as 2026-01-31"),
        ("gildong", {"--start": "20260131"}, "a date written as 2026-01-31"),
        ("gildong", {"--start": "9999-12-31"}, "must be from 1970-01-01 to"),
        ("gildong", {"--start": "0001-01-01"}, "must be from 1970-01-01 to"),
        ("gildong", {"--start": "2020-01-31"}, "periods are due since 2020-01-31. Give --backdate to charge them all"),
    ],
)
def test_unbillable_subscription_does_not_start(
    again: Again, gold: str, key: int, tables: Tables, customer, options, expected
):
    words = [word for pair in ({"--plan": gold, "--key": str(key)} | options).items() for word in pair]
    ended = again("subscribe", customer, *words, code=1)
    assert expected in ended.said
    assert "somebody_elses" not in ended.said
    assert tables.count("subscriptions") == 0


def test_past_periods_are_charged_only_with_backdate(again: Again, gold: str, key: int):
    start = ("--start", today() - timedelta(days=100))
    again("subscribe", "gildong", "--plan", gold, "--key", key, *start, code=1)
    begun = again("subscribe", "gildong", "--plan", gold, "--key", key, *start, "--backdate", "--json").document
    assert datetime.fromisoformat(begun["next_charge_at"]) == at_ten(today() - timedelta(days=100))
    assert (begun["open_charges"], begun["owed"]) == (4, 39600)


def test_backdated_subscription_reports_what_is_charged_now(again: Again, gold: str, key: int):
    start = ("--start", today() - timedelta(days=100))
    said = again("subscribe", "gildong", "--plan", gold, "--key", key, *start, "--backdate").out
    assert "4 charges, 39,600 KRW, are charged now." in said


@pytest.mark.parametrize("status", ["dead", "deleted", "registering"])
def test_inactive_key_is_not_billed(again: Again, gold: str, key: int, tables: Tables, status):
    tables.sql("UPDATE billing_keys SET status = :status", status=status)
    assert f"is {status}" in again("subscribe", "gildong", "--plan", gold, "--key", key, code=1).said


def test_plan_with_its_own_vat_is_refused_for_a_pg_that_computes_vat(again: Again, subscription: str):
    again("plan", "add", "vat", "--name", "VAT", "--amount", 9900, "--vat-amount", 500, "--cadence", "month")
    said = again("subscribe", "cheolsu", "--plan", "vat", "--key", 1, code=1).said
    assert "Plan 'vat' costs 9,900 KRW, but Kakao Pay takes no vat_amount: it works the VAT out" in said
    again("key", "add", "customer_uid_of_cheolsu", "--pg", "nice")
    code = again("subscribe", "cheolsu", "--plan", "vat", "--key", 2, "--json").document["code"]
    assert "Kakao Pay takes no vat_amount" in again("subscription", "key", code, 1, "--reason", "r", code=1).said
    pending = again("subscribe", "younghee", "--plan", "vat", "--json").document["code"]
    said = again("checkout", "link", pending, again_checkout_secret="0123456789abcdef" * 4, code=1).said
    assert "9,900 KRW cannot be paid: Kakao Pay takes no vat_amount" in said
    assert "PAYCO takes no vat_amount" in said


@pytest.mark.parametrize(
    ("amount", "pg", "settings", "expected"),
    [
        # what the plan was when AGAIN_MAX_AMOUNT was higher
        (1_000_001, "payco", {"again_max_amount": "1000000"}, "AGAIN_MAX_AMOUNT allows no charge above 1,000,000"),
        (2_000_001, "kakaopay", {"again_max_amount": "9000000"}, "Kakao Pay takes no more than 2,000,000 KRW at once"),
        (9900, "paypal_v2", {}, "PayPal takes no KRW"),
    ],
)
def test_amount_forbidden_by_pg_or_setting_is_refused(again: Again, amount, pg, settings, expected):
    plan = ("plan", "add", "dear", "--name", "Dear", "--amount", amount, "--cadence", "year")
    again(*plan, again_max_amount="9000000")
    again("key", "add", "customer_uid_of_gildong", "--pg", pg)
    assert expected in again("subscribe", "gildong", "--plan", "dear", "--key", 1, code=1, **settings).said


# --- looking ---------------------------------------------------------------------------------------------------------


def test_subscriptions_are_listed_by_status_plan_and_customer(again: Again, subscription: str, key: int):
    again("plan", "add", "daily", "--name", "Daily", "--amount", 1000, "--cadence", "day")
    daily = again("subscribe", "cheolsu", "--plan", "daily", "--key", f"#{key}", "--json").document["code"]
    again("subscription", "pause", daily, "--at", "now")

    def codes(*options: str) -> list[str]:
        return [row["code"] for row in again("subscription", "list", *options, "--json").document]

    assert codes() == [daily, subscription]
    assert codes("--limit", "1") == [daily]
    assert codes("--status", "paused") == [daily]
    assert codes("--plan", "gold") == [subscription]
    assert codes("--customer", "gildong") == [subscription]
    assert codes("--customer", "gildong", "--plan", "daily") == []
    assert "there are none" in again("subscription", "list", "--status", "ended").err


def test_a_subscription_shows_its_periods_charges_and_history(again: Again, subscription: str, tables: Tables):
    charge = tables.charge(subscription, "paid")
    # codes are typed as people read them
    shown = again("subscription", "show", subscription.lower(), "--json")
    document = shown.document
    assert document["customer_reference"] == "gildong"
    assert document["customer_uid"] == "****dong"
    assert [row["id"] for row in document["charges"]] == [charge]
    assert [row["to_status"] for row in document["audit"]] == ["active"]
    assert document["audit"][0]["actor"].startswith("cli ")
    assert document["upcoming"][0]["start"] == document["next_charge_at"]
    assert document["upcoming"][0]["end"] == document["upcoming"][1]["start"]
    said = again("subscription", "show", subscription).said
    assert "9,900 KRW" in said
    assert "subscribed" in said
    assert "customer_uid_of" not in said + shown.out


def test_unknown_subscription_is_not_shown(again: Again, subscription: str):
    assert "There is no subscription" in again("subscription", "show", "0000000000000", code=1).said


# --- pausing and resuming --------------------------------------------------------------------------------------------


def test_a_pause_is_not_owed(again: Again, subscription: str, tables: Tables):
    paused = again("subscription", "pause", subscription, "--at", "now", "--reason", "여행", "--json").document[
        "subscription"
    ]
    assert (paused["status"], paused["next_charge_at"], paused["status_reason"]) == ("paused", None, "여행")
    # A hundred days pass.
    long_ago = today() - timedelta(days=100)
    tables.sql(
        "UPDATE subscriptions SET anchor_on = :anchor, paused_next_charge_at = :start",
        anchor=long_ago,
        start=at_ten(long_ago),
    )
    resumed = again("subscription", "resume", subscription, "--yes", "--json").document["subscription"]
    assert resumed["status"] == "active"
    next_charge_at = datetime.fromisoformat(resumed["next_charge_at"])
    assert timedelta(0) < next_charge_at - datetime.now(UTC) <= timedelta(days=31)
    assert next_charge_at.astimezone(SEOUL).hour == 10


def test_subscription_with_debt_resumes_past_due(again: Again, subscription: str, tables: Tables):
    tables.charge(subscription, "past_due")
    again("subscription", "pause", subscription, "--at", "now")
    assert (
        again("subscription", "resume", subscription, "--yes", "--json").document["subscription"]["status"]
        == "past_due"
    )


def test_a_trial_goes_on_after_a_pause(again: Again, key: int):
    again("plan", "add", "try", "--name", "Try", "--amount", 9900, "--cadence", "month", "--trial-days", 14)
    begun = again("subscribe", "gildong", "--plan", "try", "--key", key, "--json").document
    again("subscription", "pause", begun["code"], "--at", "now")
    resumed = again("subscription", "resume", begun["code"], "--yes", "--json").document["subscription"]
    assert (resumed["status"], resumed["next_charge_at"]) == ("trialing", begun["next_charge_at"])


def test_resuming_names_what_was_open_before_the_pause(again: Again, subscription: str, tables: Tables):
    tables.charge(subscription, "past_due")
    tables.charge(subscription, "due", months_ago=1)
    again("subscription", "pause", subscription, "--at", "now")
    asked = again("subscription", "resume", subscription, code=1).said
    assert "Money would move" in asked
    said = again("subscription", "resume", subscription, "--yes").out
    assert "What was unpaid before the pause, 19,800 KRW, is charged again" in said


def test_unbilled_subscription_does_not_pause_and_unpaused_not_resume(again: Again, subscription: str):
    assert "not paused" in again("subscription", "resume", subscription, code=1).said
    again("subscription", "pause", subscription, "--at", "now")
    assert (
        "is paused; only one that is billed" in again("subscription", "pause", subscription, "--at", "now", code=1).said
    )


# --- another key -----------------------------------------------------------------------------------------------------


def test_a_new_key_wakes_what_waited_for_one(again: Again, subscription: str, tables: Tables):
    stuck = tables.charge(subscription, "past_due", next_attempt_at=None)
    tables.attempt(stuck, "declined", decline_kind="hard")
    in_flight = tables.charge(subscription, "charging", months_ago=1)
    tables.sql("UPDATE billing_keys SET status = 'dead'")
    command = f"`again subscription key {subscription} KEY`"
    assert command in again("charge", "show", stuck).said
    again("key", "add", "another_customer_uid", "--pg", "payco")
    given = ("subscription", "key", subscription.lower(), "#2", "--reason", "new card")
    unasked = again(*given, code=1).said
    assert "2 charges, 19,800 KRW, would be charged to this billing key at once (1 of them, under way, only" in unasked
    changed = again(*given, "--yes", "--json").document
    assert (changed["key_id"], changed["charges_woken"], changed["charged_now"]) == (2, 1, 9900)
    rows = tables.sql("SELECT id, status, next_attempt_at IS NOT NULL AS planned FROM charges ORDER BY id")
    assert [tuple(row) for row in rows] == [(stuck, "past_due", True), (in_flight, "charging", False)]
    assert "next pump run" in again("charge", "show", stuck).said
    audit = again("subscription", "show", subscription, "--json").document["audit"]
    assert [row["reason"] for row in audit] == ["subscribed", "billing key 1 to 2: new card"]


def test_answer_names_how_many_charges_and_how_much_is_charged_now(again: Again, subscription: str, tables: Tables):
    for months_ago, status in enumerate(["due", "due", "past_due"]):
        tables.charge(subscription, status, months_ago=months_ago)
    tables.sql("UPDATE billing_keys SET status = 'dead'")
    again("key", "add", "another_customer_uid", "--pg", "payco")
    said = again("subscription", "key", subscription, "#2", "--yes").out
    assert "from now on; 3 charges, 29,700 KRW, are charged now." in said
    assert "next charge is due on" in said


def test_key_of_the_subscription_given_again_agrees_to_what_waits_for_consent(
    again: Again, subscription: str, tables: Tables
):
    charge = tables.charge(subscription, "due")
    tables.sql("UPDATE charges SET awaits_consent_since = now()")
    assert "waits for consent" in again("charge", "show", charge).said
    assert again("status", "--json").document["counts"]["waiting_for_consent"]["count"] == 1
    again("subscription", "key", subscription, "#1", "--yes")
    assert "next pump run" in again("charge", "show", charge).said
    assert "has billing key 1 already" in again("subscription", "key", subscription, "#1", "--yes", code=1).said


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("99", "no billing key with id 99"), ("#1", "has billing key 1 already"), ("#2", "is dead"), ("#3", "no KRW")],
)
def test_unchargeable_key_is_refused_for_a_subscription(
    again: Again, subscription: str, tables: Tables, wanted, expected
):
    again("key", "add", "another_customer_uid", "--pg", "payco")
    again("key", "add", "a_third_customer_uid", "--pg", "paypal_v2")
    tables.sql("UPDATE billing_keys SET status = 'dead' WHERE id = 2")
    assert expected in again("subscription", "key", subscription, wanted, code=1).said
    assert [row.billing_key_id for row in tables.sql("SELECT billing_key_id FROM subscriptions")] == [1]


def test_ended_subscription_gets_no_key(again: Again, subscription: str):
    again("subscription", "cancel", subscription, "--at", "now")
    assert "for good" in again("subscription", "key", subscription, "1", code=1).said


# --- the end ---------------------------------------------------------------------------------------------------------


def test_canceling_voids_what_is_owed_and_leaves_what_is_settled_or_in_flight(
    again: Again, subscription: str, tables: Tables
):
    for months_ago, status in enumerate(["due", "charging", "past_due", "paid", "uncollectible"]):
        tables.charge(subscription, status, months_ago=months_ago)
    ended = again("subscription", "cancel", subscription, "--at", "now", "--reason", "moved away", "--json").document
    assert (ended["subscription"]["status"], ended["change"]["no_longer_owed"]) == ("canceled", 19800)
    assert [caution["en"] for caution in ended["change"]["cautions"]] != []  # one charge is in flight
    assert ended["subscription"]["next_charge_at"] is None
    assert tables.statuses("charges") == ["void", "charging", "void", "paid", "uncollectible"]
    reasons = {row.status_reason for row in tables.sql("SELECT status_reason FROM charges WHERE status = 'void'")}
    assert reasons == {"subscription canceled: moved away"}


@pytest.mark.parametrize("command", ["cancel", "pause", "resume"])
def test_a_canceled_subscription_is_over_for_good(again: Again, subscription: str, command):
    assert "is canceled" in again("subscription", "cancel", subscription, "--at", "now").out
    assert "for good" in again("subscription", command, subscription, code=1).said


@pytest.mark.parametrize("command", ["cancel", "pause", "resume"])
def test_unknown_subscription_cannot_change(again: Again, subscription: str, command):
    assert "There is no subscription" in again("subscription", command, "ZZZZZZZZZZZZZ", code=1).said


def test_changes_are_audited_with_actor_and_reason(again: Again, subscription: str):
    again("subscription", "pause", subscription, "--at", "now", "--reason", "holiday")
    again("subscription", "resume", subscription)
    again("subscription", "cancel", subscription, "--at", "now", "--reason", "moved away")
    audit = again("subscription", "show", subscription, "--json").document["audit"]
    assert [(row["to_status"], row["reason"]) for row in audit] == [
        ("active", "subscribed"),
        ("paused", "holiday"),
        ("active", "resumed by hand"),
        ("canceled", "moved away"),
    ]
    assert all(row["actor"].startswith("cli ") for row in audit)


def test_a_customer_written_in_another_unicode_form_is_not_subscribed_twice(
    again: Again, gold: str, key: int, tables: Tables
):
    again("subscribe", normalize("NFC", "홍길동"), "--plan", gold, "--key", key)
    ended = again("subscribe", normalize("NFD", "홍길동"), "--plan", gold, "--allow-duplicates", code=1)
    assert "has a running subscription to plan 'gold' already" in ended.said
    assert tables.count("subscriptions") == 1


@pytest.mark.parametrize("reference", ["GILDONG", "ｇｉｌｄｏｎｇ"])
def test_a_look_alike_of_a_customer_is_not_subscribed_unless_allowed(
    again: Again, gold: str, subscription: str, tables: Tables, reference
):
    assert f"The customer of {subscription} has" in again("subscribe", reference, "--plan", gold, code=1).said
    again("subscribe", reference, "--plan", gold, "--allow-duplicates")
    assert tables.count("subscriptions") == 2


def test_a_key_pays_for_a_plan_once_unless_allowed(
    again: Again, gold: str, key: int, subscription: str, tables: Tables
):
    ended = again("subscribe", "yeonghui", "--plan", gold, "--key", key, code=1)
    assert f"pays for the same plan already, for subscription {subscription}" in ended.said
    assert tables.count("subscriptions") == 1
    again("subscribe", "yeonghui", "--plan", gold, "--key", key, "--allow-duplicates")
    assert tables.count("subscriptions") == 2


@pytest.mark.parametrize("pending", [True, False])
def test_another_subscriptions_key_of_that_plan_is_not_given_unless_allowed(
    again: Again, gold: str, key: int, subscription: str, pending
):
    other = again("key", "add", "customer_uid_of_yeonghui", "--pg", "kakaopay", "--json").document["id"]
    given = () if pending else ("--key", other)
    code = again("subscribe", "yeonghui", "--plan", gold, *given, "--json").document["code"]
    ended = again("subscription", "key", code, key, code=1)
    assert f"pays for the same plan already, for subscription {subscription}" in ended.said
    shown = again("subscription", "show", code, "--json").document
    assert shown["key_id"] == (None if pending else other)
    assert again("subscription", "key", code, key, "--allow-duplicates", "--yes", "--json").document["key_id"] == key


def test_first_key_of_a_pending_subscription_says_what_is_charged_at_once(
    again: Again, gold: str, key: int, tables: Tables
):
    code = again("subscribe", "yeonghui", "--plan", gold, "--json").document["code"]
    unasked = again("subscription", "key", code, f"#{key}", code=1).said
    assert "1 charge, 9,900 KRW, would be charged to this billing key at once" in unasked
    assert tables.statuses("subscriptions") == ["pending"]
    assert "; 1 charge, 9,900 KRW, is charged now." in again("subscription", "key", code, f"#{key}", "--yes").out
    assert tables.sql("SELECT amount FROM charges WHERE next_attempt_at <= now()") == [(9900,)]
    assert tables.sql("SELECT due_now FROM consents") == [(9900,)]


@pytest.mark.parametrize("command", ["subscribe", "key"])
def test_a_bare_number_is_no_key_of_another_customer_unless_it_is_named_as_an_id(
    again: Again, gold: str, key: int, subscription: str, command
):
    again("plan", "add", "silver", "--name", "Silver", "--amount", 5000, "--cadence", "month")
    if command == "subscribe":
        words: tuple[object, ...] = ("subscribe", "yeonghui", "--plan", "silver", "--key")
    else:
        code = again("subscribe", "yeonghui", "--plan", "silver", "--json").document["code"]
        words = ("subscription", "key", "--yes", code)
    assert f"pays for {subscription}, of another customer" in again(*words, key, code=1).said
    assert again(*words, f"#{key}", "--json").document["key_id"] == key


def test_a_key_is_read_from_standard_input_where_ps_does_not_show_it(again: Again, gold: str, key: int):
    uid = "customer_uid_of_gildong\n"
    begun = again("subscribe", "gildong", "--plan", gold, "--key", "-", "--json", stdin=uid).document
    assert begun["key_id"] == key
    again("key", "add", "-", "--pg", "payco", stdin="another_customer_uid\n")
    changed = again(
        "subscription", "key", begun["code"], "-", "--yes", "--json", stdin="another_customer_uid\n"
    ).document
    assert changed["key_id"] != key
