"""Weeks and months with all faults at once, reproducible from a seed."""

from __future__ import annotations

import time
from itertools import count

import pytest
from sqlalchemy import Engine

from tests.simulation.charging.long_history import tell_long

SEEDS = range(2)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--seed", default=None)
        metafunc.parametrize("seed", SEEDS if asked is None else [asked])


def test_long_history_with_many_faults_keeps_every_promise(engine: Engine, seed: int):
    assert len(tell_long(engine, seed)) > 20


def test_history_is_reproducible_from_its_seed(engine: Engine):
    assert tell_long(engine, SEEDS[1]) == tell_long(engine, SEEDS[1])


def test_long_histories_keep_every_promise_until_the_time_is_up(
    engine: Engine, torture_seconds: float, first_seed: int
):
    ends = time.monotonic() + torture_seconds
    for seed in count(first_seed):
        tell_long(engine, seed)
        if time.monotonic() > ends:
            break
