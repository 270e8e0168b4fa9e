"""Invariants are checked for what has changed: where the checks stand, and which rows are known to break one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# What was there before was checked by the version before; `again doctor invariants --full` looks at all of it.
BEGINNING = """
INSERT INTO invariant_position (database, settled, judged, pending)
SELECT current_identity(), ids, ids, ids
FROM (SELECT jsonb_build_object(
    'audit', COALESCE((SELECT max(id) FROM audit), 0), 'consents', COALESCE((SELECT max(id) FROM consents), 0),
    'charges', COALESCE((SELECT max(id) FROM charges), 0), 'attempts', COALESCE((SELECT max(id) FROM attempts), 0)
) AS ids) newest
"""

KNOWN = "UPDATE violations SET ids = CAST(string_to_array(examples, ', ') AS bigint[]) WHERE examples <> ''"


def upgrade() -> None:
    op.create_table(
        "invariant_position",
        sa.Column("only_row", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("settled", postgresql.JSONB(), nullable=False),
        sa.Column("judged", postgresql.JSONB(), nullable=False),
        sa.Column("pending", postgresql.JSONB(), nullable=False),
        sa.Column("pending_xid", sa.BigInteger(), nullable=True),
        sa.Column("open_attempts", sa.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=True),
        sa.Column("full_charge_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("full_subscription_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("full_finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("only_row", name=op.f("invariant_position_only_row_check")),
        sa.PrimaryKeyConstraint("only_row", name=op.f("invariant_position_pkey")),
    )
    op.execute(BEGINNING)
    op.add_column("violations", sa.Column("ids", sa.ARRAY(sa.BigInteger()), server_default="{}", nullable=False))
    op.execute(KNOWN)


def downgrade() -> None:
    op.drop_column("violations", "ids")
    op.drop_table("invariant_position")
