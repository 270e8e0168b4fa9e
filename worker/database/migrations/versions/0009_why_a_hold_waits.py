"""Why a sweep waits is in its row: what people read while charging is held."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sweeps", sa.Column("failure", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("sweeps", "failure")
