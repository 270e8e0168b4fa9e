"""What never changes is kept so by the database, whoever writes; and operators' acts are in the audit as well."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The worker's role may not write into the audit: its triggers do, with the rights of their owner. What they name is
# looked for in their own schema, and in nobody's temporary tables before that.
ADDED = ("audit_same_status", "audit_new_key", "audit_refund", "audit_stop", "audit_plan", "audit_count", "audit_sweep")
DEFINERS = ("audit_new_status", "audit_changed_status", *ADDED)

# Why, and at what time, as the transaction says: see worker/database/audit_reason.py.
REASONS = """
CREATE FUNCTION given_reason() RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT nullif(current_setting('again.reason', true), '') $$;
CREATE FUNCTION given_at() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT coalesce(CAST(nullif(current_setting('again.at', true), '') AS timestamptz), clock_timestamp()) $$;
"""

# What moves on without a change of its status.
SAME_STATUS = """
CREATE FUNCTION audit_same_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (NEW.status_at, current_setting('application_name'), TG_ARGV[0], NEW.id, OLD.status, NEW.status,
            NEW.status_reason);
    RETURN NULL;
END $$;
CREATE TRIGGER checkouts_audit_agreed_again AFTER UPDATE ON checkouts
    FOR EACH ROW WHEN (NEW.status = OLD.status AND NEW.windows <> OLD.windows)
    EXECUTE FUNCTION audit_same_status('checkout');

CREATE FUNCTION audit_new_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fact text := format('billing key %s to %s', coalesce(OLD.billing_key_id::text, 'none'),
                        coalesce(NEW.billing_key_id::text, 'none'));
    given text := given_reason();
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (given_at(), current_setting('application_name'), 'subscription', NEW.id, OLD.status, NEW.status,
            CASE WHEN starts_with(given, fact) THEN given ELSE concat_ws(': ', fact, given) END);
    RETURN NULL;
END $$;
CREATE TRIGGER subscriptions_audit_key AFTER UPDATE ON subscriptions
    FOR EACH ROW WHEN (NEW.billing_key_id IS DISTINCT FROM OLD.billing_key_id AND OLD.status <> 'pending')
    EXECUTE FUNCTION audit_new_key();

