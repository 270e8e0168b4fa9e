"""`again simulate` refuses what it cannot simulate before anything is started. What it plays is tested elsewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Again

PAGE = (Path(__file__).parents[3] / "docs" / "simulate.md").read_text()
EXAMPLES = re.findall(r"^again (simulate .*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_of_the_page_is_understood(again_without_database: Again, example: str):
    said = again_without_database(*shlex.split(example), "--start", "never", code=1).err
    assert "--start is 'never' but must be a month such as 2027-01, of a year" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--start", "2027-13"), "--start is '2027-13' but must be a month"),
        (("--start", "2999-01"), "--start is '2999-01' but must be a month"),
        (("--subscriptions", "5", "--book", "book.toml"), "Give --book or --subscriptions, not both"),
        (("--book", "no.toml"), "no.toml cannot be read: No such file"),
        (("--compare", "3,1", "7"), "--compare has '3,1', which is no dunning calendar: each day must be"),
        (("--chart", "year.jpg"), "year.jpg cannot be drawn: give a name that ends in .png or .svg"),
        (("--csv", "nowhere/year.csv"), "nowhere/year.csv cannot be written: there is no folder"),
    ],
)
def test_what_cannot_be_simulated_is_refused_at_once(
    again_without_database: Again, arguments: tuple[str, ...], said: str
):
    assert said in again_without_database("simulate", *arguments, code=1).said


@pytest.mark.parametrize(
    "arguments", [("--months", "0"), ("--months", "37"), ("--subscriptions", "0"), ("--compare", "7")]
)
def test_what_no_simulation_takes_is_a_wrong_command_line(again_without_database: Again, arguments: tuple[str, ...]):
    again_without_database("simulate", *arguments, code=2)
