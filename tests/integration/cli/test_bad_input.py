"""Acts that are asked for wrongly: one sentence says what, why and what to do, and nothing is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Again, Tables

TABLES = ("subscriptions", "charges", "changes", "adjustments", "bulk_runs", "plan_prices", "consents", "audit")


def state(tables: Tables) -> list[list[str]]:
    return [[str(tuple(row)) for row in tables.sql(f"SELECT * FROM {name} ORDER BY 1")] for name in TABLES]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("credit", "--amount", "2.5"), "The amount is '2.5' but must be a whole number of won from 1"),
        (("add-item", "--amount", 5, "--tax-free", 6, "--name", "x"), "The tax-free part is '6' but must be"),
        (("discount", "--percent", 5, "--periods", 0), "The number of periods is '0' but must be"),
        (("discount", "--amount", 9901), "is above the price of subscription"),
        (("discount", "--remove", "-1"), "'-1' is no id of what could be removed; `again subscription show` lists"),
        (("add-item", "--remove", "９"), "'９' is no id of what could be removed"),
        (("move-renewal", "--on", "soon"), "The day given as on is 'soon' but must be a date such as 2027-03-01"),
        (("cancel", "--comment", "x" * 4001), "The comment has 4,001 characters; shorten it to 4,000 at most"),
        (("cancel", "--at", "2020-01-01"), "is in the past or more than ten years ahead; give a date from"),
    ],
)
def test_wrong_act_is_refused_and_changes_nothing(
    again: Again, subscription: str, tables: Tables, arguments: tuple[object, ...], expected: str
):
    act, *options = arguments
    before = state(tables)
    assert expected in again("subscription", act, subscription, *options, code=1).said
    assert state(tables) == before


@pytest.mark.parametrize("named", ["", "2.5", "-1", "abc"])
def test_what_is_no_id_of_a_change_is_quoted(again: Again, named: str):
    said = again("change", "show", "--", named, code=1).said
    assert f"There is no change {named!r}. `again change list` shows those there are." in said


def test_resuming_before_a_planned_pause_says_how_to_undo_it(again: Again, subscription: str):
    again("subscription", "pause", subscription)
    said = again("subscription", "resume", subscription, code=1).said
    assert "there is nothing to resume yet. Change 1 pauses it on" in said
    assert "`again change undo 1` undoes that" in said


def test_move_of_a_list_with_another_code_is_refused(again: Again, subscription: str, tables: Tables, tmp_path: Path):
    again("plan", "price", "gold", "--amount", 12_900)
    listed = tmp_path / "listed.txt"
    listed.write_text(f"{subscription}\nAAAAAAAAAAAAA\n", "utf-8")
    before = state(tables)
    said = again("plan", "move", "gold", "--to", 2, "--list", listed, "--yes", code=1).said
    assert "1 of the 2 codes are of no subscription to plan 'gold', such as 'AAAAAAAAAAAAA'" in said
    assert state(tables) == before


def test_what_moves_and_touches_no_row_asks_for_nothing(again: Again, subscription: str, tables: Tables):
    before = state(tables)
    said = again("plan", "move", "gold", "--to", 1, "--signed-up-before", "2020-01-01").said
    assert "No subscription of the plan is meant by that: nothing to do." in said
    assert "1 not moved: it has version 1 of the price already." in again("plan", "move", "gold", "--to", 1).said
    assert "There is no row to work on" in again("bulk", "run", "cancel", "--plan", "gold", "--status", "paused").said
    assert state(tables) == before


def test_charge_of_a_planned_change_is_dated(again: Again, subscription: str):
    again("plan", "add", "yearly", "--name", "Yearly", "--amount", 99_000, "--cadence", "year")
    on = datetime.now(UTC).date() + timedelta(days=50)
    said = again("subscription", "change", subscription, "--plan", "yearly", "--at", on, "--dry-run").said
    assert f" KRW are charged on {on}." in said


def test_last_day_of_a_code_is_the_one_that_was_given(again: Again):
    last = datetime.now(UTC).date() + timedelta(days=50)
    again("discount", "add", "spring", "--percent", 10, "--ends-on", last)
    assert f"last day {last}" in again("discount", "show", "spring").said
    assert str(last) in again("discount", "list").said
