"""One billing period: every fault at every point, whatever PortOne does and whatever its rules are."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.simulation.charging.exhaustive import CRASH, EVERYTHING, OTHERS, tell_all, tell_guarded, tell_twice_struck
from tests.simulation.engine.stories import HIDDEN_FOR_HOURS, STORIES, Story

BY_NAME = {story.name: story for story in STORIES}
TOLD_WITH_EVERY_FAULT = ("pays", "drop charged", "lands after the time-out")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "struck_story" in metafunc.fixturenames:
        thorough = metafunc.config.getoption("--thorough", default=False)
        stories = [story for story in STORIES if thorough or story.name in TOLD_WITH_EVERY_FAULT]
        metafunc.parametrize("struck_story", stories, ids=lambda story: story.name)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_crash_at_any_point_charges_no_customer_twice_and_misses_none(engine: Engine, story: Story, thorough: bool):
    assert tell_all(engine, story, (CRASH,), thorough=thorough) > 5


def test_any_other_fault_charges_no_customer_twice_and_misses_none(engine: Engine, struck_story: Story, thorough: bool):
    assert tell_all(engine, struck_story, OTHERS, thorough=thorough) > 10


def test_second_crash_during_recovery_changes_nothing(engine: Engine):
    assert sum(tell_twice_struck(engine, BY_NAME["pays"], CRASH)) > 100


def test_payment_hidden_beyond_the_quiet_period_is_not_charged_again(engine: Engine, thorough: bool):
    assert sum(tell_guarded(engine, HIDDEN_FOR_HOURS, thorough=thorough)) > 10


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_two_workers_with_different_clocks_charge_no_customer_twice(engine: Engine, story: Story, thorough: bool):
    faults = EVERYTHING if thorough else ()
    assert tell_all(engine, story, faults, thorough=thorough, workers=(60.0, -60.0)) > 0
