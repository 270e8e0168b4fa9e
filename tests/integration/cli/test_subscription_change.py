"""`again subscription change`, `move-renewal` and `trial`: previewed, asked for, scheduled or done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.integration.cli.conftest import Again, Tables

SEOUL = ZoneInfo("Asia/Seoul")


@pytest.fixture
def silver(again: Again) -> str:
    """A plan for twice as much as gold."""
    again("plan", "add", "silver", "--name", "실버", "--amount", 19800, "--cadence", "month")
    return "silver"


@pytest.fixture
def paid(tables: Tables, subscription: str) -> str:
    """A running subscription that is paid from ten days ago, for thirty days."""
    start = tables.now - timedelta(days=10)
    end = start + timedelta(days=30)
    tables.charge(subscription, "paid", period_start=start, period_end=end)
    tables.sql(
        """UPDATE subscriptions SET next_charge_at = :end, current_period_start = :start, current_period_end = :end,
                                    anchor_on = :anchor_on""",
        start=start,
        end=end,
        anchor_on=start.astimezone(SEOUL).date(),
    )
    return subscription


def test_dry_run_says_what_an_upgrade_comes_to_and_changes_nothing(
    again: Again, tables: Tables, paid: str, silver: str
):
    before = tables.everything()
    shown = again("subscription", "change", paid, "--plan", silver, "--at", "now", "--dry-run")
    assert "13,200 KRW for 20 of 30 days, less 6,600 KRW" in shown.said
    assert "6,600 KRW are charged now" in shown.said
    assert shown.said.count("19,800 KRW") >= 3  # each of the next periods
    assert tables.everything() == before


def test_upgrade_now_asks_before_it_charges(again: Again, tables: Tables, paid: str, silver: str):
    asked = ("subscription", "change", paid, "--plan", silver, "--at", "now", "--reason", "by mail")
    assert "Money would move, and there is no terminal to ask on; give --yes." in again(*asked, code=1).said
    assert tables.count("charges") == 1
    document = again(*asked, "--yes", "--json").document
    assert (document["change"]["status"], document["change"]["charged"]) == ("applied", 6600)
    assert document["subscription"]["plan"] == silver
    assert [tuple(row) for row in tables.sql("SELECT amount, status FROM charges ORDER BY period_start")] == [
        (9900, "paid"),
        (6600, "due"),
    ]


def test_change_at_the_period_end_is_scheduled_and_undone(again: Again, tables: Tables, paid: str, silver: str):
    said = again("subscription", "change", paid, "--plan", silver, "--quantity", 2).said
    assert "is to plan silver in quantity 2" in said
    assert "undoes it" in said
    (row,) = tables.sql("SELECT id, kind, status, parameters FROM changes")
    assert (row.kind, row.status, row.parameters) == ("change_plan", "scheduled", {"plan": silver, "quantity": 2})
    again("change", "undo", row.id)
    assert tables.statuses("changes") == ["undone"]


def test_next_renewal_is_moved_later_without_a_charge(again: Again, tables: Tables, paid: str):
    on = (datetime.now(UTC) + timedelta(days=40)).astimezone(SEOUL).date()
    document = again("subscription", "move-renewal", paid, "--on", on, "--json").document
    assert (document["change"]["status"], document["change"]["charged"]) == ("applied", 0)
    (row,) = tables.sql("SELECT period_end, next_charge_at, anchor_on FROM charges, subscriptions")
    assert (row.period_end, row.anchor_on) == (row.next_charge_at, on)


def test_trial_is_extended_and_then_ended_with_its_first_charge(again: Again, tables: Tables, subscription: str):
    tables.sql(
        "UPDATE subscriptions SET status = 'paused', paused_next_charge_at = next_charge_at, next_charge_at = NULL"
    )
    tables.sql(
        "UPDATE subscriptions SET status = 'trialing', next_charge_at = paused_next_charge_at, "
        "paused_next_charge_at = NULL"
    )
    until = (datetime.now(UTC) + timedelta(days=20)).astimezone(SEOUL).date()
    again("subscription", "trial", subscription, "--until", until)
    assert [row.anchor_on for row in tables.sql("SELECT anchor_on FROM subscriptions")] == [until]
    ended = again("subscription", "trial", subscription, "--end-now", "--yes", "--json").document
    assert (ended["change"]["charged"], ended["subscription"]["status"]) == (9900, "trialing")
    assert tables.statuses("charges") == ["due"]


REFUSED = {
    "no change at all": (["change"], "Nothing would change"),
    "a quantity of none": (["change", "--quantity", "0"], "from 1 to 1,000,000"),
    "an unknown plan": (["change", "--plan", "none-such"], "There is no plan 'none-such'"),
    "a time that is none": (["change", "--quantity", "2", "--at", "soon"], "now, period-end or a date"),
    "a renewal on no day": (["move-renewal", "--on", "tomorrow"], "must be a date such as 2027-03-01"),
    "no trial": (["trial", "--end-now"], "so it has no trial"),
    "no end of a trial": (["trial"], "Give either the day"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_wrong_command_is_refused_in_one_sentence(what: str, again: Again, tables: Tables, subscription: str):
    (command, *arguments), says = REFUSED[what]
    before = tables.everything()
    assert says in again("subscription", command, subscription, *arguments, code=1).said
    assert tables.everything() == before


def test_unknown_subscription_is_refused(again: Again):
    assert "There is no subscription" in again("subscription", "change", "7ZK3M9QX2VB4C", "--quantity", 2, code=1).said
