"""PortOne's whole answers to attempts that were settled long ago are kept in compressed blocks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

FIXED = """
DROP TRIGGER attempts_settled_are_fixed ON attempts;
CREATE TRIGGER attempts_settled_are_fixed BEFORE UPDATE ON attempts
    FOR EACH ROW WHEN ((OLD.status = 'paid' OR OLD.status = 'declined' AND NEW.status = 'declined')
        AND ((OLD.imp_uid, OLD.pg_tid, OLD.http_status, OLD.code, OLD.message, OLD.sends, OLD.started_at,
              OLD.settled_at)
             IS DISTINCT FROM (NEW.imp_uid, NEW.pg_tid, NEW.http_status, NEW.code, NEW.message, NEW.sends,
                               NEW.started_at, NEW.settled_at)
             OR OLD.raw IS DISTINCT FROM NEW.raw {unless}))
    EXECUTE FUNCTION forbid_change('what settled an attempt never changes');
"""

# An answer leaves its row only for a block that has it, and blocks are written by this function alone.
ARCHIVE = """
CREATE FUNCTION check_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.archived_in IS NOT NULL
       OR NOT EXISTS (SELECT FROM archived_answers b WHERE b.id = NEW.archived_in AND OLD.id = ANY(b.attempt_ids)) THEN
        RAISE EXCEPTION 'an archived answer stays where it is' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attempts_archived_are_kept BEFORE UPDATE ON attempts
    FOR EACH ROW WHEN (OLD.archived_in IS DISTINCT FROM NEW.archived_in) EXECUTE FUNCTION check_archived();
CREATE TRIGGER archived_answers_are_kept BEFORE UPDATE OR DELETE ON archived_answers
    FOR EACH ROW EXECUTE FUNCTION forbid_change('archived answers are never changed or deleted');

CREATE FUNCTION archive_answers(settled_before timestamptz, after_id bigint, last_id bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    block bigint;
    moved integer;
BEGIN
    INSERT INTO archived_answers (settled_from, settled_until, attempt_ids, answers)
    SELECT min(settled_at), max(settled_at), array_agg(id ORDER BY id), jsonb_object_agg(id, raw)
    FROM (
        SELECT a.id, a.settled_at, a.raw FROM attempts a
        WHERE a.id > after_id AND a.id <= last_id AND a.raw IS NOT NULL AND a.archived_in IS NULL
          AND a.settled_at < settled_before
          AND a.status IN ('paid', 'declined', 'not_charged')
          AND (SELECT c.status FROM charges c WHERE c.id = a.charge_id) IN ('paid', 'uncollectible', 'void')
          AND NOT EXISTS (SELECT FROM discrepancies d WHERE d.charge_id = a.charge_id AND d.status = 'open')
        ORDER BY a.id FOR UPDATE OF a SKIP LOCKED) old
    HAVING count(*) > 0
    RETURNING id INTO block;
    IF block IS NULL THEN
        RETURN 0;
    END IF;
    UPDATE attempts a SET raw = NULL, archived_in = block
    FROM archived_answers b WHERE b.id = block AND a.id = ANY(b.attempt_ids);
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END $$;

CREATE FUNCTION audit_archive() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_name, to_status, reason)
    VALUES (clock_timestamp(), current_setting('application_name'), 'archive', 'answers', 'archived',
            coalesce(given_reason(), ''));
    RETURN NULL;
END $$;
-- Once a run, which says why in its first transaction.
CREATE TRIGGER archived_answers_audit AFTER INSERT ON archived_answers FOR EACH ROW
    WHEN (given_reason() IS NOT NULL) EXECUTE FUNCTION audit_archive();

DO $do$
DECLARE named text;
BEGIN
    FOREACH named IN ARRAY ARRAY['check_archived()', 'archive_answers(timestamptz, bigint, bigint)', 'audit_archive()']
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', named, current_schema());
    END LOOP;
END $do$;
REVOKE ALL ON FUNCTION audit_archive() FROM PUBLIC;
"""

# The old rows of this table are read by their id alone.
RIGHTS = """
DO $do$
DECLARE grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = CAST('archived_answers' AS regclass) AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON TABLE archived_answers FROM %s', grantee);
    END LOOP;
END $do$;
"""

BACK = """
ALTER TABLE attempts DISABLE TRIGGER USER;
UPDATE attempts a SET raw = coalesce(a.raw, b.answers -> CAST(a.id AS text))
FROM archived_answers b WHERE b.id = a.archived_in;
ALTER TABLE attempts ENABLE TRIGGER USER;
"""


def upgrade() -> None:
    op.create_table(
        "archived_answers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("settled_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempt_ids", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("answers", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("archived_answers_pkey")),
    )
    op.add_column("attempts", sa.Column("archived_in", sa.BigInteger(), nullable=True))
    op.execute(ARCHIVE)
    op.execute(RIGHTS)
    op.execute(FIXED.format(unless="AND (NEW.raw IS NOT NULL OR NEW.archived_in IS NULL)"))


def downgrade() -> None:
    op.execute(FIXED.format(unless=""))
    op.execute("DROP FUNCTION check_archived() CASCADE")
    op.execute("DROP FUNCTION archive_answers(timestamptz, bigint, bigint)")
    op.execute(BACK)
    op.drop_column("attempts", "archived_in")
    op.drop_table("archived_answers")
    op.execute("DROP FUNCTION audit_archive()")
