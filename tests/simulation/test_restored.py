"""A database restored from a backup: every crash on the way to the end of the hold, and answers of the lost world."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.simulation import lost_worlds
from tests.simulation.lost_worlds import LANDS_LATER, frozen_with, frozen_with_a_page
from tests.simulation.restored_period import Restored, tell_restored
from tests.simulation.stories import RULES
from worker.sandbox.behaviours import decline, pay

LOST = {
    "a decline": frozen_with(decline(), then=LANDS_LATER),
    "a decline of a stranger": frozen_with(decline(), then=LANDS_LATER, stranger=True),
    "a payment of a stranger": frozen_with(pay(), then=(decline(), pay()), stranger=True),
    "a page": frozen_with_a_page(),
}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_what_a_worker_of_the_lost_world_writes_back_changes_nothing_else(engine: Engine, lost: Restored):
    tell_restored(engine, replace(lost, rules=RULES[0]))
