"""What is set for a PG: calls a second and in flight, hours and maintenance. Set by an operator, and audited."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

ACTS_BEFORE = ("stop", "cap", "sweep", "plan", "archive", "discount", "refund", "change", "destination")
ACTS = (*ACTS_BEFORE, "channel")

# `free_at` moves on with each claim and is no act of an operator.
AUDITED = """
CREATE FUNCTION audit_channel_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_name, from_status, to_status, reason)
    VALUES (given_at(), current_setting('application_name'), 'channel', NEW.pg,
            CASE TG_OP WHEN 'UPDATE' THEN 'set' END, 'set',
            concat_ws('; ', given_reason(),
                'calls a second: ' || coalesce(CAST(NEW.calls_per_second AS text), 'no limit'),
                'in flight: ' || coalesce(CAST(NEW.in_flight AS text), 'no limit'),
                'hours: ' || coalesce(nullif(NEW.hours, ''), 'all day'),
                'maintenance: ' || coalesce(nullif(NEW.maintenance, ''), 'none')));
    RETURN NULL;
END $$;
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION audit_channel_rules() SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
END $do$;
REVOKE ALL ON FUNCTION audit_channel_rules() FROM PUBLIC;
CREATE TRIGGER channel_rules_audit_insert AFTER INSERT ON channel_rules
    FOR EACH ROW EXECUTE FUNCTION audit_channel_rules();
CREATE TRIGGER channel_rules_audit_update AFTER UPDATE ON channel_rules FOR EACH ROW
    WHEN ((NEW.calls_per_second, NEW.in_flight, NEW.hours, NEW.maintenance)
          IS DISTINCT FROM (OLD.calls_per_second, OLD.in_flight, OLD.hours, OLD.maintenance))
    EXECUTE FUNCTION audit_channel_rules();
"""

# The index of what operators do, in each partition and in those to come: the newest of one kind are next to each other.
INDEXED = """
DO $do$
DECLARE
    written text := pg_get_functiondef(CAST('close_audit_partition(regclass)' AS regprocedure));
    partition text;
BEGIN
    IF strpos(written, $index${before}$index$) = 0 THEN
        RAISE EXCEPTION 'close_audit_partition makes another index than this migration knows';
    END IF;
    EXECUTE replace(written, $index${before}$index$, $index${after}$index$);
    FOR partition IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                     WHERE i.inhparent = CAST('audit' AS regclass)
    LOOP
        EXECUTE format('DROP INDEX %I', partition || '_acts_idx');
        EXECUTE format('CREATE INDEX %I ON %I {after}', partition || '_acts_idx', partition);
    END LOOP;
END $do$;
"""


def _index(entities: tuple[str, ...]) -> str:
    """Return what an index covers, as it is written inside of a quoted statement."""
    listed = ", ".join(f"''{entity}''" for entity in entities)
    return f"(entity, id) WHERE entity IN ({listed})"


def _reindex(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    op.execute(INDEXED.replace("{before}", _index(before)).replace("{after}", _index(after)))


def upgrade() -> None:
    op.create_table(
        "channel_rules",
        sa.Column("pg", sa.String(16), primary_key=True),
        sa.Column("calls_per_second", sa.Integer),
        sa.Column("in_flight", sa.Integer),
        sa.Column("hours", sa.Text, server_default="", nullable=False),
        sa.Column("maintenance", sa.Text, server_default="", nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("calls_per_second > 0", name=op.f("channel_rules_calls_per_second_check")),
        sa.CheckConstraint("in_flight > 0", name=op.f("channel_rules_in_flight_check")),
    )
    op.execute(AUDITED)
    _reindex(ACTS_BEFORE, ACTS)


def downgrade() -> None:
    _reindex(ACTS, ACTS_BEFORE)
    op.drop_table("channel_rules")
    op.execute("DROP FUNCTION audit_channel_rules()")
