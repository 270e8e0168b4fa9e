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


def test_migrating_twice_changes_nothing(engine: Engine):
    migrations.upgrade(engine)
    assert migrations.current(engine) == migrations.newest()
