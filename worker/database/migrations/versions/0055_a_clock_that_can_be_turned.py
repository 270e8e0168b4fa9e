"""The sandbox's clock can be turned ahead: by how much, and what is noted at an instant of its own follows it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

_GIVEN_AT = """
    CREATE OR REPLACE FUNCTION given_at() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT coalesce(CAST(nullif(current_setting('again.at', true), '') AS timestamptz), {now}) $$
"""


def upgrade() -> None:
    op.add_column("database_identity", sa.Column("clock_ahead", sa.Interval, server_default="0", nullable=False))
    op.execute(_GIVEN_AT.format(now="clock_timestamp() + (SELECT clock_ahead FROM database_identity)"))


def downgrade() -> None:
    op.execute(_GIVEN_AT.format(now="clock_timestamp()"))
    op.drop_column("database_identity", "clock_ahead")
