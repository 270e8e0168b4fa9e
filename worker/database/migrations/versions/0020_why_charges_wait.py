"""Why a charge waits after its last attempt is a code, not the beginning of a sentence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

REASONS = ("month_quota", "not_sent", "maintenance", "configuration", "dunning", "other_key")

# Their sentences begin with the kind of the decline; what could not be sent has never been declined.
READ = """
UPDATE charges
SET wait_reason = CASE
    WHEN starts_with(status_reason, 'waits for the next month') THEN 'month_quota'
    WHEN status_reason ~ '^config(:|$)' THEN 'configuration'
    WHEN status_reason ~ '^transient(:|$)' THEN 'maintenance'
    WHEN status_reason ~ '^hard(:|$)' THEN 'other_key'
    WHEN status_reason ~ '^(soft|unmatched)(:|$)' THEN 'dunning'
    WHEN deferrals > 0 THEN 'not_sent' END
WHERE status IN ('due', 'past_due')
"""


def upgrade() -> None:
    op.add_column(
        "charges",
        sa.Column(
            "wait_reason",
            sa.Enum(*REASONS, name="waitreason", native_enum=False, create_constraint=True, length=20),
            nullable=True,
        ),
    )
    op.execute(READ)
    op.create_check_constraint(
        op.f("charges_wait_reason_check"), "charges", "wait_reason IS NULL OR status IN ('due', 'past_due')"
    )


def downgrade() -> None:
    op.drop_column("charges", "wait_reason")
