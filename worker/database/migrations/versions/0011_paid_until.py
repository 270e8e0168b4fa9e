"""Subscriptions that are over, by their customer: they may be paid for still."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "subscriptions_over_idx",
        "subscriptions",
        ["customer_reference"],
        unique=False,
        postgresql_where=sa.text("status IN ('canceled', 'ended')"),
    )


def downgrade() -> None:
    op.drop_index("subscriptions_over_idx", "subscriptions")
