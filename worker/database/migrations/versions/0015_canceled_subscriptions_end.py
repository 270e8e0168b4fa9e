"""A canceled subscription ends when what was paid for it is over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE subscriptions SET ends_at = now() WHERE status = 'canceled'")
    op.create_check_constraint(
        op.f("subscriptions_ends_at_check"), "subscriptions", "(ends_at IS NOT NULL) = (status = 'canceled')"
    )
    op.create_index(
        "subscriptions_ends_at_idx",
        "subscriptions",
        ["ends_at"],
        unique=False,
        postgresql_where=sa.text("ends_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("subscriptions_ends_at_idx", "subscriptions")
    op.drop_constraint(op.f("subscriptions_ends_at_check"), "subscriptions")
    op.drop_column("subscriptions", "ends_at")
    op.execute("ALTER TABLE subscriptions DISABLE TRIGGER USER")
    op.execute("UPDATE subscriptions SET status = 'canceled' WHERE status = 'ended'")
    op.execute("ALTER TABLE subscriptions ENABLE TRIGGER USER")
