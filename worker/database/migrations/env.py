"""Alembic's entry: run the migrations on the connection that the caller hands over."""

from __future__ import annotations

from alembic import context

from worker.database.tables.all_tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
