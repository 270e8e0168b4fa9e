"""Alembic's entry: run the migrations on the connection that the caller hands over."""

from __future__ import annotations

from alembic import context

from worker.database.watch_models import Audit

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Audit.metadata, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
