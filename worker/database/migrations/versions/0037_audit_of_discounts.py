"""The audit tells who has added and ended a discount code, and lists refunds and changes among what operators do."""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

ACTS_BEFORE = ("stop", "cap", "sweep", "plan", "archive")
ACTS = (*ACTS_BEFORE, "discount", "refund", "change")

# What a code gives never changes, and each use is a change of its subscription: two acts are left.
AUDITED = """
CREATE FUNCTION audit_discount() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, entity_name, from_status, to_status, reason)
    VALUES (coalesce(NEW.ended_at, NEW.created_at), current_setting('application_name'), 'discount', NEW.id, NEW.code,
            CASE TG_OP WHEN 'UPDATE' THEN 'added' END, CASE TG_OP WHEN 'UPDATE' THEN 'ended' ELSE 'added' END,
            CASE TG_OP WHEN 'UPDATE' THEN concat_ws('; ', given_reason(), 'used ' || NEW.uses || ' times')
            ELSE concat_ws(', ', NEW.percent || ' percent off', NEW.amount || ' won off', NEW.periods || ' periods',
                           NEW.max_uses || ' uses at most',
                           'until ' || to_char(NEW.ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) END);
    RETURN NULL;
END $$;
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION audit_discount() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $do$;
REVOKE ALL ON FUNCTION audit_discount() FROM PUBLIC;
CREATE TRIGGER discounts_audit_insert AFTER INSERT ON discounts FOR EACH ROW EXECUTE FUNCTION audit_discount();
CREATE TRIGGER discounts_audit_end AFTER UPDATE ON discounts FOR EACH ROW
    WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION audit_discount();
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


def _index(columns: str, entities: tuple[str, ...]) -> str:
    """Return what an index covers, as it is written inside of a quoted statement."""
    listed = ", ".join(f"''{entity}''" for entity in entities)
    return f"({columns}) WHERE entity IN ({listed})"


def _reindex(before: str, after: str) -> None:
    op.execute(INDEXED.replace("{before}", before).replace("{after}", after))


def upgrade() -> None:
    op.execute(AUDITED)
    _reindex(_index("id", ACTS_BEFORE), _index("entity, id", ACTS))


def downgrade() -> None:
    _reindex(_index("entity, id", ACTS), _index("id", ACTS_BEFORE))
    op.execute("DROP TRIGGER discounts_audit_end ON discounts")
    op.execute("DROP TRIGGER discounts_audit_insert ON discounts")
    op.execute("DROP FUNCTION audit_discount()")
