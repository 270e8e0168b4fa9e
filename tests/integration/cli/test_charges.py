"""`again charge`: what is owed, and why it waits."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.integration.cli.conftest import Again, Tables


def test_charges_are_listed_by_status_and_subscription(again: Again, subscription: str, tables: Tables, key: int):
    other = again("subscribe", "cheolsu", "--plan", "gold", "--key", key, "--allow-duplicates", "--json").document[
        "code"
    ]
    paid = tables.charge(subscription, "paid", months_ago=1)
    due = tables.charge(subscription)
    void = tables.charge(other, "void")

    def ids(*options: str) -> list[int]:
        return [row["id"] for row in again("charge", "list", *options, "--json").document]

    assert ids() == [void, due, paid]
    assert ids("--limit", "1") == [void]
    assert ids("--status", "paid") == [paid]
    assert ids("--status", "void") == [void]
    assert ids("--subscription", subscription.lower()) == [due, paid]
    assert "9,900 KRW" in again("charge", "list").out
    again("charge", "list", "--status", "overdue", code=2)
    again("charge", "list", "--limit", "0", code=2)


def test_refund_is_shown_wherever_its_charge_is(again: Again, subscription: str, tables: Tables):
    charge = tables.charge(subscription, "paid", refunded=3000)
    assert "3,000 KRW" in again("charge", "list").out
    assert [row["refunded"] for row in again("charge", "list", "--json").document] == [3000]
    shown = again("charge", "show", charge).said
    assert "3,000 of 9,900 KRW of it was refunded; nothing more happens" in shown
    assert again("charge", "show", charge, "--json").document["refunded"] == 3000
    tables.discrepancy("m1", "repaired")
    tables.sql("UPDATE discrepancies SET charge_id = :id", id=charge)
    assert [row["refunded"] for row in again("review", "list", "--all", "--json").document] == [3000]


def test_a_list_names_the_zones_of_its_clocks(again: Again, subscription: str, tables: Tables):
    tables.charge(subscription, "past_due", next_attempt_at=tables.now + timedelta(days=1))
    tables.charge(subscription, "paid", months_ago=1)
    listed = again("charge", "list").out.splitlines()[1:]
    assert len(listed) == 2
    for line in listed:
        assert re.search(r"\d{2}:\d{2} KST$", line.rstrip()), line


def test_a_charge_shows_every_attempt_and_what_comes_next(again: Again, subscription: str, tables: Tables):
    charge = tables.charge(subscription, "past_due", next_attempt_at=tables.now + timedelta(days=1))
    said = {"code": "-1", "message": "[CC61] 한도초과", "status_reason": "soft: -1 [CC61] 한도초과"}
    merchant_uid = tables.attempt(charge, "declined", **said)
    tables.attempt(charge, "not_charged", number=2, sends=2)
    document = again("charge", "show", charge, "--json").document
    assert [row["number"] for row in document["attempts"]] == [1, 2]
    assert document["attempts"][0]["merchant_uid"] == merchant_uid
    assert "Attempt 2 ended not_charged (not_charged); it is charged again on" in document["next"]
    shown = again("charge", "show", charge).said
    for part in (merchant_uid, "한도초과", "sent 2 times", "gildong", document["next"]):
        assert part in shown


def test_paid_attempt_shows_the_receipt_that_the_pg_has_made(again: Again, subscription: str, tables: Tables):
    charge = tables.charge(subscription, "paid", paid_at=tables.now)
    tables.attempt(charge, "paid", raw='{"status": "paid", "receipt_url": "https://pg.example.com/receipt?1"}')
    shown = again("charge", "show", charge, "--json").document
    assert [row["receipt_url"] for row in shown["attempts"]] == ["https://pg.example.com/receipt?1"]
    assert "https://pg.example.com/receipt?1" in again("charge", "show", charge).said


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"http_status": 200, "code": "0", "raw": '{"status": "paid"}'}, "PortOne said  HTTP 200: 0 paid"),
        ({"http_status": 200, "code": "paid", "raw": '{"status": "paid"}'}, "PortOne said  HTTP 200: paid"),
        ({"http_status": 201, "code": "0", "message": "odd"}, "PortOne said  HTTP 201: 0 odd"),
        ({"http_status": 502}, "PortOne said  HTTP 502: nothing"),
        ({"message": "ReadTimeout"}, "no answer     ReadTimeout"),
    ],
)
def test_an_attempt_shows_one_answer_and_whether_there_was_one(
    again: Again, subscription: str, tables: Tables, answer: dict[str, object], shown: str
):
    charge = tables.charge(subscription, "charging")
    tables.attempt(charge, "unknown", **answer)
    lines = [line.strip() for line in again("charge", "show", charge).out.splitlines()]
    assert shown in lines


def test_a_charge_is_found_by_the_merchant_uid_of_an_attempt(again: Again, subscription: str, tables: Tables):
    charge = tables.charge(subscription, "paid")
    merchant_uid = tables.attempt(charge, "paid")
    assert again("charge", "show", merchant_uid, "--json").document["id"] == charge


@pytest.mark.parametrize("charge", ["999", "again0000000001", str(10**30), "9" * 5000, "②"])
def test_unknown_charge_is_refused(refused: Again, charge):
    assert "There is no charge" in refused("charge", "show", charge).said


DIFFERENCE = """
    INSERT INTO discrepancies (kind, status, status_at, merchant_uid, charge_id, evidence, found_at, seen_at)
    SELECT 'other_amount', '{status}', now(), 'm', id, '{{}}', now(), now() FROM charges
