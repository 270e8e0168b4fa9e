"""Where events go, and which of them have not arrived there yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

SECRETS = """cardinality(secrets) BETWEEN CASE WHEN kind = 'webhook' AND status <> 'removed' THEN 1 ELSE 0 END
    AND CASE WHEN kind = 'webhook' THEN 2 ELSE 0 END"""

# A row comes and goes within seconds: what is dead is taken out of the indexes before a claim has to walk over it.
STORAGE = """
ALTER TABLE deliveries SET (
    fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 10000, autovacuum_vacuum_cost_limit = 2000
)
"""

TRIGGERS = """
CREATE TRIGGER destinations_audit_insert AFTER INSERT ON destinations
    FOR EACH ROW EXECUTE FUNCTION audit_status('destination');
CREATE TRIGGER destinations_audit_update AFTER UPDATE ON destinations FOR EACH ROW
    WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION audit_status('destination');
CREATE TRIGGER destinations_removed_are_final BEFORE UPDATE ON destinations FOR EACH ROW WHEN (OLD.status = 'removed')
    EXECUTE FUNCTION forbid_change('a destination that was removed stays so: add another');
CREATE TRIGGER destinations_are_kept BEFORE DELETE ON destinations
    FOR EACH ROW EXECUTE FUNCTION forbid_change('destinations: these rows are never deleted');
"""


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=20, create_constraint=True)


def upgrade() -> None:
    op.create_table(
        "destinations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("kind", _enum("destinationkind", "webhook", "task"), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("secrets", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("status", _enum("destinationstatus", "active", "disabled", "removed"), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(SECRETS, name=op.f("destinations_secrets_check")),
        sa.CheckConstraint(
            "(failures > 0) = (failing_since IS NOT NULL)", name=op.f("destinations_failing_since_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("destinations_pkey")),
    )
    op.create_index(
        "destinations_name_key", "destinations", ["name"], unique=True, postgresql_where=sa.text("status <> 'removed'")
    )
    op.create_table(
        "deliveries",
        sa.Column("destination_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["destination_id"], ["destinations.id"], name=op.f("deliveries_destination_id_fkey")),
        sa.PrimaryKeyConstraint("destination_id", "position", name=op.f("deliveries_pkey")),
    )
    op.create_index("deliveries_order_idx", "deliveries", ["destination_id", "subscription_id", "position"])
    op.create_index("deliveries_due_idx", "deliveries", ["destination_id", "next_try_at", "position"])
    op.execute(STORAGE)
    op.execute(TRIGGERS)


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("destinations")
