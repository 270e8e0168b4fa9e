"""Weeks and months of everything at once, from a seed that tells the same history again."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine

from tests.simulation.long_history import tell_long

SEEDS = range(4)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_long_history_with_many_faults_ends_well(engine: Engine, seed: int, only_seed: int | None):
    if only_seed is None:
        tell_long(engine, seed)
    elif seed == SEEDS[0]:
        tell_long(engine, only_seed)


def test_long_histories_for_as_long_as_there_is_time(engine: Engine, torture_seconds: float, first_seed: int):
    ends = time.monotonic() + torture_seconds
    seed = first_seed
    while time.monotonic() < ends:
        tell_long(engine, seed)
        seed += 1
