"""`again plan`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.integration.cli.conftest import Again, Tables


def test_a_plan_is_added_listed_and_shown(again: Again):
    terms = ("--amount", 33_000, "--cadence", "3 months", "--tax-free", 3000, "--vat-amount", 2500, "--trial-days", 14)
    more = ("--time-zone", "Asia/Tokyo", "--charge-hour", 8, "--catch-up", "latest", "--dunning", "2,4")
    added = again("plan", "add", "silver", "--name", "실버", *terms, *more, "--json").document
    assert again("plan", "list", "--json").document == [
        {
            "code": "silver",
            "name": "실버",
            "amount": 33_000,
            "tax_free": 3000,
            "vat_amount": 2500,
            "currency": "KRW",
            "cadence": "3 months",
            "time_zone": "Asia/Tokyo",
            "charge_hour": 8,
            "trial_days": 14,
            "catch_up": "latest",
            "dunning": "2,4",
            "max_open_charges": 3,
        }
    ]
    shown = again("plan", "show", "silver", "--json").document
    assert {**shown, "next_charges": []} == {**added, "next_charges": []}
    assert "실버" in again("plan", "list").out
    assert "33,000 KRW" in again("plan", "show", "silver").out


def test_a_cron_plan_is_shown_without_a_charge_hour_which_it_has_no_use_for(again: Again):
    again("plan", "add", "last", "--name", "Last", "--amount", 1000, "--cadence", "cron 0 9 L * *")
    assert "cron 0 9 L * *, Asia/Seoul" in again("plan", "show", "last").out


def test_a_plan_shows_when_a_subscription_of_today_would_be_charged(again: Again):
    trial = ("--trial-days", 7, "--time-zone", "UTC", "--charge-hour", 23)
    again("plan", "add", "weekly", "--name", "Weekly", "--amount", 1000, "--cadence", "week", *trial)
    charges = [datetime.fromisoformat(at) for at in again("plan", "show", "weekly", "--json").document["next_charges"]]
    assert charges[0].date() - datetime.now(UTC).date() in {timedelta(days=7), timedelta(days=6)}  # over midnight
    assert {later - earlier for earlier, later in pairwise(charges)} == {timedelta(weeks=1)}


@pytest.mark.parametrize(("days", "warned"), [(30, False), (31, True)])
def test_trial_that_outlives_its_consent_is_warned_about_with_the_reason(again: Again, days: int, warned: bool):
    terms = ("--name", "Try", "--amount", 1000, "--cadence", "month", "--trial-days", days)
    reason = "E-Commerce Act 13(6)"
    assert (reason in again("plan", "add", "try", *terms).said) is warned
    assert (reason in str(again("plan", "show", "try", "--json").document["warnings"])) is warned
    (found,) = again("doctor", "trials", "--json").document
    assert (reason in found["finding"]) is warned


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("--amount", "0", "whole number of won from 100"),
        ("--amount", "-9900", "whole number of won from 100"),
        ("--amount", "9900.5", "without decimals"),
        ("--amount", "9,900", "without decimals or separators"),
        ("--amount", "99", "from 100"),  # less than a card PG takes
        ("--amount", "2000001", "AGAIN_MAX_AMOUNT"),
        ("--name", "골드 😀", "emoji"),
        ("--name", "x" * 41, "1 to 40 characters"),
        ("--cadence", "fortnight", "not a unit"),
        ("--cadence", "cron 61 9 1 * *", "minute"),
        ("--time-zone", "Asia/Seul", "IANA"),
        ("--charge-hour", "24", "0 to 23"),
        ("--trial-days", "-1", "from 0"),
        ("--catch-up", "some", "all, latest or skip"),
        ("--dunning", "3,1", "later than the one before"),
        ("--tax-free", "9901", "from 0 to the amount"),
    ],
)
def test_unbillable_plan_is_refused(refused: Again, field, value, expected):
    terms = {"--name": "Silver", "--amount": "9900", "--cadence": "month"} | {field: value}
    assert expected in refused("plan", "add", "silver", *[word for pair in terms.items() for word in pair]).said


def test_all_invalid_terms_of_a_plan_are_reported_at_once(refused: Again):
    said = refused("plan", "add", "GOLD", "--name", "", "--amount", "1e4", "--cadence", "moon").said
    assert "4 problems" in said


def test_a_plan_is_never_replaced(refused: Again):
    said = refused("plan", "add", "gold", "--name", "Other", "--amount", 1000, "--cadence", "day").said
    assert "exists already" in said
    assert refused("plan", "show", "gold", "--json", code=0).document["amount"] == 9900


def test_unknown_plan_is_refused_with_the_known_ones(refused: Again):
    assert "exist: dear, gold" in refused("plan", "show", "platinum").said


@pytest.mark.parametrize(
    ("broken", "says"),
    [("time_zone = 'Mars/Olympus'", "Mars/Olympus"), ("cadence = 'now and then'", ""), ("dunning = 'soon'", "")],
)
def test_unreadable_plan_is_listed_with_its_problem(again: Again, tables: Tables, broken: str, says: str):
    for code in ("gold", "silver"):
        again("plan", "add", code, "--name", code, "--amount", 9900, "--cadence", "month")
    again("key", "add", "customer_uid_of_gildong", "--pg", "payco")
    again("subscribe", "gildong", "--plan", "gold", "--key", 1)
    tables.sql(f"UPDATE plans SET {broken} WHERE code = 'gold'")
    gold, silver = again("plan", "list", "--json").document
    assert (gold["code"], says in gold["problem"]) == ("gold", True)
    assert (silver["code"], "problem" in silver) == ("silver", False)
    said = again("plan", "list").said
    assert "plan gold cannot be read here, so nothing of it is charged" in said
    assert "silver" in said
    assert "cannot be read here" in again("plan", "show", "gold", code=1).said
    assert "gildong" in again("subscription", "list").said
    again("charge", "list")
    again("status")
