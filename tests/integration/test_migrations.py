from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from worker.database import migrations
from worker.database.checkout_models import Checkout


def test_the_migrations_build_exactly_the_tables_of_the_models(engine: Engine):
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Checkout.metadata) == []


def test_every_migration_can_be_undone_and_done_again(engine: Engine):
    migrations.downgrade(engine, "base")
    with engine.connect() as connection:
        left = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    assert left == ["alembic_version"]
    migrations.upgrade(engine)
    assert migrations.current(engine) == migrations.newest()


def test_a_database_of_before_is_as_old_as_its_last_heartbeat(engine: Engine):
    migrations.downgrade(engine, "0001")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO heartbeats (name, seen_at) VALUES ('again.charge', '2026-01-01T00:00Z')"))
    migrations.upgrade(engine)
    with engine.connect() as connection:
        (row,) = connection.execute(text("SELECT seen_at = '2026-01-01T00:00Z' AS as_old, mode, prefix FROM lineage"))
    assert tuple(row) == (True, None, None)


def test_migrating_twice_changes_nothing(engine: Engine):
    migrations.upgrade(engine)
    assert migrations.current(engine) == migrations.newest()