CREATE FUNCTION audit_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (given_at(), current_setting('application_name'), 'difference', NEW.id, OLD.status, NEW.status,
            coalesce(given_reason(), format('refund of %s begun', NEW.evidence #>> '{refund,imp_uid}')));
    RETURN NULL;
END $$;
CREATE TRIGGER differences_audit_refund AFTER UPDATE ON differences
    FOR EACH ROW WHEN (NEW.evidence -> 'refund' IS NOT NULL
        AND NEW.evidence -> 'refund' IS DISTINCT FROM OLD.evidence -> 'refund')
    EXECUTE FUNCTION audit_refund();
"""

# What operators do. The rows of `stops` are deleted by `again start`: here it stays who released what.
ACTS = """
CREATE FUNCTION audit_stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO audit (at, actor, entity, entity_name, from_status, to_status, reason)
        VALUES (given_at(), current_setting('application_name'), 'stop', OLD.scope, 'stopped', 'started',
                coalesce(given_reason(), 'no reason was given'));
    ELSE
        INSERT INTO audit (at, actor, entity, entity_name, from_status, to_status, reason)
        VALUES (NEW.stopped_at, current_setting('application_name'), 'stop', NEW.scope,
                CASE TG_OP WHEN 'UPDATE' THEN 'stopped' END, 'stopped', NEW.reason);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER stops_audit AFTER INSERT OR UPDATE OR DELETE ON stops FOR EACH ROW EXECUTE FUNCTION audit_stop();

CREATE FUNCTION audit_plan() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_plan jsonb := coalesce(to_jsonb(OLD), '{}');
    new_plan jsonb := coalesce(to_jsonb(NEW), '{}');
    changed text;
BEGIN
    SELECT string_agg(concat_ws(' ', key || ':', old_plan ->> key || ' to', new_plan ->> key), ', ' ORDER BY key)
    INTO changed
    FROM jsonb_object_keys(CASE TG_OP WHEN 'DELETE' THEN old_plan ELSE new_plan END) AS key
    WHERE key NOT IN ('id', 'code', 'created_at') AND (old_plan -> key) IS DISTINCT FROM (new_plan -> key)
      AND coalesce(new_plan ->> key, old_plan ->> key) IS NOT NULL;
    INSERT INTO audit (at, actor, entity, entity_id, entity_name, from_status, to_status, reason)
    VALUES (given_at(), current_setting('application_name'), 'plan',
            coalesce(new_plan ->> 'id', old_plan ->> 'id')::bigint, coalesce(new_plan ->> 'code', old_plan ->> 'code'),
            CASE TG_OP WHEN 'INSERT' THEN NULL ELSE 'sold' END,
            CASE TG_OP WHEN 'DELETE' THEN 'deleted' WHEN 'UPDATE' THEN 'changed' ELSE 'sold' END,
            coalesce(concat_ws('; ', given_reason(), changed), ''));
    RETURN NULL;
END $$;
CREATE TRIGGER plans_audit AFTER INSERT OR UPDATE OR DELETE ON plans FOR EACH ROW EXECUTE FUNCTION audit_plan();

CREATE FUNCTION audit_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_name, from_status, to_status, reason)
    VALUES (NEW.since, current_setting('application_name'), 'cap', NEW.pg, 'counted', 'counted anew',
            concat_ws('; ', given_reason(),
                      CASE TG_OP WHEN 'UPDATE' THEN format('on %s there had been %s charges of %s won since %s',
                          to_char(OLD.day_on, 'YYYY-MM-DD'), OLD.sends, OLD.amount,
                          to_char(OLD.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
                      ELSE format('on %s there had been none', to_char(NEW.day_on, 'YYYY-MM-DD')) END));
    RETURN NULL;
END $$;
CREATE TRIGGER day_totals_audit_insert AFTER INSERT ON day_totals
    FOR EACH ROW WHEN (NEW.sends = 0) EXECUTE FUNCTION audit_count();
CREATE TRIGGER day_totals_audit_update AFTER UPDATE ON day_totals
    FOR EACH ROW WHEN (NEW.since <> OLD.since) EXECUTE FUNCTION audit_count();

CREATE FUNCTION audit_sweep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (CASE TG_OP WHEN 'INSERT' THEN NEW.started_at ELSE NEW.finished_at END,
            current_setting('application_name'), 'sweep', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN 'begun' END,
            CASE WHEN TG_OP = 'INSERT' THEN 'begun' WHEN NEW.reason <> OLD.reason THEN 'released' ELSE 'finished' END,
            concat_ws('; ', NEW.reason, given_reason(),
                      CASE WHEN TG_OP = 'INSERT' AND NEW.holds_claims THEN 'nothing is charged meanwhile' END));
    RETURN NULL;
END $$;
CREATE TRIGGER sweeps_audit_insert AFTER INSERT ON sweeps FOR EACH ROW EXECUTE FUNCTION audit_sweep();
CREATE TRIGGER sweeps_audit_update AFTER UPDATE ON sweeps
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL) EXECUTE FUNCTION audit_sweep();

INSERT INTO audit (at, actor, entity, entity_name, to_status, reason)
SELECT stopped_at, stopped_by, 'stop', scope, 'stopped', reason FROM stops;
"""

# By table: what it says, and the columns of which nobody changes anything once they are written.
FIXED = {
    "plans": ("a plan keeps its code", ("id", "code", "created_at")),
    "billing_keys": (
        "which instrument a billing key stands for never changes",
        ("id", "customer_uid", "pg", "channel_key", "created_at"),
    ),
    "subscriptions": (
        "whose a subscription is, and to what, never changes",
        ("id", "code", "customer_reference", "plan_id", "created_at"),
    ),
    "charges": (
        "what a charge is for never changes",
        (
            *("id", "subscription_id", "period_start", "period_end", "amount", "tax_free", "vat_amount", "currency"),
            *("order_name", "created_at"),
        ),
    ),
    "attempts": (
        "an attempt keeps its charge, its number and its merchant_uid",
        ("id", "charge_id", "number", "merchant_uid"),
    ),
    "differences": ("what a difference is about never changes", ("id", "kind", "merchant_uid", "imp_uid", "found_at")),
    "checkouts": (
        "what a link was made for never changes",
        ("id", "code", "purpose", "subscription_id", "charge_id", "with_payment", "created_at"),
    ),
    "window_orders": (
        "what a window was opened for never changes",
        ("id", "checkout_id", "merchant_uid", "charge_id", "amount"),
    ),
    "sweeps": (
        "what a sweep compares, and what it holds, never changes",
        ("id", "holds_claims", "since", "until", "started_at"),
    ),
}

# By trigger: its table, when nothing of these columns changes any more, and what it says then.
FIXED_ONCE = {
    "charges_payment_is_fixed": ("charges", "OLD.paid_at IS NOT NULL", ("paid_at",), "a charge is paid once"),
    "attempts_settled_are_fixed": (
        "attempts",
        "OLD.status = 'paid' OR OLD.status = 'declined' AND NEW.status = 'declined'",
        ("imp_uid", "pg_tid", "http_status", "code", "message", "raw", "sends", "started_at", "settled_at"),
        "what settled an attempt never changes",
    ),
    "subscriptions_anchor_is_fixed": (
        "subscriptions",
        "OLD.status <> 'pending'",
        ("anchor_on",),
        "the periods of a subscription that has begun never move",
    ),
    "sweeps_finished_stay_so": (
        "sweeps",
        "OLD.finished_at IS NOT NULL",
        ("finished_at", "reason"),
        "a sweep that has ended has ended",
    ),
    "lineage_mode_is_fixed": ("lineage", "OLD.mode IS NOT NULL", ("mode",), "a database charges in one mode for good"),
    "lineage_prefix_is_fixed": (
        "lineage",
        "OLD.prefix IS NOT NULL",
        ("prefix",),
        "a database charges under one prefix for good",
    ),
    # A count is begun anew by a later `since`, which the audit tells.
    "day_totals_only_grow": (
        "day_totals",
        "(OLD.day_on, OLD.pg) <> (NEW.day_on, NEW.pg) OR OLD.since = NEW.since AND (OLD.sends > NEW.sends"  # noqa: ISC004
        " OR OLD.amount > NEW.amount)",
        (),
        "what the caps have counted is not counted down",
    ),
}

KEPT = (
    *("billing_keys", "subscriptions", "charges", "differences", "checkouts", "window_orders"),
    *("sweeps", "lineage", "day_totals"),
)


def _differs(columns: tuple[str, ...]) -> str:
    olds, news = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return f"({olds}) IS DISTINCT FROM ({news})" if len(columns) > 1 else f"{olds} IS DISTINCT FROM {news}"


def _forbid(trigger: str, table: str, when: str, says: str) -> None:
    op.execute(
        f"CREATE TRIGGER {trigger} BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({when}) "
        f"EXECUTE FUNCTION forbid_change('{says}')"
    )


def _each_function(names: tuple[str, ...], *commands: str) -> None:
    """Run commands on functions of this schema; `%1$s` is the function, `%2$I` the schema."""
    listed = ", ".join(f"'{name}'" for name in names)
    executed = " ".join(f"EXECUTE format('{command}', named, current_schema());" for command in commands)
    op.execute(f"""
        DO $$
        DECLARE named text;
        BEGIN
            FOR named IN
                SELECT oid::regprocedure FROM pg_proc
                WHERE pronamespace = to_regnamespace(quote_ident(current_schema())) AND proname IN ({listed})
            LOOP {executed} END LOOP;
        END $$
    """)  # noqa: S608 - constants only


def upgrade() -> None:
    op.alter_column("audit", "entity_id", nullable=True)
    op.add_column("audit", sa.Column("entity_name", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("audit_entity_check"), "audit", "entity_id IS NOT NULL OR entity_name IS NOT NULL")
    op.create_index(
        "audit_acts_idx",
        "audit",
        ["id"],
        unique=False,
        postgresql_where=sa.text("entity IN ('stop', 'cap', 'sweep', 'plan')"),
    )
    for statements in (REASONS, SAME_STATUS, ACTS):
        op.execute(statements)
    # Whoever may call them in a trigger of their own could write anything into the audit.
    _each_function(
        DEFINERS,
        "ALTER FUNCTION %1$s SECURITY DEFINER SET search_path = %2$I, pg_temp",
        "REVOKE ALL ON FUNCTION %1$s FROM PUBLIC",
    )
    _each_function(("database_identity",), "ALTER FUNCTION %1$s SECURITY DEFINER SET search_path = %2$I, pg_temp")
    for table, (says, columns) in FIXED.items():
        _forbid(f"{table}_are_fixed", table, _differs(columns), says)
    for trigger, (table, once, columns, says) in FIXED_ONCE.items():
        _forbid(trigger, table, f"({once}) AND {_differs(columns)}" if columns else once, says)
    for table in KEPT:
        op.execute(
            f"CREATE TRIGGER {table}_are_kept BEFORE DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION forbid_change('{table}: these rows are never deleted')"
        )
    op.execute(
        "CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION forbid_change('audit rows are never changed or deleted')"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_is_not_emptied ON audit")
    for table in KEPT:
        op.execute(f"DROP TRIGGER {table}_are_kept ON {table}")
    for trigger, (table, *_) in FIXED_ONCE.items():
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for table in FIXED:
        op.execute(f"DROP TRIGGER {table}_are_fixed ON {table}")
    _each_function(("database_identity",), "ALTER FUNCTION %1$s SECURITY INVOKER RESET search_path")
    _each_function(
        ("audit_new_status", "audit_changed_status"),
        "ALTER FUNCTION %1$s SECURITY INVOKER RESET search_path",
        "GRANT EXECUTE ON FUNCTION %1$s TO PUBLIC",
    )
    for function in (*ADDED, "given_reason", "given_at"):
        op.execute(f"DROP FUNCTION {function}() CASCADE")
    op.drop_index("audit_acts_idx", "audit")
    op.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_append_only")
    op.execute("DELETE FROM audit WHERE entity_id IS NULL")
    op.execute("ALTER TABLE audit ENABLE TRIGGER audit_is_append_only")
    op.drop_constraint(op.f("audit_entity_check"), "audit")
    op.drop_column("audit", "entity_name")
    op.alter_column("audit", "entity_id", nullable=False)
