"""Due subscriptions are walked through by position: by the instant, and by id where thousands share one."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

INDEX = """
DROP INDEX subscriptions_next_charge_at_idx;
CREATE INDEX subscriptions_next_charge_at_idx ON subscriptions ({columns}) WHERE next_charge_at IS NOT NULL
"""


def upgrade() -> None:
    op.execute(INDEX.format(columns="next_charge_at, id"))


def downgrade() -> None:
    op.execute(INDEX.format(columns="next_charge_at"))
