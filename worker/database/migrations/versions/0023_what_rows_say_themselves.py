"""The audit leaves out what the rows of an ordinary paid charge say themselves; an attempt names who has made it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# A process of the worker, by the name of its connection: see worker/process.py.
BY_WORKER = "starts_with(current_setting('application_name'), 'worker ')"

# Conditions of triggers are looked at as rows are written, and cost next to nothing where they do not hold: an ordinary
# charge calls no function. What another process than a worker does, an operator above all, is written down in any case.
OPENED = f"NOT (NEW.status = 'due' AND {BY_WORKER})"
CLAIMED_OR_PAID = f"(NEW.status = 'charging' OR OLD.status = 'charging' AND NEW.status = 'paid') AND {BY_WORKER}"
STARTED = f"NEW.status = 'started' AND NEW.via = 'again' AND {BY_WORKER}"
ANSWERED = f"""OLD.status = 'started' AND NEW.status = 'paid' AND NEW.via = 'again' AND NEW.sends = 1
    AND NEW.created_by = current_setting('application_name') AND {BY_WORKER}"""

FUNCTIONS = """
CREATE FUNCTION audit_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (NEW.status_at, current_setting('application_name'), TG_ARGV[0], NEW.id,
            CASE TG_OP WHEN 'UPDATE' THEN OLD.status END, NEW.status, NEW.status_reason);
    RETURN NULL;
END $$;

-- What is sent again says so in its row, which forgets its first start: the audit remembers that from here on.
CREATE FUNCTION audit_sent_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (OLD.started_at, OLD.created_by, 'attempt', OLD.id, NULL, 'started', 'claimed');
    RETURN NULL;
END $$;

DO $do$
DECLARE named text;
BEGIN
    FOREACH named IN ARRAY ARRAY['audit_status()', 'audit_sent_again()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', named, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', named);
    END LOOP;
END $do$;
"""

TRIGGERS = f"""
DROP TRIGGER charges_audit_insert ON charges;
DROP TRIGGER charges_audit_update ON charges;
DROP TRIGGER attempts_audit_insert ON attempts;
DROP TRIGGER attempts_audit_update ON attempts;
DROP TRIGGER subscriptions_audit_update ON subscriptions;
CREATE TRIGGER charges_audit_insert AFTER INSERT ON charges FOR EACH ROW
    WHEN ({OPENED}) EXECUTE FUNCTION audit_status('charge');
CREATE TRIGGER charges_audit_update AFTER UPDATE ON charges FOR EACH ROW
    WHEN (NEW.status <> OLD.status AND NOT ({CLAIMED_OR_PAID})) EXECUTE FUNCTION audit_status('charge');
CREATE TRIGGER attempts_audit_insert AFTER INSERT ON attempts FOR EACH ROW
    WHEN (NOT ({STARTED})) EXECUTE FUNCTION audit_status('attempt');
CREATE TRIGGER attempts_audit_update AFTER UPDATE ON attempts FOR EACH ROW
    WHEN (NEW.status <> OLD.status AND NOT ({ANSWERED})) EXECUTE FUNCTION audit_status('attempt');
CREATE TRIGGER attempts_audit_again AFTER UPDATE ON attempts FOR EACH ROW
    WHEN (OLD.sends = 1 AND NEW.sends = 2 AND OLD.via = 'again' AND starts_with(OLD.created_by, 'worker '))
    EXECUTE FUNCTION audit_sent_again();
-- Each charge moves its subscription on, and few change its status.
CREATE TRIGGER subscriptions_audit_update AFTER UPDATE ON subscriptions FOR EACH ROW
    WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION audit_status('subscription');
"""

FIXED = """
DROP TRIGGER attempts_are_fixed ON attempts;
CREATE TRIGGER attempts_are_fixed BEFORE UPDATE ON attempts
    FOR EACH ROW WHEN ((OLD.id, OLD.charge_id, OLD.number, OLD.merchant_uid, OLD.created_by)
        IS DISTINCT FROM (NEW.id, NEW.charge_id, NEW.number, NEW.merchant_uid, NEW.created_by))
    EXECUTE FUNCTION forbid_change('an attempt keeps its charge, its number and its merchant_uid');
"""

FIXED_BEFORE = """
DROP TRIGGER attempts_are_fixed ON attempts;
CREATE TRIGGER attempts_are_fixed BEFORE UPDATE ON attempts
    FOR EACH ROW WHEN ((OLD.id, OLD.charge_id, OLD.number, OLD.merchant_uid)
        IS DISTINCT FROM (NEW.id, NEW.charge_id, NEW.number, NEW.merchant_uid))
    EXECUTE FUNCTION forbid_change('an attempt keeps its charge, its number and its merchant_uid');
"""

AUDITED_BEFORE = {"subscriptions": "subscription", "charges": "charge", "attempts": "attempt"}


def upgrade() -> None:
    # What is there already has its start in the audit; a default that came with the column would name the migration.
    op.add_column("attempts", sa.Column("created_by", sa.Text(), nullable=True))
    op.alter_column("attempts", "created_by", server_default=sa.text("current_setting('application_name')"))
    for statements in (FUNCTIONS, TRIGGERS, FIXED):
        op.execute(statements)


def downgrade() -> None:
    op.execute("DROP FUNCTION audit_status() CASCADE")
    op.execute("DROP FUNCTION audit_sent_again() CASCADE")
    for table, entity in AUDITED_BEFORE.items():
        if table != "subscriptions":
            op.execute(f"""
                CREATE TRIGGER {table}_audit_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows
                FOR EACH STATEMENT EXECUTE FUNCTION audit_new_status('{entity}')
            """)
        op.execute(f"""
            CREATE TRIGGER {table}_audit_update AFTER UPDATE ON {table}
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION audit_changed_status('{entity}')
        """)
    op.execute(FIXED_BEFORE)
    op.drop_column("attempts", "created_by")
