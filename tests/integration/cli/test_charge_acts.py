"""`again charge collect`, `postpone`, `void`, `write-off` and `paid-elsewhere`, as an operator types them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.cli.conftest import Again, Tables


@pytest.fixture
def charge(tables: Tables, subscription: str) -> int:
    """The id of a charge that was declined, and waits for its dunning day."""
    tables.sql("UPDATE subscriptions SET status = 'past_due', next_charge_at = :at", at=tables.now + timedelta(days=20))
    return tables.charge(subscription, "past_due", next_attempt_at=tables.now + timedelta(days=2))


def row(tables: Tables, charge: int) -> Any:
    return tables.sql("SELECT * FROM charges WHERE id = :id", id=charge)[0]


def test_dry_run_of_each_act_says_what_it_comes_to_and_changes_nothing(again: Again, tables: Tables, charge: int):
    later = str((tables.now + timedelta(days=9)).date())
    before = row(tables, charge)
    for words, said in {
        ("collect",): "is charged on",
        ("postpone", "--until", later): f"is charged on {later}, and not before",
        ("void",): "becomes void",
        ("write-off",): "is given up",
        ("paid-elsewhere", "--reference", "KB 7"): "counts as paid elsewhere (KB 7)",
    }.items():
        shown = again("charge", words[0], charge, *words[1:], "--dry-run").said
        assert f"Charge {charge}, 9,900 KRW" in shown
        assert said in shown
        assert row(tables, charge) == before
    assert tables.count("changes") == 0


def test_collecting_asks_before_money_moves(again: Again, tables: Tables, charge: int):
    assert "Money would move" in again("charge", "collect", charge, code=1).said
    assert row(tables, charge).next_attempt_at > tables.now
    done = again("charge", "collect", charge, "--yes", "--reason", "called", "--json").document
    assert (done["change"]["status"], done["change"]["charged"]) == ("applied", 9900)
    assert row(tables, charge).next_attempt_at <= tables.now + timedelta(minutes=5)
    assert "It is due" in again("charge", "show", charge).said


def test_charge_that_is_paid_elsewhere_is_shown_so_everywhere(again: Again, tables: Tables, charge: int):
    again("charge", "paid-elsewhere", charge, "--reference", "KB 2026-77")
    assert "It was paid elsewhere (KB 2026-77) on" in again("charge", "show", charge).said
    assert again("charge", "show", charge, "--json").document["paid_elsewhere"] == "KB 2026-77"
    assert "paid elsewhere" in again("charge", "list").out
    document = again("status", "--json").document["paid_today"]
    assert [document[name] for name in ("count", "amount", "count_elsewhere", "amount_elsewhere")] == [0, 0, 1, 9900]
    assert "not through PortOne" in again("status").said


def test_written_off_charge_says_who_may_still_do_what(again: Again, tables: Tables, charge: int):
    again("charge", "write-off", charge, "--reason", "moved abroad")
    shown = again("charge", "show", charge).said
    assert "It was written off on" in shown
    assert "moved abroad" in shown
    assert f"`again charge collect {charge}`" in shown
    assert "given up already" in again("charge", "write-off", charge, code=1).said
    again("charge", "void", charge, "--reason", "forgiven")
    assert row(tables, charge).status == "void"


def test_act_on_a_date_can_be_undone_until_then(again: Again, tables: Tables, charge: int):
    later = str((tables.now + timedelta(days=9)).date())
    scheduled = again("charge", "void", charge, "--at", later, "--json").document["change"]
    assert scheduled["status"] == "scheduled"
    again("change", "undo", scheduled["id"])
    assert row(tables, charge).status == "past_due"


def test_wrong_charge_date_or_command_line_is_refused_in_one_sentence(again: Again, tables: Tables, charge: int):
    before = row(tables, charge)
    assert "There is no charge 99999" in again("charge", "void", 99999, code=1).said
    assert "in the past" in again("charge", "void", charge, "--at", "2020-01-01", code=1).said
    assert "ten years" in again("charge", "postpone", charge, "--until", "2999-01-01", code=1).said
    assert "must be a date" in again("charge", "postpone", charge, "--until", "someday", code=1).said
    again("charge", "postpone", charge, code=2)
    again("charge", "paid-elsewhere", charge, code=2)
    again("charge", "void", "abc", code=2)
    assert row(tables, charge) == before
