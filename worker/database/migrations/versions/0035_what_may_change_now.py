"""A subscription may get another plan and another anchor, and a paid period another end; the audit tells each."""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

# Whose a subscription is stays for good; to what it is, and from which day it counts, may change until it is over.
SUBSCRIPTIONS = """
DROP TRIGGER subscriptions_are_fixed ON subscriptions;
CREATE TRIGGER subscriptions_are_fixed BEFORE UPDATE ON subscriptions FOR EACH ROW WHEN (
    (OLD.id, OLD.code, OLD.customer_reference, OLD.created_at)
        IS DISTINCT FROM (NEW.id, NEW.code, NEW.customer_reference, NEW.created_at))
    EXECUTE FUNCTION forbid_change('whose a subscription is never changes');
DROP TRIGGER subscriptions_anchor_is_fixed ON subscriptions;
CREATE TRIGGER subscriptions_over_keep_their_terms BEFORE UPDATE ON subscriptions FOR EACH ROW WHEN (
    OLD.status IN ('canceled', 'ended') AND (OLD.plan_id, OLD.anchor_on, OLD.quantity, OLD.price_version)
        IS DISTINCT FROM (NEW.plan_id, NEW.anchor_on, NEW.quantity, NEW.price_version))
    EXECUTE FUNCTION forbid_change('what a subscription that is over was never changes');
CREATE TRIGGER subscriptions_wait_for_their_plan BEFORE UPDATE ON subscriptions FOR EACH ROW WHEN (
    OLD.status = 'pending' AND OLD.plan_id IS DISTINCT FROM NEW.plan_id)
    EXECUTE FUNCTION forbid_change('a link may have been made for the plan of a subscription that waits for its key');
"""

SUBSCRIPTIONS_BEFORE = """
DROP TRIGGER subscriptions_wait_for_their_plan ON subscriptions;
DROP TRIGGER subscriptions_over_keep_their_terms ON subscriptions;
DROP TRIGGER subscriptions_are_fixed ON subscriptions;
CREATE TRIGGER subscriptions_are_fixed BEFORE UPDATE ON subscriptions FOR EACH ROW WHEN (
    (OLD.id, OLD.code, OLD.customer_reference, OLD.plan_id, OLD.created_at)
        IS DISTINCT FROM (NEW.id, NEW.code, NEW.customer_reference, NEW.plan_id, NEW.created_at))
    EXECUTE FUNCTION forbid_change('whose a subscription is, and to what, never changes');
CREATE TRIGGER subscriptions_anchor_is_fixed BEFORE UPDATE ON subscriptions FOR EACH ROW WHEN (
    (OLD.status <> 'pending') AND OLD.anchor_on IS DISTINCT FROM NEW.anchor_on)
    EXECUTE FUNCTION forbid_change('the periods of a subscription that has begun never move');
"""

# What is owed or in flight is for exactly the period that it was agreed to and sent for. Of a paid one the end may
# move: up to the charge that follows it, and never into that.
CHARGES = """
DROP TRIGGER charges_are_fixed ON charges;
CREATE TRIGGER charges_are_fixed BEFORE UPDATE ON charges FOR EACH ROW WHEN (
    ({olds}) IS DISTINCT FROM ({news})) EXECUTE FUNCTION forbid_change('what a charge is for never changes');
"""
FIXED = (
    *("id", "subscription_id", "period_start", "amount", "tax_free", "vat_amount", "currency", "order_name"),
    "created_at",
)
FIXED_BEFORE = (*FIXED, "period_end")

PERIOD_ENDS = """
CREATE FUNCTION check_period_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'paid' OR NEW.status <> 'paid' THEN
        RAISE EXCEPTION 'only the end of a paid period moves' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (SELECT FROM charges later
               WHERE later.subscription_id = NEW.subscription_id AND later.period_start > NEW.period_start
                 AND later.period_start < NEW.period_end AND later.status <> 'void') THEN
        RAISE EXCEPTION 'a paid period ends where the next one begins, at the latest'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER charges_period_end_is_guarded BEFORE UPDATE ON charges
    FOR EACH ROW WHEN (OLD.period_end IS DISTINCT FROM NEW.period_end) EXECUTE FUNCTION check_period_end();
"""

AUDITED = """
CREATE FUNCTION audit_new_period_end() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    form text := 'YYYY-MM-DD HH24:MI:SS "UTC"';
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (given_at(), current_setting('application_name'), 'charge', NEW.id, OLD.status, NEW.status,
            concat_ws(': ', format('period end %s to %s', to_char(OLD.period_end AT TIME ZONE 'UTC', form),
                                   to_char(NEW.period_end AT TIME ZONE 'UTC', form)), given_reason()));
    RETURN NULL;
END $$;
CREATE TRIGGER charges_audit_period_end AFTER UPDATE ON charges
    FOR EACH ROW WHEN (OLD.period_end IS DISTINCT FROM NEW.period_end) EXECUTE FUNCTION audit_new_period_end();

CREATE FUNCTION audit_new_terms() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed text := concat_ws(', ',
        CASE WHEN NEW.plan_id <> OLD.plan_id THEN format('plan %s to %s',
            (SELECT code FROM plans WHERE id = OLD.plan_id), (SELECT code FROM plans WHERE id = NEW.plan_id)) END,
        CASE WHEN NEW.quantity <> OLD.quantity THEN format('quantity %s to %s', OLD.quantity, NEW.quantity) END,
        CASE WHEN NEW.price_version <> OLD.price_version
            THEN format('price version %s to %s', OLD.price_version, NEW.price_version) END,
        CASE WHEN NEW.anchor_on <> OLD.anchor_on
            THEN format('anchor %s to %s', to_char(OLD.anchor_on, 'YYYY-MM-DD'), to_char(NEW.anchor_on, 'YYYY-MM-DD'))
        END);
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (given_at(), current_setting('application_name'), 'subscription', NEW.id, OLD.status, NEW.status,
            concat_ws(': ', changed, given_reason()));
    RETURN NULL;
END $$;
CREATE TRIGGER subscriptions_audit_terms AFTER UPDATE ON subscriptions FOR EACH ROW WHEN (
    OLD.status <> 'pending' AND (OLD.plan_id, OLD.anchor_on, OLD.quantity, OLD.price_version)
        IS DISTINCT FROM (NEW.plan_id, NEW.anchor_on, NEW.quantity, NEW.price_version))
    EXECUTE FUNCTION audit_new_terms();

DO $do$
DECLARE named text;
BEGIN
    FOREACH named IN ARRAY ARRAY['check_period_end()', 'audit_new_period_end()', 'audit_new_terms()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', named, current_schema());
    END LOOP;
    -- What writes the audit does so with its owner's rights, as the triggers of a table only.
    FOREACH named IN ARRAY ARRAY['audit_new_period_end()', 'audit_new_terms()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER', named);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', named);
    END LOOP;
END $do$;
"""


def _charges_keep(columns: tuple[str, ...]) -> str:
    olds, news = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return CHARGES.format(olds=olds, news=news)


def upgrade() -> None:
    for statements in (SUBSCRIPTIONS, _charges_keep(FIXED), PERIOD_ENDS, AUDITED):
        op.execute(statements)


def downgrade() -> None:
    for function in ("audit_new_terms", "audit_new_period_end", "check_period_end"):
        op.execute(f"DROP FUNCTION {function}() CASCADE")
    op.execute(_charges_keep(FIXED_BEFORE))
    op.execute(SUBSCRIPTIONS_BEFORE)
