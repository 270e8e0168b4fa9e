"""What refusals tell about a channel: when it was last paid through, and whose refusals have come since."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KINDS = ("soft", "hard", "config", "transient", "unmatched")


def upgrade() -> None:
    op.create_table(
        "channels",
        sa.Column("pg", sa.String(16), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("pg", name=op.f("channels_pkey")),
    )
    op.create_table(
        "refusals",
        sa.Column("pg", sa.String(16), nullable=False),
        sa.Column("alike", sa.String(140), nullable=False),
        sa.Column("billing_key_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(*KINDS, name="declinekind", native_enum=False, length=20, create_constraint=True),
            nullable=False,
        ),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["pg"], ["channels.pg"], name=op.f("refusals_pg_fkey")),
        sa.ForeignKeyConstraint(["billing_key_id"], ["billing_keys.id"], name=op.f("refusals_billing_key_id_fkey")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("refusals_subscription_id_fkey")),
        sa.PrimaryKeyConstraint("pg", "alike", "billing_key_id", name=op.f("refusals_pkey")),
    )


def downgrade() -> None:
    op.drop_table("refusals")
    op.drop_table("channels")
