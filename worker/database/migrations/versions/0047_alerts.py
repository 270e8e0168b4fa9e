"""What operators are told of troubles, and where chats are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION alert_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO outbox (type, at, key, data)
    VALUES (TG_ARGV[0], CASE TG_ARGV[0] WHEN 'alert.closed' THEN NEW.closed_at ELSE NEW.told_at END,
            concat_ws(' ', NEW."check", NEW.opened_at, CASE TG_ARGV[0] WHEN 'alert.grown' THEN NEW.told_at END),
            jsonb_build_object('alert', NEW.id, 'check', NEW."check", 'finding', NEW.finding, 'remedy', NEW.remedy,
                               'opened_at', NEW.opened_at));
    RETURN NULL;
END $$
"""

RIGHTS = """
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION alert_event() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $do$
"""

TRIGGERS = """
CREATE TRIGGER alerts_event_opened AFTER INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION alert_event('alert.opened');
CREATE TRIGGER alerts_event_grown AFTER UPDATE ON alerts FOR EACH ROW WHEN (NEW.told_at <> OLD.told_at)
    EXECUTE FUNCTION alert_event('alert.grown');
CREATE TRIGGER alerts_event_closed AFTER UPDATE ON alerts FOR EACH ROW
    WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL) EXECUTE FUNCTION alert_event('alert.closed');
CREATE TRIGGER alerts_closed_are_final BEFORE UPDATE ON alerts FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL)
    EXECUTE FUNCTION forbid_change('an alert that was closed stays so');
"""


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=20, create_constraint=True)


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("check", sa.String(40), nullable=False),
        sa.Column("subjects", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("closed_at IS NULL OR gone_at IS NOT NULL", name=op.f("alerts_closed_at_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("alerts_pkey")),
    )
    op.create_index("alerts_open_key", "alerts", ["check"], unique=True, postgresql_where=sa.text("closed_at IS NULL"))
    op.execute(FUNCTION)
    op.execute(RIGHTS)
    op.execute("ALTER FUNCTION alert_event() SET timezone = 'UTC' SET datestyle = 'ISO, YMD'")
    op.execute("REVOKE ALL ON FUNCTION alert_event() FROM PUBLIC")
    op.execute(TRIGGERS)
    op.drop_constraint(op.f("destinations_destinationkind_check"), "destinations")
    op.create_check_constraint("destinationkind", "destinations", "kind IN ('webhook', 'task', 'chat')")


def downgrade() -> None:
    op.drop_table("alerts")
    op.execute("DROP FUNCTION alert_event()")
