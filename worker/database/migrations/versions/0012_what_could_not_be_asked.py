"""Look-ups and sweeps that fail: since when, and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("attempts", "sweeps"):
        op.add_column(table, sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("attempts", sa.Column("failure", sa.Text(), nullable=True))
    op.create_index(
        "attempts_failing_idx",
        "attempts",
        ["failing_since"],
        postgresql_where=sa.text("status = 'unknown' AND failing_since IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("attempts_failing_idx", table_name="attempts")
    op.drop_column("attempts", "failure")
    for table in ("attempts", "sweeps"):
        op.drop_column(table, "failing_since")
