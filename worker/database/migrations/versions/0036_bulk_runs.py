"""Bulk runs: one act on many subscriptions or charges, with what became of each; and consent to a change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

ROW_STATUSES = ("waiting", "done", "skipped", "failed")

TRIGGERS = """
CREATE TRIGGER bulk_runs_are_fixed BEFORE UPDATE ON bulk_runs FOR EACH ROW
    WHEN ((OLD.id, OLD.kind, OLD.parameters, OLD.reason, OLD.started_by, OLD.started_at)
        IS DISTINCT FROM (NEW.id, NEW.kind, NEW.parameters, NEW.reason, NEW.started_by, NEW.started_at))
    EXECUTE FUNCTION forbid_change('what a bulk run does never changes: start another');
CREATE TRIGGER bulk_rows_ended_are_final BEFORE UPDATE ON bulk_rows FOR EACH ROW WHEN (OLD.status <> 'waiting')
    EXECUTE FUNCTION forbid_change('what became of a row of a bulk run never changes');
CREATE TRIGGER bulk_runs_are_kept BEFORE DELETE ON bulk_runs
    FOR EACH ROW EXECUTE FUNCTION forbid_change('bulk_runs: these rows are never deleted');
CREATE TRIGGER bulk_rows_are_kept BEFORE DELETE ON bulk_rows
    FOR EACH ROW EXECUTE FUNCTION forbid_change('bulk_rows: these rows are never deleted');
"""


def _sources(condition: str) -> None:
    op.drop_constraint(op.f("consents_source_check"), "consents")
    op.create_check_constraint(op.f("consents_source_check"), "consents", condition)


def upgrade() -> None:
    _sources("source <> 'checkout' OR checkout_id IS NOT NULL")
    op.create_table(
        "bulk_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column(
            "started_by", sa.Text(), server_default=sa.text("current_setting('application_name')"), nullable=False
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("bulk_runs_pkey")),
    )
    op.create_table(
        "bulk_rows",
        sa.Column("bulk_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(*ROW_STATUSES, name="bulkrowstatus", native_enum=False, length=20, create_constraint=True),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("change_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["bulk_id"], ["bulk_runs.id"], name=op.f("bulk_rows_bulk_id_fkey")),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("bulk_rows_change_id_fkey")),
        sa.PrimaryKeyConstraint("bulk_id", "number", name=op.f("bulk_rows_pkey")),
    )
    op.create_index(
        "bulk_rows_waiting_idx", "bulk_rows", ["bulk_id", "number"], postgresql_where=sa.text("status = 'waiting'")
    )
    op.create_foreign_key(op.f("changes_bulk_id_fkey"), "changes", "bulk_runs", ["bulk_id"], ["id"])
    op.execute(TRIGGERS)


def downgrade() -> None:
    _sources("(source = 'operator') = (checkout_id IS NULL)")
    op.drop_constraint(op.f("changes_bulk_id_fkey"), "changes")
    op.drop_table("bulk_rows")
    op.drop_table("bulk_runs")
