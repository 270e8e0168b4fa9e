"""`again doctor` tells what it can, each cause once, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from tests.integration.cli.conftest import Again, Ended, Tables
from worker.database import migrations

ON_TABLES = {"migrations", "beat", "worker", "stops", "flagged"}


def by_check(ended: Ended) -> dict[str, dict[str, str]]:
    return {finding["check"]: finding for finding in ended.document}


def of_health(ended: Ended, health: str) -> set[str]:
    return {finding["check"] for finding in ended.document if finding["health"] == health}


def test_without_a_broker_everything_else_is_examined(again: Again, tmp_path: Path):
    ended = again("doctor", "--json", code=1, again_data_dir=str(tmp_path))
    found = by_check(ended)
    assert found["database"]["health"] == found["migrations"]["health"] == "ok"
    assert "run `again up`" in found["broker"]["remedy"]
    assert of_health(ended, "broken") == {"broker", "portone", "beat", "worker"}
    # One cause, one thing to do.
    assert [check for check, finding in found.items() if finding["remedy"]] == ["broker"]


def test_with_the_database_down_what_needs_it_is_skipped(again_without_database: Again, valkey: str, tmp_path: Path):
    settings = {"again_broker_url": valkey, "again_data_dir": str(tmp_path)}
    down = {**settings, "again_database_url": "postgresql://again:open-sesame@127.0.0.1:1/books"}
    ended = again_without_database("doctor", "--json", code=1, **down)
    assert of_health(ended, "skipped") == ON_TABLES
    assert by_check(ended)["broker"]["health"] == "ok"
    assert "sesame" not in ended.said
    none = again_without_database("doctor", "--json", code=1, **settings)
    assert of_health(none, "skipped") == ON_TABLES
    assert "run `again up` or `again migrate`" in by_check(none)["database"]["remedy"]


def test_a_database_without_tables_is_one_cause(again: Again, engine: Engine, valkey: str):
    migrations.downgrade(engine, "base")
    ended = again("doctor", "--json", code=1, again_broker_url=valkey)
    assert by_check(ended)["migrations"]["remedy"] == "run `again migrate`"
    assert of_health(ended, "skipped") == ON_TABLES - {"migrations"}


def test_a_stop_is_told_with_the_time_in_seoul_and_the_command_that_ends_it(again: Again, tables: Tables):
    tables.sql(
        "INSERT INTO stops (scope, reason, stopped_at, stopped_by) VALUES "
        "('kakaopay', 'CID revoked', '2026-01-01T20:30:00Z', 'test'), ('all', 'audit', '2026-01-01T20:30:00Z', 'test')"
    )
    [found] = again("doctor", "stops", "--json").document
    assert "kakaopay since 2026-01-02 05:30 KST: CID revoked" in found["finding"]
    assert "`again start kakaopay`" in found["remedy"]
    assert "`again start`" in found["remedy"]
