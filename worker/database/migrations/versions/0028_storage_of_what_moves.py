"""How tables are vacuumed and filled: by what they do, and not by how much history they have."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# A charge is written three times and an attempt twice, soon after each other, and never again; a subscription once a
# period. By the usual fifth of all rows, a year's history would let as many dead rows pile up as three months bring.
# Their statistics are what plans are made by. None of these updates can be HOT, because conditions of indexes name the
# status or the due date, so room in each page would only make the tables larger.
GROWING = {
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_threshold": "20000",
    "autovacuum_vacuum_insert_scale_factor": "0.02",
    "autovacuum_vacuum_insert_threshold": "20000",
    "autovacuum_analyze_scale_factor": "0.01",
    "autovacuum_analyze_threshold": "10000",
    "autovacuum_vacuum_cost_limit": "2000",
}

# A handful of rows that are updated all the time, without a change of what is indexed: with half of each page free they
# are updated within it (HOT), and a vacuum of some pages costs nothing.
BUSY = {
    "fillfactor": "50",
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "500",
    "autovacuum_analyze_scale_factor": "0",
    "autovacuum_analyze_threshold": "500",
}

SETTINGS = {
    **dict.fromkeys(("charges", "attempts", "subscriptions"), GROWING),
    **dict.fromkeys(
        ("sweeps", "day_totals", "channels", "heartbeats", "database_identity", "last_stopped", "invariant_position"),
        BUSY,
    ),
}


def upgrade() -> None:
    for table, settings in SETTINGS.items():
        listed = ", ".join(f"{name} = {value}" for name, value in settings.items())
        op.execute(f"ALTER TABLE {table} SET ({listed})")


def downgrade() -> None:
    for table, settings in SETTINGS.items():
        op.execute(f"ALTER TABLE {table} RESET ({', '.join(settings)})")
