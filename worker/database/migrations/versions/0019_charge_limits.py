"""What a charge limit has stopped or held says so in the limits' own name."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def _rename(old: str, new: str) -> None:
    for table, column in (("stops", "stopped_by"), ("holds", "held_by")):
        # A name in an old row is not an act of an operator, which the triggers would write into the audit.
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        op.execute(f"UPDATE {table} SET {column} = '{new}' WHERE {column} = '{old}'")  # noqa: S608 - constants only
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def upgrade() -> None:
    _rename("caps", "charge limits")


def downgrade() -> None:
    _rename("charge limits", "caps")
