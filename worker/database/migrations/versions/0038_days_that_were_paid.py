"""A charge with given days remembers until when its days were paid: those that were given are worth nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("charges", sa.Column("covers_until", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("charges_covers_until_check"), "charges", "period_start <= covers_until AND covers_until <= period_end"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("charges_covers_until_check"), "charges")
    op.drop_column("charges", "covers_until")
