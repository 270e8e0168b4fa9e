"""That the consent gate holds a charge is an event: the host has to ask its customer."""

from __future__ import annotations

from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

# A charge is held as it is opened, and never again: its period alone tells the fact.
TRIGGER = """
CREATE TRIGGER charges_event_held AFTER UPDATE ON charges FOR EACH ROW
    WHEN (OLD.gate_held_since IS NULL AND NEW.gate_held_since IS NOT NULL) EXECUTE FUNCTION charge_event('charge.held')
"""


def upgrade() -> None:
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER charges_event_held ON charges")
