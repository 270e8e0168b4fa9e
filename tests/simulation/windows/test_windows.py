"""Payment windows: whatever customers, webhooks and crashes do, no period is paid twice and none is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.simulation.engine.verdict import Violation
from tests.simulation.windows import breakages
from tests.simulation.windows.crashes import tell_every_crash
from tests.simulation.windows.stories import LEFT, RESIDUE, STORIES, TOLD_ONCE, Story, tell_story
from tests.simulation.windows.walk import tell_walk

WALKS, MANY_WALKS = range(3), range(400)
Break = Callable[[pytest.MonkeyPatch], None]

BITES: dict[Break, tuple[Story, str]] = {
    breakages.open_before_the_commit: (STORIES["pays at night"], "paid 2 times"),
    breakages.take_a_new_merchant_uid_for_each_window: (STORIES["has two tabs"], "paid 2 times"),
    breakages.hold_for_the_lease_only: (STORIES["pays at night"], "paid 2 times"),
    breakages.send_the_next_number_after_a_window: (STORIES["leaves and comes back"], "paid 2 times"),
    breakages.show_what_was_declined_only: (STORIES["replaces a key dead for days"], "beyond consent"),
    breakages.believe_the_browser: (STORIES["closes the window"], "paid here and not there"),
    breakages.complete_again_and_again: (STORIES["replaces it twice"], "went back"),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_crash_at_any_point_of_a_story_changes_nothing(engine: Engine, story: Story, thorough: bool):
    assert tell_every_crash(engine, story, thorough=thorough) > 3


@pytest.mark.parametrize("story", TOLD_ONCE.values(), ids=TOLD_ONCE)
def test_payment_lost_by_our_records_is_still_paid_once(engine: Engine, story: Story):
    assert tell_story(engine, story).twice == 0


def test_residual_double_payment_is_shown_to_an_operator(engine: Engine):
    assert tell_story(engine, RESIDUE).twice == 1


def test_random_walks_of_days_keep_every_promise(engine: Engine, thorough: bool):
    for seed in MANY_WALKS if thorough else WALKS:
        tell_walk(engine, seed)


@pytest.mark.parametrize("broken", BITES, ids=lambda broken: broken.__name__)
def test_broken_product_is_caught_by_its_story(engine: Engine, monkeypatch: pytest.MonkeyPatch, broken: Break):
    story, said = BITES[broken]
    tell_story(engine, story)
    broken(monkeypatch)
    with pytest.raises(Violation, match=said):
        tell_story(engine, story)


def test_early_deletion_of_the_old_key_is_caught(engine: Engine):
    tell_story(engine, LEFT)
    with pytest.raises(Violation, match=r"is charged by .*deleted"):
        tell_story(engine, replace(LEFT, page_class=breakages.HastyPages))
