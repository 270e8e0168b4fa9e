"""`again channel`: what is set for a PG, shown and refused; the documents' commands run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Again

PAGE = (Path(__file__).parents[3] / "docs" / "channels.md").read_text()


def test_commands_of_the_documents_set_and_list_what_they_say(again: Again):
    block = re.search(r"```\n(again channel set .*?)```", PAGE, re.DOTALL)
    assert block is not None
    for command in block[1].replace("\\\n", " ").splitlines():
        assert again(*shlex.split(command)[1:]).code == 0
    payco, kakaopay = sorted(again("channel", "list", "--json").document, key=lambda row: str(row["pg"]), reverse=True)
    assert (kakaopay["calls_per_second"], kakaopay["in_flight"], kakaopay["is_open"]) == (50, 200, True)
    assert payco["hours"] == "08:00-22:00"
    assert payco["maintenance"] == "sun 02:00-09:00, 2027-02-06T00:00/2027-02-06T12:00"
    assert again("audit", "channel", "--json").document[0]["reason"].startswith("PAYCO's notice of 20 January; ")


def test_what_is_not_given_stays_and_none_takes_it_away(again: Again):
    again("channel", "set", "payco", "--calls-per-second", "50", "--hours", "08:00-22:00")
    set_again = again("channel", "set", "payco", "--in-flight", "7", "--hours", "none", "--json").document
    assert (set_again["calls_per_second"], set_again["in_flight"], set_again["hours"]) == (50, 7, None)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("paypal", "--in-flight", "5"), "'paypal' is no PG that Again charges through"),
        (("payco",), "Nothing is to be set"),
        (("payco", "--in-flight", "many"), "--in-flight 'many' is no whole number"),
        (("payco", "--in-flight", "0"), "give a whole number from 1 to"),
        (("payco", "--calls-per-second", "1e3"), "is no whole number"),
        (("payco", "--hours", "all"), "it is no span of time"),
        (("payco", "--hours", "08:00-09:00", "--maintenance", "08:30-10:00"), "no hour of the week is left"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused_with_the_reason(again: Again, given: tuple[str, ...], why: str):
    refused = again("channel", "set", *given, code=1)
    assert why in " ".join(refused.err.split())
    assert again("channel", "list", "--json").document == []
