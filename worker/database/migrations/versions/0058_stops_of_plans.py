"""The kill switch stops single plans: their charges leave the queues of the PGs, and wait in one of the plan's own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

SCOPED = ("stops", "last_stopped")

# A subscription that leaves a plan that is stopped takes its charges out of that plan's queue.
_MOVES = """
CREATE TRIGGER subscriptions_move_charges AFTER UPDATE ON subscriptions
    FOR EACH ROW WHEN (NEW.billing_key_id IS DISTINCT FROM OLD.billing_key_id {or_plan}
        OR NEW.status IN ('trialing', 'active', 'past_due') AND OLD.status NOT IN ('trialing', 'active', 'past_due'))
    EXECUTE FUNCTION subscription_moves_charges()
"""

_STOP_EVENT = """
CREATE OR REPLACE FUNCTION stop_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
DECLARE stop record;
BEGIN
    IF TG_OP = 'DELETE' THEN stop := OLD; ELSE stop := NEW; END IF;
    INSERT INTO outbox (type, at, key, data)
    VALUES (CASE WHEN stop.scope = 'all' THEN 'charging.' {plan_type} ELSE 'channel.' END
            || CASE TG_OP WHEN 'DELETE' THEN 'started' ELSE 'stopped' END,
            CASE TG_OP WHEN 'DELETE' THEN given_at() ELSE stop.stopped_at END,
            concat_ws(' ', stop.scope, stop.stopped_at, clock_timestamp()),
            {data});
END;
RETURN NULL;
END $$
"""
_OF_PG = "jsonb_build_object('pg', stop.scope)"
_OF_PLAN = "WHEN stop.plan_id IS NOT NULL THEN 'plan.'"
_OF_EITHER = f"""CASE WHEN stop.plan_id IS NULL THEN {_OF_PG}
                ELSE jsonb_build_object('plan', (SELECT code FROM plans WHERE id = stop.plan_id)) END"""  # noqa: S608

# What was replaced has lost what was set for it.
_SECURED = """
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION stop_event() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $do$;
ALTER FUNCTION stop_event() SET timezone = 'UTC' SET datestyle = 'ISO, YMD';
"""

_RETURN = """
UPDATE charges SET queue = (
    SELECT k.pg FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id WHERE s.id = subscription_id)
WHERE queue LIKE 'plan:%'
"""


def _move_charges(or_plan: str) -> None:
    op.execute("DROP TRIGGER subscriptions_move_charges ON subscriptions")
    op.execute(_MOVES.format(or_plan=or_plan))
    op.execute("ALTER TABLE subscriptions ENABLE ALWAYS TRIGGER subscriptions_move_charges")


def upgrade() -> None:
    for table in SCOPED:
        op.alter_column(table, "scope", type_=sa.String(45))
    op.add_column("stops", sa.Column("plan_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("stops_plan_id_fkey"), "stops", "plans", ["plan_id"], ["id"])
    op.create_check_constraint(op.f("stops_plan_id_check"), "stops", "(plan_id IS NOT NULL) = (scope LIKE 'plan:%')")
    op.execute(_STOP_EVENT.format(plan_type=_OF_PLAN, data=_OF_EITHER))
    op.execute(_SECURED)
    _move_charges("OR NEW.plan_id IS DISTINCT FROM OLD.plan_id")


def downgrade() -> None:
    _move_charges("")
    op.execute("ALTER TABLE stops DISABLE TRIGGER USER")  # the release before knows no event of a plan's stop
    op.execute("DELETE FROM stops WHERE plan_id IS NOT NULL")
    op.execute("ALTER TABLE stops ENABLE TRIGGER USER")
    op.execute("DELETE FROM last_stopped WHERE scope LIKE 'plan:%'")
    op.execute("DELETE FROM outbox WHERE type IN ('plan.stopped', 'plan.started')")
    op.execute(_RETURN)
    op.execute(_STOP_EVENT.format(plan_type="", data=_OF_PG))
    op.execute(_SECURED)
    op.drop_constraint(op.f("stops_plan_id_check"), "stops")
    op.drop_column("stops", "plan_id")
    for table in SCOPED:
        op.alter_column(table, "scope", type_=sa.String(16))
