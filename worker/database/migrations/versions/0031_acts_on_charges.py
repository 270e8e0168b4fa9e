"""Acts on one charge: it is collected again, postponed, written off, forgiven, or paid elsewhere."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

REASONS = ("month_quota", "not_sent", "maintenance", "configuration", "dunning", "other_key")

FINAL = """
DROP TRIGGER settled_charges_are_final ON charges;
CREATE TRIGGER settled_charges_are_final BEFORE UPDATE ON charges
    FOR EACH ROW WHEN (NEW.status <> OLD.status AND (OLD.status IN ('paid', 'void')
        OR OLD.status = 'uncollectible' AND NEW.status NOT IN ('paid', 'due', 'past_due', 'void')))
    EXECUTE FUNCTION forbid_change('a paid or void charge is final, and one that was given up is claimed by nothing');
CREATE TRIGGER charges_paid_elsewhere_is_fixed BEFORE UPDATE ON charges
    FOR EACH ROW WHEN (NEW.paid_elsewhere IS DISTINCT FROM OLD.paid_elsewhere
        AND (OLD.status = 'paid' OR NEW.status <> 'paid'))
    EXECUTE FUNCTION forbid_change('how a charge was paid is said once, when it becomes paid');
"""

FINAL_BEFORE = """
DROP TRIGGER charges_paid_elsewhere_is_fixed ON charges;
DROP TRIGGER settled_charges_are_final ON charges;
CREATE TRIGGER settled_charges_are_final BEFORE UPDATE ON charges
    FOR EACH ROW WHEN (NEW.status <> OLD.status
        AND (OLD.status IN ('paid', 'void') OR OLD.status = 'uncollectible' AND NEW.status <> 'paid'))
    EXECUTE FUNCTION forbid_change('a paid, uncollectible or void charge is final');
"""


def _allow_reasons(*reasons: str) -> None:
    op.drop_constraint("charges_waitreason_check", "charges")
    op.create_check_constraint(
        op.f("charges_waitreason_check"), "charges", sa.column("wait_reason", sa.String).in_(reasons)
    )


def upgrade() -> None:
    op.add_column("charges", sa.Column("written_off_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("charges", sa.Column("paid_elsewhere", sa.Text(), nullable=True))
    # PortOne cannot show a refund of what it has not seen paid.
    op.create_check_constraint(
        op.f("charges_paid_elsewhere_check"),
        "charges",
        "paid_elsewhere IS NULL OR status = 'paid' AND refunded = 0 AND length(paid_elsewhere) BETWEEN 1 AND 200",
    )
    _allow_reasons(*REASONS, "postponed")
    op.execute(FINAL)


def downgrade() -> None:
    op.execute(FINAL_BEFORE)
    op.execute("UPDATE charges SET wait_reason = NULL WHERE wait_reason = 'postponed'")
    _allow_reasons(*REASONS)
    op.drop_column("charges", "paid_elsewhere")
    op.drop_column("charges", "written_off_at")
