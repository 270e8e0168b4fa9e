"""How many charges may be unpaid, and the subscriptions that wait because so many are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plans", sa.Column("max_open_charges", sa.SmallInteger(), server_default="3", nullable=False))
    op.create_check_constraint(op.f("plans_max_open_charges_check"), "plans", "max_open_charges >= 1")
    op.add_column("subscriptions", sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "subscriptions_waiting_idx",
        "subscriptions",
        ["id"],
        unique=False,
        postgresql_where=sa.text("waiting_since IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("subscriptions_waiting_idx", "subscriptions")
    op.drop_column("subscriptions", "waiting_since")
    op.drop_constraint("plans_max_open_charges_check", "plans")
    op.drop_column("plans", "max_open_charges")
