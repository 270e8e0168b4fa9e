"""`again plan`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.integration.cli.conftest import Again, Tables


def test_a_plan_is_added_listed_and_shown(again: Again):
    terms = ("--amount", 33_000, "--cadence", "3 months", "--tax-free", 3000, "--vat-amount", 2500, "--trial-days", 14)
    more = ("--time-zone", "Asia/Tokyo", "--charge-hour", 8, "--catch-up", "latest", "--dunning", "2,4")
    end = ("--dunning-end", "pause", "--dunning-end-charges", "void", "--key-deadline-days", 7, "--grace-days", 3)
    added = again(
        "plan",
        "add",
        "silver",
        "--name",
        "실버",
        *terms,
        *more,
        *end,
        "--arrears",
        "newest 2",
        "--notices",
        "paid, trial 7",
        "--json",
    ).document
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
            "dunning_end": "pause",
            "dunning_end_charges": "void",
            "key_deadline_days": 7,
            "grace_days": 3,
            "arrears": "newest 2",
            "notices": "trial 7, paid",
            "gate": None,
        }
    ]
    shown = again("plan", "show", "silver", "--json").document
    assert {**shown, "next_charges": []} == {**added, "next_charges": []}
    assert "실버" in again("plan", "list").out
    listed = again("plan", "list").said
    for said in ("THEN", "pause, void, key 7 days", "3 days", "newest 2"):
        assert said in listed
    shown_text = again("plan", "show", "silver").said
    for said in (
        "33,000 KRW",
        "is paused when its calendar is spent, or 7 days after its key died; what is unpaid becomes void",
        "7 days for a dead key to be replaced",
        "3 days of access beyond what is paid",
        "newest 2 of what is unpaid; the rest becomes void",
    ):
        assert said in shown_text


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
        ("--dunning-end", "delete", "leave, cancel or pause"),
        ("--dunning-end-charges", "paid", "uncollectible or void"),
        ("--key-deadline-days", "0", "from 1 to 365"),
        ("--grace-days", "-1", "from 0 to 365"),
        ("--arrears", "newest 0", "newest N"),
        ("--arrears", "newest 1001", "from 1 to 1000"),
        ("--arrears", "some", "newest N"),
        ("--notices", "renewal", "renewal needs its days ahead"),
        ("--notices", "sms 3", "there is no notice 'sms'"),
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


def test_terms_of_the_end_of_dunning_are_changed_and_audited(again: Again):
    again("plan", "add", "gold", "--name", "Gold", "--amount", 9900, "--cadence", "month", "--arrears", "newest 1")
    changed = again("plan", "set", "gold", "--dunning-end", "cancel", "--grace-days", 3, "--reason", "dues", "--json")
    shown = again("plan", "show", "gold", "--json").document
    assert {name: shown[name] for name in ("amount", "dunning_end", "grace_days", "arrears", "key_deadline_days")} == {
        "amount": 9900,
        "dunning_end": "cancel",
        "grace_days": 3,
        "arrears": "newest 1",
        "key_deadline_days": None,
    }
    assert changed.document["dunning_end"] == "cancel"
    assert "canceled when its calendar is spent" in again("plan", "show", "gold").out
    (row, *_) = again("audit", "--json").document
    assert (row["entity"], row["to_status"]) == ("plan", "changed")
    assert row["reason"] == "dues; dunning_end: leave to cancel, grace_days: 0 to 3"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "nothing is to be changed"),
        (("--dunning-end", "delete"), "leave, cancel or pause"),
        (("--arrears", "newest -1"), "newest N"),
        (("--grace-days", "1.5"), "from 0 to 365"),
    ],
)
def test_wrong_terms_are_refused_and_change_nothing(refused: Again, options: tuple[str, ...], says: str):
    before = refused("plan", "show", "gold", "--json", code=0).document
    code = 2 if not options else 1
    assert says in refused("plan", "set", "gold", *options, code=code).said
    after = refused("plan", "show", "gold", "--json", code=0).document
    assert {**before, "next_charges": []} == {**after, "next_charges": []}


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


@pytest.mark.parametrize(
    ("terms", "mode", "warned"),
    [
        ((), "warn", False),
        ((), "strict", True),
        (("--gate", "strict"), "warn", True),
        (("--gate", "off"), "strict", False),
        (("--notices", "trial 7"), "strict", False),
        (("--notices", "trial 6"), "strict", True),
    ],
)
def test_trial_whose_end_is_told_too_late_is_warned_about_under_strict(
    again: Again, terms: tuple[str, ...], mode: str, warned: bool
):
    given = ("--name", "Try", "--amount", 1000, "--cadence", "month", "--trial-days", 14, *terms)
    said = again("plan", "add", "try", *given, again_consent_gate=mode).said
    assert ("without a message 7 days before it ends: try (14 days)" in said) is warned
    doctor = again("doctor", "trials", again_consent_gate=mode).said
    assert ("holds the first charge of each" in doctor) is warned


def test_mode_of_the_gate_that_there_is_not_is_refused_with_those_there_are(again: Again):
    given = ("--name", "Try", "--amount", 1000, "--cadence", "month", "--gate", "loose")
    assert "must be strict, warn or off, or none" in again("plan", "add", "try", *given, code=1).said
    said = again("plan", "list", code=3, again_consent_gate="loose").said
    assert "AGAIN_CONSENT_GATE" in said
    assert "'strict', 'warn' or 'off'" in said


def test_plans_own_mode_of_the_gate_is_set_shown_and_left_again(again: Again):
    again("plan", "add", "try", "--name", "Try", "--amount", 1000, "--cadence", "month")
    assert "as the setting AGAIN_CONSENT_GATE says" in again("plan", "show", "try").said
    assert again("plan", "set", "try", "--gate", "strict", "--json").document["gate"] == "strict"
    assert "consent gate strict" in again("plan", "show", "try").said
    assert again("plan", "set", "try", "--gate", "none", "--json").document["gate"] is None
