"""Subscriptions and billing keys that are not active are listed, and counted, by an index of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

TABLES = ("subscriptions", "billing_keys")


def upgrade() -> None:
    for table in TABLES:
        op.create_index(
            f"{table}_not_active_idx", table, ["status", "id"], postgresql_where=sa.text("status <> 'active'")
        )


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(f"{table}_not_active_idx", table)
