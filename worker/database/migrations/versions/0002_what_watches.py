"""What watches over the charging: sweeps, differences, invariants, caps, and which database this is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A copy of a database is another database: restored by pg_restore (other tables), as a template (another database), on
# another server, or on the same one from a base backup (another timeline).
DATABASE_IDENTITY = """
CREATE FUNCTION database_identity() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('/',
        (SELECT system_identifier FROM pg_control_system()),
        substring(pg_walfile_name(pg_current_wal_lsn()) FOR 8),
        (SELECT oid FROM pg_database WHERE datname = current_database()),
        CAST('attempts'::regclass AS oid))
$$
"""

# An older version's backup may have been restored just now: when it was last seen, and its prefix, are in its rows.
LINEAGE = """
INSERT INTO lineage (identity, seen_at, prefix)
SELECT database_identity(), COALESCE((SELECT max(seen_at) FROM heartbeats), clock_timestamp()),
       (SELECT left(merchant_uid, -30) FROM attempts ORDER BY id DESC LIMIT 1)
"""

# Money that PortOne shows is no opinion: it makes a declined attempt paid, and an uncollectible charge.
FINAL = """
DROP TRIGGER settled_attempts_are_final ON attempts;
CREATE TRIGGER settled_attempts_are_final BEFORE UPDATE ON attempts
    FOR EACH ROW WHEN (NEW.status <> OLD.status
        AND (OLD.status = 'paid' OR OLD.status = 'declined' AND NEW.status <> 'paid'))
    EXECUTE FUNCTION forbid_change('a settled attempt is final');
DROP TRIGGER settled_charges_are_final ON charges;
CREATE TRIGGER settled_charges_are_final BEFORE UPDATE ON charges
    FOR EACH ROW WHEN (NEW.status <> OLD.status
        AND (OLD.status IN ('paid', 'void') OR OLD.status = 'uncollectible' AND NEW.status <> 'paid'))
    EXECUTE FUNCTION forbid_change('a paid, uncollectible or void charge is final');
"""
FINAL_BEFORE = """
DROP TRIGGER settled_attempts_are_final ON attempts;
CREATE TRIGGER settled_attempts_are_final BEFORE UPDATE ON attempts
    FOR EACH ROW WHEN (OLD.status IN ('paid', 'declined') AND NEW.status <> OLD.status)
    EXECUTE FUNCTION forbid_change('a settled attempt is final');
DROP TRIGGER settled_charges_are_final ON charges;
CREATE TRIGGER settled_charges_are_final BEFORE UPDATE ON charges
    FOR EACH ROW WHEN (OLD.status IN ('paid', 'uncollectible', 'void') AND NEW.status <> OLD.status)
    EXECUTE FUNCTION forbid_change('a paid, uncollectible or void charge is final');
"""

# What was flagged before there were differences is for a person to decide as well.
FLAGGED = """
INSERT INTO differences (kind, status, status_reason, status_at, merchant_uid, charge_id, attempt_id, evidence,
                         found_at, seen_at)
SELECT 'unresolved', 'open', COALESCE(flag_reason, status_reason), flagged_at, merchant_uid, charge_id, id,
       jsonb_build_object('portone', NULL, 'books', jsonb_build_object('attempt', 'unknown', 'reason', flag_reason)),
       flagged_at, flagged_at
FROM attempts WHERE status = 'unknown' AND flagged_at IS NOT NULL
"""

AUDITED = """
CREATE TRIGGER differences_audit_insert AFTER INSERT ON differences REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_new_status('difference');
CREATE TRIGGER differences_audit_update AFTER UPDATE ON differences
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_changed_status('difference');
"""


def upgrade() -> None:
    op.execute(DATABASE_IDENTITY)
    op.create_table(
        "lineage",
        sa.Column("only_row", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mode", sa.Text(), nullable=True),
        sa.Column("prefix", sa.Text(), nullable=True),
        sa.CheckConstraint("only_row", name=op.f("lineage_only_row_check")),
        sa.PrimaryKeyConstraint("only_row", name=op.f("lineage_pkey")),
    )
    op.execute(LINEAGE)
    op.create_table(
        "day_totals",
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("pg", sa.String(length=16), nullable=False),
        sa.Column("sends", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day_on", "pg", name=op.f("day_totals_pkey")),
    )
    op.create_table(
        "violations",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("examples", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("violations_pkey")),
    )
    op.create_table(
        "sweeps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("holds_claims", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payments", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("strangers", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("repaired", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("found", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("since <= position AND since <= until", name=op.f("sweeps_position_check")),
        sa.CheckConstraint("(finished_at IS NULL) OR position >= until", name=op.f("sweeps_finished_at_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("sweeps_pkey")),
    )
    op.create_index(
        "sweeps_unfinished_idx", "sweeps", ["id"], unique=False, postgresql_where=sa.text("finished_at IS NULL")
    )
    op.add_column("charges", sa.Column("refunded", sa.BigInteger(), server_default="0", nullable=False))
    op.create_check_constraint(
        op.f("charges_refunded_check"), "charges", "refunded >= 0 AND (refunded = 0 OR status = 'paid')"
    )
    op.create_index(
        "attempts_paid_later_idx",
        "attempts",
        ["charge_id"],
        unique=False,
        postgresql_where=sa.text("status = 'paid' AND number > 1"),
    )
    op.alter_column("attempts", "billing_key_id", nullable=True)
    op.create_check_constraint(
        op.f("attempts_billing_key_id_check"), "attempts", "billing_key_id IS NOT NULL OR status = 'paid'"
    )
    _create_differences()
    op.execute(FINAL)
    # Their successor is a difference that a person can decide.
    op.drop_index("audit_contradictions_idx", "audit")


def _create_differences() -> None:
    op.create_table(
        "differences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "missing_here",
                "declined_here",
                "refunded_there",
                "paid_twice",
                "not_owed",
                "not_in_books",
                "other_amount",
                "not_there",
                "unresolved",
                name="differencekind",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "repaired",
                "resolved",
                "gone",
                name="differencestatus",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("merchant_uid", sa.String(length=40), nullable=False),
        sa.Column("imp_uid", sa.Text(), server_default="", nullable=False),
        sa.Column("charge_id", sa.BigInteger(), nullable=True),
        sa.Column("attempt_id", sa.BigInteger(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name=op.f("differences_attempt_id_fkey")),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("differences_charge_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("differences_pkey")),
        sa.UniqueConstraint("kind", "merchant_uid", "imp_uid", name=op.f("differences_kind_merchant_uid_imp_uid_key")),
    )
    op.create_index("differences_charge_id_idx", "differences", ["charge_id"], unique=False)
    op.create_index(
        "differences_open_idx",
        "differences",
        ["found_at"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.execute(AUDITED)
    op.execute(FLAGGED)


def downgrade() -> None:
    op.create_index(
        "audit_contradictions_idx",
        "audit",
        ["at"],
        unique=False,
        postgresql_where=sa.text("starts_with(reason, 'contradiction')"),
    )
    op.execute(FINAL_BEFORE)
    for table in ("differences", "sweeps", "violations", "day_totals", "lineage"):
        op.drop_table(table)
    op.execute("DROP FUNCTION database_identity()")
    op.drop_index("attempts_paid_later_idx", "attempts")
    op.drop_constraint("attempts_billing_key_id_check", "attempts")
    op.alter_column("attempts", "billing_key_id", nullable=False)
    op.drop_constraint("charges_refunded_check", "charges")
    op.drop_column("charges", "refunded")
