"""Subscriptions that a limit holds, each by itself and until a person has looked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

AUDITED = """
CREATE TRIGGER holds_audit_insert AFTER INSERT ON holds REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION audit_new_status('hold');
CREATE TRIGGER holds_audit_update AFTER UPDATE ON holds
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION audit_changed_status('hold');
"""


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("held", "released", name="holdstatus", native_enum=False, length=20, create_constraint=True),
            nullable=False,
        ),
        sa.Column("held_by", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("holds_subscription_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("holds_pkey")),
        sa.UniqueConstraint("subscription_id", name=op.f("holds_subscription_id_key")),
    )
    op.create_index("holds_held_idx", "holds", ["status_at"], postgresql_where=sa.text("status = 'held'"))
    op.execute(AUDITED)


def downgrade() -> None:
    op.drop_table("holds")
