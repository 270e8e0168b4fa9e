"""The audit is kept by month, so that old months can be taken out of it whole."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

COLUMNS = """
    id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, actor text NOT NULL, entity text NOT NULL,
    entity_id bigint, entity_name text, from_status text, to_status text NOT NULL, reason text NOT NULL,
    CONSTRAINT audit_entity_check CHECK (entity_id IS NOT NULL OR entity_name IS NOT NULL)
"""
NAMES = "at, actor, entity, entity_id, entity_name, from_status, to_status, reason"

INDEXES_BEFORE = """
CREATE INDEX audit_entity_idx ON audit (entity, entity_id);
CREATE INDEX audit_acts_idx ON audit (id) WHERE entity IN ('stop', 'cap', 'sweep', 'plan');
"""

TRIGGERS = r"""
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION forbid_change('audit rows are never changed or deleted');
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change('audit rows are never changed or deleted');
CREATE TRIGGER audit_keeps_codes_only BEFORE INSERT ON audit
    FOR EACH ROW WHEN (NEW.entity IN ('attempt', 'charge', 'billing_key', 'stop')
                       AND NEW.reason ~ '(^|\()(soft|hard|config|transient|unmatched): ')
    EXECUTE FUNCTION keep_codes_only();
"""

# A partition is written and read through its table alone, whose rights are what counts: whatever rights a role gets on
# new tables by default, it has none on these. Rows are only ever added, so the first vacuum freezes them. Each has its
# indexes by itself: `pg_restore --clean` cannot drop those that a partition has from its table.
CLOSED = """
CREATE FUNCTION close_audit_partition(partition regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
        FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = partition AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON TABLE %s FROM %s', partition, grantee);
    END LOOP;
    EXECUTE format('CREATE INDEX %I ON %s (entity, entity_id)', relname || '_entity_idx', partition)
    FROM pg_class WHERE oid = partition;
    EXECUTE format('CREATE UNIQUE INDEX %I ON %s (id)', relname || '_id_idx', partition)
    FROM pg_class WHERE oid = partition;
    EXECUTE format('CREATE INDEX %I ON %s (id) WHERE entity IN (''stop'', ''cap'', ''sweep'', ''plan'', ''archive'')',
                   relname || '_acts_idx', partition)
    FROM pg_class WHERE oid = partition;
    EXECUTE format('CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON %s FOR EACH STATEMENT '
                   'EXECUTE FUNCTION forbid_change(%L)', partition, 'audit rows are never changed or deleted');
    EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_freeze_min_age = 0)',
                   partition);