"""


# What a claim would look at is what the sentence speaks of; each row is one reason to wait, made in the database.
@pytest.mark.parametrize(
    ("obstacle", "expected"),
    [
        ("SELECT 1", "It is due; the next pump run charges it."),
        (
            "UPDATE subscriptions SET status = 'paused', paused_next_charge_at = next_charge_at, next_charge_at = NULL",
            "Its subscription is paused",
        ),
        ("UPDATE subscriptions SET billing_key_id = NULL", "Its subscription has no billing key"),
        ("UPDATE billing_keys SET status = 'dead'", "Its billing key is dead"),
        ("INSERT INTO stops VALUES ('all', 'fire', 'me', now())", "Charging is stopped (all: fire, by me)"),
        ("INSERT INTO stops VALUES ('kakaopay', 'fire', 'me', now())", "`again start kakaopay`"),
        ("INSERT INTO stops VALUES ('payco', 'fire', 'me', now())", "the next pump run charges it"),  # another PG
        ("UPDATE charges SET next_attempt_at = now() + interval '1 day'", "It is charged on"),
        (DIFFERENCE.format(status="open"), "It waits for a decision: see `again review show 1`."),
        (DIFFERENCE.format(status="resolved"), "the next pump run charges it"),
    ],
)
def test_a_charge_says_why_it_waits(again: Again, subscription: str, tables: Tables, obstacle, expected):
    charge = tables.charge(subscription)
    tables.sql(obstacle)
    assert expected in again("charge", "show", charge).said


def test_the_older_of_two_charges_goes_first(again: Again, subscription: str, tables: Tables):
    older, newer = (tables.charge(subscription, months_ago=months) for months in (1, 0))
    assert f"waits until charge {older}" in again("charge", "show", newer).said
    assert "next pump run" in again("charge", "show", older).said


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        ({"status": "started"}, "Attempt 1 is under way since"),
        ({"status": "started", "lease_until_in": -1}, "was given up by its worker"),
        ({"status": "unknown"}, "is unknown (timeout); PortOne is asked again on"),
        (
            {"status": "unknown", "next_lookup_at": None, "flag_reason": "other_payment"},
            "has to be decided by an operator",
        ),
    ],
)
def test_a_charge_in_flight_says_what_is_awaited(again: Again, subscription: str, tables: Tables, attempt, expected):
    charge = tables.charge(subscription, "charging")
    columns = dict(attempt)
    if "lease_until_in" in columns:
        columns["lease_until"] = tables.now + timedelta(minutes=columns.pop("lease_until_in"))
    if columns.get("flag_reason"):
        columns["flagged_at"] = tables.now
    tables.attempt(charge, **columns)
    assert expected in again("charge", "show", charge).said


@pytest.mark.parametrize("paid_at", ["9999-12-31 23:59+00", "0001-01-01 00:00+00", "1970-01-01 00:00:01+00"])
def test_a_charge_paid_at_any_time_is_listed_and_shown(again: Again, subscription: str, tables: Tables, paid_at):
    charge = tables.charge(subscription, "paid")
    tables.attempt(charge, "paid")
    tables.sql(  # as an older version could have written it: the guards of today refuse to change it
        f"SET LOCAL session_replication_role = replica; UPDATE charges SET paid_at = '{paid_at}'; "
        f"UPDATE attempts SET settled_at = '{paid_at}'"
    )
    assert subscription in again("charge", "list").said
    assert "paid" in again("charge", "show", charge).said
    assert "paid" in again("subscription", "show", subscription).said
    again("status")
    for command in (("charge", "list"), ("charge", "show", charge), ("subscription", "show", subscription)):
        assert again(*command, "--json").document
