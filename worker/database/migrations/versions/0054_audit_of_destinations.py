"""The audit tells by its name who has added, rotated, moved, disabled and removed a destination of events."""

from __future__ import annotations

from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

ACTS_BEFORE = ("stop", "cap", "sweep", "plan", "archive", "discount", "refund", "change")
ACTS = (*ACTS_BEFORE, "destination")

# Neither a secret nor an address: the one of a chat lets its holder write into it.
AUDITED = """
CREATE FUNCTION audit_destination() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := CASE TG_OP WHEN 'UPDATE' THEN OLD.status END;
    act text; why text; happened timestamptz := NEW.status_at;
BEGIN
    IF TG_OP = 'INSERT' THEN
        act := 'added';
        why := concat_ws(': ', NEW.kind, nullif(array_to_string(NEW.types, ', '), ''));
    ELSIF NEW.status <> OLD.status THEN
        act := CASE NEW.status WHEN 'active' THEN 'enabled' ELSE NEW.status END;
        why := NEW.status_reason;
    ELSIF NEW.target <> OLD.target THEN
        act := 'moved'; why := 'it leads elsewhere'; happened := given_at();
    ELSIF cardinality(NEW.secrets) < cardinality(OLD.secrets) THEN
        act := 'rotation finished'; why := 'it is signed by the newest secret alone'; happened := NEW.rotated_at;
    ELSE
        act := 'rotated'; why := 'it is signed by another secret too'; happened := NEW.rotated_at;
    END IF;
    INSERT INTO audit (at, actor, entity, entity_id, entity_name, from_status, to_status, reason)
    VALUES (happened, current_setting('application_name'), 'destination', NEW.id, NEW.name, before, act, why);
    RETURN NULL;
END $$;
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION audit_destination() SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
END $do$;
REVOKE ALL ON FUNCTION audit_destination() FROM PUBLIC;
DROP TRIGGER destinations_audit_insert ON destinations;
DROP TRIGGER destinations_audit_update ON destinations;
CREATE TRIGGER destinations_audit_insert AFTER INSERT ON destinations
    FOR EACH ROW EXECUTE FUNCTION audit_destination();
CREATE TRIGGER destinations_audit_update AFTER UPDATE ON destinations FOR EACH ROW
    WHEN (NEW.status <> OLD.status OR NEW.target <> OLD.target OR NEW.secrets <> OLD.secrets)
    EXECUTE FUNCTION audit_destination();
"""

AS_BEFORE = """
DROP TRIGGER destinations_audit_insert ON destinations;
DROP TRIGGER destinations_audit_update ON destinations;
DROP FUNCTION audit_destination();
CREATE TRIGGER destinations_audit_insert AFTER INSERT ON destinations
    FOR EACH ROW EXECUTE FUNCTION audit_status('destination');
CREATE TRIGGER destinations_audit_update AFTER UPDATE ON destinations FOR EACH ROW
    WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION audit_status('destination');
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
    op.execute(AUDITED)
    _reindex(ACTS_BEFORE, ACTS)


def downgrade() -> None:
    _reindex(ACTS, ACTS_BEFORE)
    op.execute(AS_BEFORE)