END $$;
"""

# Months follow each other without a gap, in UTC. What has come into the default partition of a month that had none is
# moved, or the month could not be attached. Where others keep the locks for long this gives up, and the next tick tries
# again; two months ahead, there is time for that.
MADE = r"""
CREATE FUNCTION next_audit_month() RETURNS timestamptz LANGUAGE sql STABLE
SET "DateStyle" = 'ISO, YMD' SET "TimeZone" = 'UTC' AS $$
    SELECT greatest(date_trunc('month', clock_timestamp()), max(CAST(
        substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''') AS timestamptz)))
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = CAST('audit' AS regclass)
$$;

CREATE FUNCTION make_audit_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET lock_timeout = '2s' SET "DateStyle" = 'ISO, YMD' SET "TimeZone" = 'UTC' AS $$
DECLARE
    last timestamptz := date_trunc('month', clock_timestamp()) + interval '2 months';
    starts timestamptz := next_audit_month();
    ends timestamptz;
    partition text;
    made integer := 0;
BEGIN
    IF starts > last THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('again.audit_partitions'));
    LOOP
        starts := next_audit_month();
        EXIT WHEN starts > last;
        ends := starts + interval '1 month';
        partition := to_char(starts, '"audit_"YYYY_MM');
        EXECUTE format('CREATE TABLE %I (LIKE audit INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
        IF EXISTS (SELECT FROM audit_default WHERE at >= starts AND at < ends) THEN
            ALTER TABLE audit_default DISABLE TRIGGER audit_is_append_only;
            EXECUTE format('WITH moved AS (DELETE FROM audit_default WHERE at >= %L AND at < %L RETURNING *) '
                           'INSERT INTO %I SELECT * FROM moved', starts, ends, partition);
            ALTER TABLE audit_default ENABLE TRIGGER audit_is_append_only;
        END IF;
        EXECUTE format('ALTER TABLE audit ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, starts, ends);
        PERFORM close_audit_partition(CAST(quote_ident(partition) AS regclass));
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

DO $do$
DECLARE named text;
BEGIN
    FOREACH named IN ARRAY ARRAY['close_audit_partition(regclass)', 'next_audit_month()', 'make_audit_partitions()']
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', named, current_schema());
    END LOOP;
END $do$;
"""

# What was written before becomes one partition, with its rows where they are.
SET_ASIDE = f"""
ALTER TABLE audit ALTER id DROP IDENTITY;
ALTER TABLE audit DROP CONSTRAINT audit_pkey;
DROP TRIGGER audit_is_append_only ON audit;
DROP TRIGGER audit_is_not_emptied ON audit;
DROP TRIGGER audit_keeps_codes_only ON audit;
DROP INDEX audit_acts_idx;
DROP INDEX audit_entity_idx;
ALTER TABLE audit RENAME TO audit_before;
CREATE TABLE audit ({COLUMNS}) PARTITION BY RANGE (at);
"""

# Rights on the new table are what they were on the old one.
RIGHTS = """
DO $do$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT c.relname, a.privilege_type,
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid IN (CAST('audit' AS regclass), CAST('{before}' AS regclass)) AND a.grantee <> c.relowner
        ORDER BY c.relname = '{before}'
    LOOP
        IF given.relname = 'audit' THEN
            EXECUTE format('REVOKE ALL ON TABLE audit FROM %s', given.grantee);
        ELSE
            EXECUTE format('GRANT %s ON TABLE audit TO %s', given.privilege_type, given.grantee);
        END IF;
    END LOOP;
END $do$;
"""

ATTACHED = """
DO $do$
DECLARE ends text := to_char(date_trunc('month', greatest(clock_timestamp(), (SELECT max(at) FROM audit_before))
                                        AT TIME ZONE 'UTC') + interval '1 month', 'YYYY-MM-DD"T00:00Z"');
BEGIN
    PERFORM setval(pg_get_serial_sequence('audit', 'id'), (SELECT max(id) FROM audit_before));
    EXECUTE format('ALTER TABLE audit ATTACH PARTITION audit_before FOR VALUES FROM (MINVALUE) TO (%L)', ends);
    PERFORM close_audit_partition('audit_before');
END $do$;
"""

DEFAULT = """
CREATE TABLE audit_default PARTITION OF audit DEFAULT;
SELECT close_audit_partition('audit_default');
SELECT make_audit_partitions();
"""

JOINED = f"""
ALTER TABLE audit RENAME TO audit_by_month;
CREATE TABLE audit ({COLUMNS}, CONSTRAINT audit_pkey PRIMARY KEY (id));
INSERT INTO audit (id, {NAMES}) OVERRIDING SYSTEM VALUE SELECT id, {NAMES} FROM audit_by_month ORDER BY id;
SELECT setval(pg_get_serial_sequence('audit', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL) FROM audit;
"""  # noqa: S608 - constants only


def upgrade() -> None:
    for statements in (CLOSED, MADE, SET_ASIDE, RIGHTS.format(before="audit_before"), TRIGGERS):
        op.execute(statements)
    has_rows = op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT FROM audit_before)"))
    op.execute(ATTACHED if has_rows else "DROP TABLE audit_before")
    op.execute(DEFAULT)


def downgrade() -> None:
    for statements in (JOINED, INDEXES_BEFORE, RIGHTS.format(before="audit_by_month"), "DROP TABLE audit_by_month"):
        op.execute(statements)
    op.execute(TRIGGERS)
    for function in ("make_audit_partitions()", "next_audit_month()", "close_audit_partition(regclass)"):
        op.execute(f"DROP FUNCTION {function}")
