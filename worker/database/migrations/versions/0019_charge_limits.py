"""What a charge limit has stopped or held says so in the limits' own name."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def _rename(old: str, new: str) -> None:
    for table, column in (("stops", "stopped_by"), ("holds", "held_by")):
        op.execute(f"UPDATE {table} SET {column} = '{new}' WHERE {column} = '{old}'")  # noqa: S608 - constants only


def upgrade() -> None:
    _rename("caps", "charge limits")


def downgrade() -> None:
    _rename("charge limits", "caps")
