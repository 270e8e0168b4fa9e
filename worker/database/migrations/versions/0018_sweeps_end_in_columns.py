"""Why a sweep began and how it ended are columns, not a sentence; so is when a stop was last seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

REASONS = ("daily", "by_hand", "gap", "restored", "clock")
ENDS = ("released", "clock_set")

# What had ended could say so only in its reason, and neither could be changed any more.
SPLIT = """
ALTER TABLE sweeps DISABLE TRIGGER USER;
UPDATE sweeps
SET released_by = substring(reason from ', released by (.*)$'),
    ended_early = CASE WHEN reason LIKE '%, released by %' THEN 'released'
                       WHEN reason LIKE '%, overtaken by a set clock' THEN 'clock_set' END,
    reason = replace(split_part(reason, ', ', 1), ' ', '_');
ALTER TABLE sweeps ENABLE TRIGGER USER;
"""

# They name the column whose type changes.
UNFIXED = "DROP TRIGGER sweeps_are_fixed ON sweeps; DROP TRIGGER sweeps_finished_stay_so ON sweeps"

FIXED = """
CREATE TRIGGER sweeps_are_fixed BEFORE UPDATE ON sweeps
    FOR EACH ROW WHEN ((OLD.id, OLD.holds_claims, OLD.reason) IS DISTINCT FROM (NEW.id, NEW.holds_claims, NEW.reason))
    EXECUTE FUNCTION forbid_change('why a sweep began, and what it holds, never changes');
CREATE TRIGGER sweeps_finished_stay_so BEFORE UPDATE ON sweeps
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL AND (OLD.finished_at, OLD.ended_early, OLD.released_by)
        IS DISTINCT FROM (NEW.finished_at, NEW.ended_early, NEW.released_by))
    EXECUTE FUNCTION forbid_change('a sweep that has ended has ended');
"""

AUDITED = """
CREATE OR REPLACE FUNCTION audit_sweep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (CASE TG_OP WHEN 'INSERT' THEN NEW.started_at ELSE NEW.finished_at END,
            current_setting('application_name'), 'sweep', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN 'begun' END,
            CASE WHEN TG_OP = 'INSERT' THEN 'begun'
                 WHEN NEW.ended_early IS NOT NULL THEN 'released' ELSE 'finished' END,
            concat_ws('; ',
                      concat_ws(', ', NEW.reason, 'released by ' || NEW.released_by,
                                CASE NEW.ended_early WHEN 'clock_set' THEN 'overtaken by a set clock' END),
                      given_reason(),
                      CASE WHEN TG_OP = 'INSERT' AND NEW.holds_claims THEN 'nothing is charged meanwhile' END));
    RETURN NULL;
END $$;
"""

OWNED = """
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION audit_sweep() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $$;
"""

AUDITED_BEFORE = """
CREATE OR REPLACE FUNCTION audit_sweep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (CASE TG_OP WHEN 'INSERT' THEN NEW.started_at ELSE NEW.finished_at END,
            current_setting('application_name'), 'sweep', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN 'begun' END,
            CASE WHEN TG_OP = 'INSERT' THEN 'begun' WHEN NEW.reason <> OLD.reason THEN 'released' ELSE 'finished' END,
            concat_ws('; ', NEW.reason, given_reason(),
                      CASE WHEN TG_OP = 'INSERT' AND NEW.holds_claims THEN 'nothing is charged meanwhile' END));
    RETURN NULL;
END $$;
"""

FIXED_BEFORE = """
CREATE TRIGGER sweeps_are_fixed BEFORE UPDATE ON sweeps
    FOR EACH ROW WHEN ((OLD.id, OLD.holds_claims) IS DISTINCT FROM (NEW.id, NEW.holds_claims))
    EXECUTE FUNCTION forbid_change('what a sweep holds never changes');
CREATE TRIGGER sweeps_finished_stay_so BEFORE UPDATE ON sweeps
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL AND (OLD.finished_at, OLD.reason)
        IS DISTINCT FROM (NEW.finished_at, NEW.reason))
    EXECUTE FUNCTION forbid_change('a sweep that has ended has ended');
"""

JOINED = """
ALTER TABLE sweeps DISABLE TRIGGER USER;
UPDATE sweeps
SET reason = concat_ws(', ', replace(reason, '_', ' '), 'released by ' || released_by,
                       CASE ended_early WHEN 'clock_set' THEN 'overtaken by a set clock' END);
ALTER TABLE sweeps ENABLE TRIGGER USER;
"""


def upgrade() -> None:
    op.add_column("sweeps", sa.Column("ended_early", sa.String(length=20), nullable=True))
    op.add_column("sweeps", sa.Column("released_by", sa.Text(), nullable=True))
    op.execute(SPLIT)
    op.execute(UNFIXED)
    op.alter_column("sweeps", "reason", type_=sa.String(length=20))
    for name, column, values in (("sweepreason", "reason", REASONS), ("sweepend", "ended_early", ENDS)):
        named = ", ".join(f"'{value}'" for value in values)
        op.create_check_constraint(op.f(f"sweeps_{name}_check"), "sweeps", f"{column} IN ({named})")
    op.create_check_constraint(
        op.f("sweeps_released_by_check"),
        "sweeps",
        "(released_by IS NOT NULL) = (ended_early IS NOT DISTINCT FROM 'released')",
    )
    op.execute(FIXED)
    op.execute(AUDITED)
    op.execute(OWNED)
    op.create_table(
        "last_stopped",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("last_stopped_pkey")),
    )
    op.execute(
        "INSERT INTO last_stopped SELECT substr(name, 9), seen_at FROM heartbeats WHERE starts_with(name, 'stopped:')"
    )
    op.execute("DELETE FROM heartbeats WHERE starts_with(name, 'stopped:')")


def downgrade() -> None:
    op.execute("INSERT INTO heartbeats SELECT 'stopped:' || scope, seen_at FROM last_stopped")
    op.drop_table("last_stopped")
    op.execute(UNFIXED)
    for name in ("sweepreason", "sweepend", "released_by"):
        op.drop_constraint(op.f(f"sweeps_{name}_check"), "sweeps")
    op.alter_column("sweeps", "reason", type_=sa.Text())
    op.execute(JOINED)
    op.execute(FIXED_BEFORE)
    op.execute(AUDITED_BEFORE)
    op.execute(OWNED)
    op.drop_column("sweeps", "released_by")
    op.drop_column("sweeps", "ended_early")
