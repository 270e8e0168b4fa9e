"""Columns of checkouts and webhooks have the names that attempts have: lookups, next_lookup_at."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

RENAMED = (
    ("checkouts", "looks", "lookups"),
    ("checkouts", "next_look_at", "next_lookup_at"),
    ("checkouts", "said", "decline_message"),
    ("webhooks", "times", "deliveries"),
    ("webhooks", "looks", "lookups"),
    ("webhooks", "looked_at", "looked_up_at"),
    ("webhooks", "next_look_at", "next_lookup_at"),
)


def upgrade() -> None:
    for table, old, new in RENAMED:
        op.alter_column(table, old, new_column_name=new)
    op.execute("ALTER TABLE checkouts RENAME CONSTRAINT checkouts_next_look_at_check TO checkouts_next_lookup_at_check")
    op.execute("ALTER INDEX checkouts_look_idx RENAME TO checkouts_next_lookup_idx")


def downgrade() -> None:
    op.execute("ALTER INDEX checkouts_next_lookup_idx RENAME TO checkouts_look_idx")
    op.execute("ALTER TABLE checkouts RENAME CONSTRAINT checkouts_next_lookup_at_check TO checkouts_next_look_at_check")
    for table, old, new in reversed(RENAMED):
        op.alter_column(table, new, new_column_name=old)
