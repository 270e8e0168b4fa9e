"""Running totals of events and of calls, and in the outbox what they are made of: dunning steps and refunded sums."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

CHARGE_EVENT = """
CREATE OR REPLACE FUNCTION charge_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN
    INSERT INTO outbox (type, at, subscription_id, charge_id, key, data)
    VALUES (TG_ARGV[0], CASE TG_ARGV[0] WHEN 'charge.refunded' THEN given_at() ELSE NEW.status_at END,
            NEW.subscription_id, NEW.id,
            CASE WHEN TG_ARGV[0] = 'charge.refunded' THEN NEW.refunded::text
                WHEN TG_ARGV[0] IN ('charge.uncollectible', 'charge.reopened')
                    THEN times_audited('charge', NEW.id, 'uncollectible')
                ELSE '' END,
            jsonb_build_object(
                'status', NEW.status, 'period_end', NEW.period_end, 'next_attempt_at', NEW.next_attempt_at,
                'refunded', NEW.refunded{more}));
END;
RETURN NULL;
END $$
"""
TOTALS = """, 'declines', NEW.declines, 'elsewhere', NEW.paid_elsewhere IS NOT NULL,
                'refunded_before', CASE TG_OP WHEN 'UPDATE' THEN OLD.refunded ELSE 0 END"""

# What was replaced has lost what was set for it.
SECURED = """
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION charge_event() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $do$;
ALTER FUNCTION charge_event() SET timezone = 'UTC' SET datestyle = 'ISO, YMD';
"""

# A row is updated many times a second: its versions stay on its page, and are cleared away soon.
STORAGE = """
ALTER TABLE event_totals SET (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE call_totals SET (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
"""


def upgrade() -> None:
    op.create_table(
        "event_totals",
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("pg", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("type", "pg", "kind", name=op.f("event_totals_pkey")),
    )
    op.create_table(
        "call_totals",
        sa.Column("pg", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("pg", "outcome", "bucket", "part", name=op.f("call_totals_pkey")),
    )
    op.execute(STORAGE)
    op.execute(CHARGE_EVENT.format(more=TOTALS))
    op.execute(SECURED)


def downgrade() -> None:
    op.execute(CHARGE_EVENT.format(more=""))
    op.execute(SECURED)
    op.drop_table("call_totals")
    op.drop_table("event_totals")
