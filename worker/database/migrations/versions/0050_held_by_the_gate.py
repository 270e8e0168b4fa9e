"""What the consent gate looks at again: charges that it holds and that are not settled."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("charges_gate_judged_idx", "charges")
    op.create_index(
        "charges_gate_judged_idx",
        "charges",
        ["gate_judged_at"],
        postgresql_where=text("gate_judged_at IS NOT NULL AND status NOT IN ('paid', 'void')"),
    )


def downgrade() -> None:
    op.drop_index("charges_gate_judged_idx", "charges")
    op.create_index(
        "charges_gate_judged_idx", "charges", ["gate_judged_at"], postgresql_where=text("gate_judged_at IS NOT NULL")
    )
