"""Each invariant says what it means and what to do, in sentences that fit where they are shown."""

from __future__ import annotations

import re

import pytest

from worker.cli.commands import app
from worker.operations.invariants import INVARIANTS, Invariant

COMMANDS = {group.name for group in app.registered_groups} | {
    command.name or command.callback.__name__ for command in app.registered_commands if command.callback is not None
}
LONGEST = 60  # of the column that they are kept in


def test_names_of_invariants_are_unique():
    assert len({invariant.name for invariant in INVARIANTS}) == len(INVARIANTS)


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_invariants_say_what_they_mean_and_what_to_do(invariant: Invariant):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", invariant.name)
    assert len(invariant.name) <= LONGEST
    assert invariant.about in {"charge", "attempt", "subscription", "discrepancy", "sweep"}
    assert re.fullmatch(r"[A-Z].+\.", invariant.means)
    assert re.fullmatch(r"[a-z`].+[^.]", invariant.remedy)


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_the_commands_it_names_exist(invariant: Invariant):
    named = re.findall(r"`again (\w+)", invariant.means + invariant.remedy)
    assert [name for name in named if name not in COMMANDS] == []
