"""Declines by kind and time, for what is asked about the rules that have decided them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "attempts_declined_idx",
        "attempts",
        ["decline_kind", "settled_at"],
        postgresql_where=text("status = 'declined'"),
    )


def downgrade() -> None:
    op.drop_index("attempts_declined_idx", table_name="attempts")
