"""Databases for tests: whatever a test did to its own, the next one has one that is migrated and empty."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.databases import Databases
from worker.devstack.addresses import Postgres


@pytest.fixture
def databases(postgres: Postgres) -> Iterator[Databases]:
    own = Databases(postgres)
    yield own
    own.close()


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        ("INSERT INTO stops VALUES ('all', 'test', 'me', now())", True),
        ("UPDATE database_identity SET prefix = 'mine', seen_at = 'infinity'", True),
        ("UPDATE alembic_version SET version_num = '9999'", True),
        ("ANALYZE", False),
        ("CREATE TABLE mine (id bigint)", False),
        ("DROP TABLE attempts CASCADE", False),
        ("ALTER TABLE charges DISABLE TRIGGER USER", False),
        ("GRANT DELETE ON charges TO PUBLIC", False),
        ("CREATE OR REPLACE FUNCTION current_identity() RETURNS text LANGUAGE sql AS $$SELECT 'mine'$$", False),
        ("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET work_mem = 999'; END $$", False),
    ],
)
def test_a_database_is_emptied_for_the_next_test_unless_more_than_rows_was_changed(databases, left, kept):
    with databases.one() as first:
        before = contents(first)
        with psycopg.connect(first) as connection:
            connection.execute(left)
    with databases.one() as second:
        assert (second == first) is kept
        if kept:
            assert contents(second) == before
        assert contents(second).keys() == before.keys()


def test_two_databases_at_once_are_two(databases: Databases):
    with databases.one() as first, databases.one() as second:
        assert first != second


def test_client_that_is_still_connected_is_disconnected(databases: Databases):
    with databases.one() as url:
        left_open = psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError):
        left_open.execute("SELECT 1")
    left_open.close()


def contents(url: str) -> dict[str, list[str]]:
    """Every table's rows, and what number its next row has."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200")
        sequences = connection.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1").fetchall()
        rows = {
            name: [row for (row,) in connection.execute(f"SELECT to_jsonb({name})::text FROM {name}")]
            for (name,) in tables.fetchall()
        }
        return rows | {"numbers": [str(each) for each in sequences]}
