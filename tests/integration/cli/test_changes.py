"""`again change`, and what all commands that act have in common."""

from __future__ import annotations

import pytest

from tests.integration.cli.conftest import Again, Tables


def test_dry_run_prints_what_a_change_comes_to_and_changes_nothing(again: Again, subscription: str, tables: Tables):
    tables.charge(subscription, "past_due")
    said = again("subscription", "cancel", subscription, "--at", "now", "--dry-run").out
    assert "9,900 KRW" in said
    assert "at once" in said
    assert tables.sql("SELECT id FROM changes") == []
    document = again("subscription", "pause", subscription, "--until", "2099-01-01", "--dry-run", code=1).said
    assert "ten years" in document


def test_dry_run_as_json_has_the_next_three_periods(again: Again, subscription: str):
    shown = again("subscription", "pause", subscription, "--dry-run", "--json").document
    assert (shown["kind"], shown["charged"], shown["next_periods"]) == ("pause", 0, [])
    shown = again("subscription", "resume", subscription, "--dry-run", code=1).said
    assert "nothing to resume" in shown


def test_scheduled_change_is_listed_shown_and_undone(again: Again, subscription: str):
    given = ("subscription", "cancel", subscription, "--reason", "moved away", "--comment", "이사 가요")
    change = again(*given, "--json").document["change"]
    assert change["status"] == "scheduled"
    listed = again("change", "list", "--status", "scheduled", "--json").document
    assert [(row["id"], row["kind"], row["subscription"]) for row in listed] == [(change["id"], "cancel", subscription)]
    shown = again("change", "show", change["id"]).out
    assert "moved away" in shown
    assert "이사 가요" in shown
    assert "will not take effect" in again("change", "undo", change["id"]).out
    assert again("change", "show", change["id"], "--json").document["status"] == "undone"
    assert "undone already" in again("change", "undo", change["id"], code=1).said


def test_command_repeated_under_one_key_answers_as_before(again: Again, subscription: str):
    given = ("subscription", "cancel", subscription, "--at", "now", "--idempotency-key", "ticket-7")
    first = again(*given, "--json").document["change"]
    second = again(*given, "--json").document["change"]
    assert (second["id"], second["repeated"], first["repeated"]) == (first["id"], True, False)
    assert "asked for before" in again(*given).said


@pytest.mark.parametrize("unknown", ["99", "x", "-1", "9" * 30])
def test_unknown_change_is_refused_with_what_to_do(again: Again, subscription: str, unknown: str):
    assert "There is no change" in again("change", "show", "--", unknown, code=1).said
    assert "There is no change" in again("change", "undo", "--", unknown, code=1).said


@pytest.mark.parametrize("at", ["yesterday", "2026-13-01", "2020-01-01", "2999-01-01", ""])
def test_impossible_time_is_refused_and_nothing_changes(again: Again, subscription: str, tables: Tables, at: str):
    again("subscription", "cancel", subscription, "--at", at, code=1)
    assert tables.sql("SELECT id FROM changes") == []


def test_subscription_to_be_canceled_shows_no_further_period_and_what_will_happen(again: Again, subscription: str):
    before = again("subscription", "show", subscription, "--json").document
    assert len(before["upcoming"]) == 3
    again("subscription", "cancel", subscription)
    shown = again("subscription", "show", subscription, "--json").document
    assert shown["upcoming"] == []
    assert [(change["kind"], change["status"]) for change in shown["changes"]] == [("cancel", "scheduled")]
    assert "is not charged any more" in again("subscription", "show", subscription).out
