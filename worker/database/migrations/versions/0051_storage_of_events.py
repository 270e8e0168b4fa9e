"""How events are vacuumed: each day, as one day is written and another one is deleted."""

from __future__ import annotations

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

# By the usual fifth of all rows, 90 days of events would let the dead rows of 18 days pile up before what they left is
# used again, and each look for the oldest event would walk over their entries in the index.
SETTINGS = {
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_threshold": "20000",
    "autovacuum_vacuum_insert_scale_factor": "0.02",
    "autovacuum_vacuum_insert_threshold": "20000",
    "autovacuum_analyze_scale_factor": "0.01",
    "autovacuum_analyze_threshold": "10000",
    "autovacuum_vacuum_cost_limit": "2000",
}


def upgrade() -> None:
    listed = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
    op.execute(f"ALTER TABLE events SET ({listed})")


def downgrade() -> None:
    op.execute(f"ALTER TABLE events RESET ({', '.join(SETTINGS)})")
