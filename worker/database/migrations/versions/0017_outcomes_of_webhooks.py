"""What the look-up of a webhook came to is a code, and not a sentence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

CODES = ("unknown_payment", "not_ours", "compared", "refused", "done", "waiting", "declined", "expired")
UNKNOWN = "PortOne shows no such payment"
NOT_OURS = "not a payment of ours"

ENCODE = f"""
    UPDATE webhooks
    SET outcome_code = CASE
            WHEN outcome_detail = '{UNKNOWN}' THEN 'unknown_payment'
            WHEN outcome_detail = '{NOT_OURS}' THEN 'not_ours'
            WHEN starts_with(outcome_detail, 'refused: ') THEN 'refused'
            ELSE outcome_detail END,
        outcome_detail = CASE WHEN starts_with(outcome_detail, 'refused: ') THEN substr(outcome_detail, 10) END
    WHERE outcome_detail IS NOT NULL
"""  # noqa: S608 - constants only

DECODE = f"""
    UPDATE webhooks
    SET outcome_detail = CASE outcome_code
            WHEN 'unknown_payment' THEN '{UNKNOWN}'
            WHEN 'not_ours' THEN '{NOT_OURS}'
            WHEN 'refused' THEN 'refused: ' || COALESCE(outcome_detail, '')
            ELSE outcome_code END
    WHERE outcome_code IS NOT NULL
"""  # noqa: S608 - constants only


def upgrade() -> None:
    op.alter_column("webhooks", "outcome", new_column_name="outcome_detail")
    op.add_column("webhooks", sa.Column("outcome_code", sa.String(length=20), nullable=True))
    op.execute(ENCODE)
    listed = ", ".join(f"'{code}'" for code in CODES)
    op.create_check_constraint(op.f("webhooks_webhookoutcome_check"), "webhooks", f"outcome_code IN ({listed})")


def downgrade() -> None:
    op.drop_constraint(op.f("webhooks_webhookoutcome_check"), "webhooks")
    op.execute(DECODE)
    op.drop_column("webhooks", "outcome_code")
    op.alter_column("webhooks", "outcome_detail", new_column_name="outcome")
