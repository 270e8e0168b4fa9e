"""The customers' pages end dunning and undo that, as payments and keys have it; they write no other act."""

from __future__ import annotations

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

# Rights are of tables and columns, and what the pages may write differs by the row. A role is known by its rights, as
# its name is the administrator's: who may not write refunds may not ask for what an operator or a host asks for.
GUARDS = """
CREATE FUNCTION check_may_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT has_table_privilege(format('%I.refunds', TG_TABLE_SCHEMA), 'INSERT') THEN
        RAISE EXCEPTION 'role % takes payments and keys, and asks for nothing else', current_user
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER changes_are_asked_for_by_who_may_act BEFORE INSERT ON changes
    FOR EACH ROW WHEN (NEW.kind <> 'end_dunning') EXECUTE FUNCTION check_may_act();
CREATE TRIGGER changes_are_ended_by_who_may_act BEFORE UPDATE ON changes
    FOR EACH ROW WHEN (OLD.kind <> 'end_dunning') EXECUTE FUNCTION check_may_act();
CREATE TRIGGER adjustments_are_made_by_who_may_act BEFORE INSERT ON adjustments
    FOR EACH ROW WHEN (NEW.kind IN ('discount', 'one_off')) EXECUTE FUNCTION check_may_act();
"""


def upgrade() -> None:
    op.execute(GUARDS)


def downgrade() -> None:
    op.execute("DROP FUNCTION check_may_act() CASCADE")
