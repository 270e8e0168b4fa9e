"""`again dunning explain`: each date on which a declined charge is tried again, and why it is that one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Again, Tables

PAGE = (Path(__file__).parents[3] / "docs" / "dunning.md").read_text("utf-8")
LETTER = ("plan", "add", "letter", "--name", "아침 편지", "--amount", 9900, "--cadence", "month")


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_page_on_dunning_shows_what_its_commands_print(again: Again):
    sessions = re.findall(
        r"^\$ again (plan add .+|dunning explain --plan .+)$\n((?:(?!\$|```).*\n)*)", PAGE, re.MULTILINE
    )
    assert [command.split()[0] for command, _ in sessions].count("dunning") == 2
    for command, shown in sessions:
        printed = again(*[quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', command)], columns="160")
        if shown:
            assert lines(printed.out) == lines(shown)


def test_tries_of_a_plan_are_told_as_a_document(again: Again):
    again(*LETTER, "--dunning", "1,3; no weekends; no holidays")
    asked = ("dunning", "explain", "--plan", "letter", "--declined-at", "2026-02-13T10:00", "--json")
    told = again(*asked).document
    assert [each["at"] for each in told["tries"]] == ["2026-02-19T01:00:00Z", "2026-02-20T01:00:00Z", None]
    assert [step["why"] for step in told["tries"][0]["steps"]] == ["day", "weekend", "holiday"]
    other = again(*asked, "--dunning", "2 at 18-21; balance payday", "--kind", "balance").document
    assert [each["at"] for each in other["tries"]] == ["2026-02-25T09:00:00Z", None]


def test_charge_on_its_calendar_is_told_its_next_try_and_those_after_it(again: Again, tables: Tables, key: str):
    again(*LETTER, "--dunning", "1,3,5; no weekends")
    code = again("subscribe", "gildong", "--plan", "letter", "--key", key, "--json").document["code"]
    charge = tables.charge(code, "past_due")
    said = again("dunning", "explain", charge).said
    assert f"Charge {charge}, plan letter, 1,3,5; no weekends" in said
    assert "Its next try is not by its calendar; should it be declined, the calendar's follow." in said
    assert "no further day: the charge is given up" in said
    paid = tables.charge(code, "void", months_ago=1)
    assert "It is void; it has no further try." in again("dunning", "explain", paid).said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give a charge's id, or --plan and --declined-at"),
        ((1, "--plan", "gold", "--declined-at", "2026-01-01"), 2, "give a charge's id, or --plan and"),
        (("--plan", "gold"), 2, "give a charge's id, or --plan and --declined-at"),
        (("--plan", "gold", "--declined-at", "yesterday"), 2, "is no time such as 2026-02-13T10:00"),
        (("--plan", "gold", "--declined-at", "2026-01-01", "--kind", "hard"), 2, "none of balance, limit, unmatched"),
        (("--plan", "gold", "--declined-at", "2026-01-01", "--dunning", "3,1"), 1, "later than the one before"),
        (("--plan", "iron", "--declined-at", "2026-01-01"), 1, "There is no plan 'iron'"),
        ((9999,), 1, "There is no charge with the id '9999'"),
    ],
)
@pytest.mark.usefixtures("gold")
def test_what_cannot_be_explained_is_refused_with_what_to_give(again: Again, arguments, code, said):
    assert said in again("dunning", "explain", *arguments, code=code).said
