"""Notices by e-mail: the addresses of subscriptions, and a destination of their kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscription_emails",
        sa.Column("subscription_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("language IN ('ko', 'en')", name=op.f("subscription_emails_language_check")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("subscription_emails_subscription_id_fkey")
        ),
        sa.PrimaryKeyConstraint("subscription_id", name=op.f("subscription_emails_pkey")),
    )
    _allow("webhook", "task", "chat", "email")


def downgrade() -> None:
    op.execute("DELETE FROM deliveries WHERE destination_id IN (SELECT id FROM destinations WHERE kind = 'email')")
    op.execute("ALTER TABLE destinations DISABLE TRIGGER destinations_are_kept")
    op.execute("DELETE FROM destinations WHERE kind = 'email'")
    op.execute("ALTER TABLE destinations ENABLE TRIGGER destinations_are_kept")
    _allow("webhook", "task", "chat")
    op.drop_table("subscription_emails")


def _allow(*kinds: str) -> None:
    """Let destinations be of these kinds, and no other."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute("ALTER TABLE destinations DROP CONSTRAINT destinations_destinationkind_check")
    op.create_check_constraint(op.f("destinations_destinationkind_check"), "destinations", f"kind IN ({listed})")
