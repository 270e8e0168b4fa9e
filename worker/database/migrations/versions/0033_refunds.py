"""Refunds of any payment: one row each, committed before PortOne is asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

FIXED = (
    *("id", "charge_id", "change_id", "discrepancy_id", "imp_uid", "merchant_uid", "pg", "currency", "paid"),
    *("checksum", "amount", "tax_free", "vat_amount", "reference", "reason", "requested_by", "started_at", "ends_at"),
)
OPEN = "status IN ('requested', 'unclear')"


def _fixed(row: str) -> str:
    return ", ".join(f"{row}.{name}" for name in FIXED)


TRIGGERS = f"""
CREATE TRIGGER refunds_audit_insert AFTER INSERT ON refunds FOR EACH ROW EXECUTE FUNCTION audit_status('refund');
CREATE TRIGGER refunds_audit_update AFTER UPDATE ON refunds FOR EACH ROW
    WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION audit_status('refund');
CREATE TRIGGER refunds_are_fixed BEFORE UPDATE ON refunds FOR EACH ROW
    WHEN (({_fixed("OLD")}) IS DISTINCT FROM ({_fixed("NEW")}))
    EXECUTE FUNCTION forbid_change('what a refund is of never changes');
CREATE TRIGGER refunds_settled_are_final BEFORE UPDATE ON refunds FOR EACH ROW
    WHEN (OLD.status IN ('completed', 'refused'))
    EXECUTE FUNCTION forbid_change('a completed or refused refund is final');
CREATE TRIGGER refunds_are_kept BEFORE DELETE ON refunds
    FOR EACH ROW EXECUTE FUNCTION forbid_change('refunds: these rows are never deleted');
"""


def upgrade() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("charge_id", sa.BigInteger(), nullable=True),
        sa.Column("change_id", sa.BigInteger(), nullable=True),
        sa.Column("discrepancy_id", sa.BigInteger(), nullable=True),
        sa.Column("imp_uid", sa.Text(), nullable=False),
        sa.Column("merchant_uid", sa.String(length=40), nullable=False),
        sa.Column("pg", sa.Text(), server_default="", nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("tax_free", sa.BigInteger(), nullable=False),
        sa.Column("vat_amount", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "requested_by", sa.Text(), server_default=sa.text("current_setting('application_name')"), nullable=False
        ),
        sa.Column(
            "status",
            sa.Enum(
                *("requested", "unclear", "completed", "refused"),
                name="refundstatus",
                native_enum=False,
                length=20,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sends", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deferrals", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("flagged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("http_status", sa.SmallInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("cancellation_id", sa.Text(), nullable=True),
        sa.CheckConstraint("amount BETWEEN 1 AND checksum AND checksum <= paid", name=op.f("refunds_amount_check")),
        sa.CheckConstraint(
            "tax_free BETWEEN 0 AND amount AND (vat_amount IS NULL OR vat_amount BETWEEN 0 AND amount - tax_free)",
            name=op.f("refunds_taxes_check"),
        ),
        sa.CheckConstraint(
            "(status IN ('completed', 'refused')) = (settled_at IS NOT NULL)", name=op.f("refunds_settled_at_check")
        ),
        sa.CheckConstraint("(sends > 0) = (sent_at IS NOT NULL)", name=op.f("refunds_sent_at_check")),
        sa.CheckConstraint(
            f"({OPEN}) = (num_nonnulls(next_try_at, flagged_at) = 1)"
            f" AND ({OPEN} OR num_nonnulls(next_try_at, flagged_at) = 0)",
            name=op.f("refunds_open_is_tried_check"),
        ),
        sa.CheckConstraint("length(reason) BETWEEN 1 AND 500", name=op.f("refunds_reason_check")),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("refunds_charge_id_fkey")),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("refunds_change_id_fkey")),
        sa.ForeignKeyConstraint(["discrepancy_id"], ["discrepancies.id"], name=op.f("refunds_discrepancy_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("refunds_pkey")),
        sa.UniqueConstraint("change_id", name=op.f("refunds_change_id_key")),
        sa.UniqueConstraint("reference", name=op.f("refunds_reference_key")),
    )
    op.create_index("refunds_open_key", "refunds", ["imp_uid"], unique=True, postgresql_where=sa.text(OPEN))
    op.create_index("refunds_due_idx", "refunds", ["next_try_at"], postgresql_where=sa.text(OPEN))
    op.create_index("refunds_charge_id_idx", "refunds", ["charge_id"])
    op.create_index("refunds_imp_uid_idx", "refunds", ["imp_uid"])
    at_portone = sa.text("status = 'scheduled' AND waits_for = 'portone'")
    op.create_index("changes_at_portone_idx", "changes", ["effective_at", "id"], postgresql_where=at_portone)
    op.execute(TRIGGERS)


def downgrade() -> None:
    op.drop_index("changes_at_portone_idx", "changes")
    op.drop_table("refunds")
