"""A clock that was stepped gives unfinished sweeps other times, and a release ends them early: the audit tells both."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FIXED = """
DROP TRIGGER sweeps_are_fixed ON sweeps;
CREATE TRIGGER sweeps_are_fixed BEFORE UPDATE ON sweeps
    FOR EACH ROW WHEN ((OLD.id, OLD.holds_claims) IS DISTINCT FROM (NEW.id, NEW.holds_claims))
    EXECUTE FUNCTION forbid_change('what a sweep holds never changes');
"""

RETIMED = """
CREATE FUNCTION audit_retimed_sweep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (given_at(), current_setting('application_name'), 'sweep', NEW.id, 'begun', 'retimed',
            concat_ws('; ', NEW.reason, given_reason(),
                      format('until %s instead of %s',
                             to_char(NEW.until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
                             to_char(OLD.until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))));
    RETURN NULL;
END $$;
CREATE TRIGGER sweeps_audit_retimed AFTER UPDATE ON sweeps
    FOR EACH ROW WHEN (NEW.until <> OLD.until AND NEW.finished_at IS NULL) EXECUTE FUNCTION audit_retimed_sweep();
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION audit_retimed_sweep() SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
END $$;
REVOKE ALL ON FUNCTION audit_retimed_sweep() FROM PUBLIC;
"""

FIXED_BEFORE = """
DROP FUNCTION audit_retimed_sweep() CASCADE;
DROP TRIGGER sweeps_are_fixed ON sweeps;
CREATE TRIGGER sweeps_are_fixed BEFORE UPDATE ON sweeps
    FOR EACH ROW WHEN ((OLD.id, OLD.holds_claims, OLD.since, OLD.until, OLD.started_at)
        IS DISTINCT FROM (NEW.id, NEW.holds_claims, NEW.since, NEW.until, NEW.started_at))
    EXECUTE FUNCTION forbid_change('what a sweep compares, and what it holds, never changes');
"""


def upgrade() -> None:
    op.execute(FIXED)
    op.execute(RETIMED)


def downgrade() -> None:
    op.execute(FIXED_BEFORE)
