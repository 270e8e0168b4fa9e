"""A plan says how its dunning ends; a consent lists what is unpaid and not charged to the new key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

CHECKS = {
    "dunningend": "dunning_end IN ('leave', 'cancel', 'pause')",
    "givenupas": "dunning_end_charges IN ('uncollectible', 'void')",
    "key_deadline_days": "key_deadline_days >= 1",
    "grace_days": "grace_days >= 0",
    "arrears": "arrears ~ '^(all|none|newest [1-9][0-9]*)$'",
}

COLUMNS = ("dunning_end", "dunning_end_charges", "key_deadline_days", "grace_days", "arrears")


def upgrade() -> None:
    op.add_column("plans", sa.Column("dunning_end", sa.String(20), server_default="leave", nullable=False))
    op.add_column(
        "plans", sa.Column("dunning_end_charges", sa.String(20), server_default="uncollectible", nullable=False)
    )
    op.add_column("plans", sa.Column("key_deadline_days", sa.SmallInteger(), nullable=True))
    op.add_column("plans", sa.Column("grace_days", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("plans", sa.Column("arrears", sa.Text(), server_default="all", nullable=False))
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"plans_{name}_check"), "plans", condition)
    nothing = sa.text("'[]'")
    op.add_column("consents", sa.Column("given_up", postgresql.JSONB(), server_default=nothing, nullable=False))


def downgrade() -> None:
    op.drop_column("consents", "given_up")
    for name in CHECKS:
        op.drop_constraint(op.f(f"plans_{name}_check"), "plans")
    for column in reversed(COLUMNS):
        op.drop_column("plans", column)
