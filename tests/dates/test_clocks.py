"""In a run on another date every clock is moved; otherwise the run would prove nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import redis

from worker.devstack.addresses import Postgres

HOURS = timedelta(hours=2)
"""Longer than any run, shorter than the distance to any of its dates."""

if "MOVED_CLOCK_BEGINS_AT" not in os.environ:
    pytest.skip("the clock is moved by `make test-dates`", allow_module_level=True)

BEGINS_AT = datetime.fromtimestamp(float(os.environ["MOVED_CLOCK_BEGINS_AT"]), UTC)


def is_moved(now: datetime) -> bool:
    return BEGINS_AT - timedelta(seconds=5) <= now <= BEGINS_AT + HOURS


def test_python_clocks_are_moved_and_sleeps_are_not():
    assert is_moved(datetime.now(UTC))
    assert is_moved(datetime.fromtimestamp(time.time(), UTC))
    before = time.monotonic()
    time.sleep(0.01)
    assert time.monotonic() > before


def test_clock_of_a_started_process_is_moved():
    said = subprocess.run([sys.executable, "-c", "import time; print(time.time())"], capture_output=True, check=True)
    assert is_moved(datetime.fromtimestamp(float(said.stdout), UTC))


def test_postgresql_clock_is_moved(postgres: Postgres):
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    assert is_moved(row[0])


def test_valkey_clock_is_moved(valkey: str):
    with redis.Redis.from_url(valkey) as broker:
        seconds, _ = broker.time()
    assert is_moved(datetime.fromtimestamp(seconds, UTC))
