"""Changes: what is to be done to subscriptions and charges, when, by whom and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

KINDS = (
    *("cancel", "pause", "resume", "change_plan", "move_renewal", "trial", "change_price", "discount", "credit"),
    *("one_off", "collect", "postpone", "void", "write_off", "paid_elsewhere", "refund", "end_dunning"),
)
STATUSES = ("scheduled", "applied", "undone", "superseded", "failed")
WAITS_FOR = ("approval", "consent", "portone")

FIXED = (
    *("id", "kind", "subscription_id", "charge_id", "parameters", "effective_at", "requested_by", "reason", "comment"),
    *("idempotency_key", "digest", "preview", "fingerprint", "bulk_id", "created_at"),
)

OLD, NEW = (", ".join(f"{row}.{column}" for column in FIXED) for row in ("OLD", "NEW"))

TRIGGERS = f"""
CREATE TRIGGER changes_audit_insert AFTER INSERT ON changes FOR EACH ROW EXECUTE FUNCTION audit_status('change');
CREATE TRIGGER changes_audit_update AFTER UPDATE ON changes FOR EACH ROW
    WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION audit_status('change');
CREATE TRIGGER changes_are_fixed BEFORE UPDATE ON changes FOR EACH ROW
    WHEN (({OLD}) IS DISTINCT FROM ({NEW}))
    EXECUTE FUNCTION forbid_change('what was asked for never changes: undo it, and ask for another change');
CREATE TRIGGER changes_ended_are_final BEFORE UPDATE ON changes FOR EACH ROW
    WHEN (OLD.status <> 'scheduled')
    EXECUTE FUNCTION forbid_change('a change that was applied, undone, superseded or has failed is final');
CREATE TRIGGER changes_are_kept BEFORE DELETE ON changes
    FOR EACH ROW EXECUTE FUNCTION forbid_change('changes: these rows are never deleted');
"""


def _one_of(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=20, create_constraint=True)


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", _one_of("changekind", KINDS), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("charge_id", sa.BigInteger(), nullable=True),
        sa.Column("parameters", postgresql.JSONB(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", _one_of("changestatus", STATUSES), nullable=False),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waits_for", _one_of("waitsfor", WAITS_FOR), nullable=True),
        sa.Column(
            "requested_by", sa.Text(), server_default=sa.text("current_setting('application_name')"), nullable=False
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=80), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("preview", postgresql.JSONB(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("consent_id", sa.BigInteger(), nullable=True),
        sa.Column("bulk_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(reason) BETWEEN 1 AND 500", name=op.f("changes_reason_check")),
        sa.CheckConstraint("waits_for IS NULL OR status = 'scheduled'", name=op.f("changes_waits_for_check")),
        sa.CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name=op.f("changes_approved_check")),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> requested_by", name=op.f("changes_approved_by_check")
        ),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("changes_subscription_id_fkey")),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("changes_charge_id_fkey")),
        sa.ForeignKeyConstraint(["consent_id"], ["consents.id"], name=op.f("changes_consent_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("changes_pkey")),
        sa.UniqueConstraint("idempotency_key", name=op.f("changes_idempotency_key_key")),
    )
    scheduled = sa.text("status = 'scheduled'")
    due = sa.text("status = 'scheduled' AND waits_for IS NULL")
    op.create_index("changes_due_idx", "changes", ["effective_at", "id"], postgresql_where=due)
    op.create_index("changes_scheduled_idx", "changes", ["subscription_id", "id"], postgresql_where=scheduled)
    op.create_index("changes_subscription_id_idx", "changes", ["subscription_id", "id"])
    op.create_index("changes_failed_idx", "changes", ["id"], postgresql_where=sa.text("status = 'failed'"))
    op.execute(TRIGGERS)


def downgrade() -> None:
    op.drop_table("changes")
