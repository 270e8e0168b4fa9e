"""The outbox: each change of state that matters outside is noted in the transaction that makes it, by triggers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

# One function per table says what an event of its rows is made of; which changes are events, and of which type, say the
# conditions of the triggers, which cost next to nothing where they do not hold. `key` tells a fact from the others of
# its type and its period, or its subscription, by what a restored database comes to again, as far as there is that.
FUNCTIONS = {
    "charge_event": """
    INSERT INTO outbox (type, at, subscription_id, charge_id, key, data)
    VALUES (TG_ARGV[0], CASE TG_ARGV[0] WHEN 'charge.refunded' THEN given_at() ELSE NEW.status_at END,
            NEW.subscription_id, NEW.id,
            CASE WHEN TG_ARGV[0] = 'charge.refunded' THEN NEW.refunded::text
                WHEN TG_ARGV[0] IN ('charge.uncollectible', 'charge.reopened')
                    THEN times_audited('charge', NEW.id, 'uncollectible')
                ELSE '' END,
            jsonb_build_object(
                'status', NEW.status, 'period_end', NEW.period_end, 'next_attempt_at', NEW.next_attempt_at,
                'refunded', NEW.refunded));
    """,
    "attempt_event": """
    INSERT INTO outbox (type, at, subscription_id, charge_id, key, data)
    SELECT TG_ARGV[0], NEW.status_at, c.subscription_id, c.id,
           CASE TG_ARGV[0] WHEN 'charge.unresolved' THEN concat_ws(' ', NEW.merchant_uid, NEW.flagged_at)
               ELSE NEW.merchant_uid END,
           jsonb_build_object(
               'status', c.status, 'period_end', c.period_end, 'next_attempt_at', c.next_attempt_at,
               'refunded', c.refunded, 'attempt_id', NEW.id, 'decline', NEW.decline_kind, 'code', NEW.code)
    FROM charges c WHERE c.id = NEW.charge_id;
    """,
    "subscription_event": """
    INSERT INTO outbox (type, at, subscription_id, key, data)
    VALUES (TG_ARGV[0], CASE WHEN TG_ARGV[0] IN ('subscription.changed', 'subscription.key_replaced') THEN given_at()
                ELSE NEW.status_at END,
            NEW.id,
            CASE WHEN TG_ARGV[0] IN ('subscription.past_due', 'subscription.recovered', 'subscription.paused',
                                     'subscription.resumed')
                    THEN times_audited('subscription', NEW.id, NEW.status)
                WHEN TG_ARGV[0] = 'subscription.key_replaced' THEN concat_ws(' ', NEW.billing_key_id, given_at())
                WHEN TG_ARGV[0] = 'subscription.changed' THEN concat_ws(
                    ' ', NEW.plan_id, NEW.quantity, NEW.price_version, NEW.anchor_on, given_at())
                ELSE '' END,
            jsonb_build_object('status', NEW.status));
    """,
    "key_event": """
    INSERT INTO outbox (type, at, subscription_id, key, data)
    SELECT TG_ARGV[0], NEW.status_at, s.id, concat_ws(' ', NEW.id, NEW.created_at, NEW.status_at),
           jsonb_build_object('billing_key', NEW.id)
    FROM subscriptions s WHERE s.billing_key_id = NEW.id AND s.status NOT IN ('canceled', 'ended');
    """,
    "change_event": """
    INSERT INTO outbox (type, at, subscription_id, charge_id, key, data)
    VALUES ('change.' || NEW.status, NEW.status_at, NEW.subscription_id, NEW.charge_id,
            concat_ws(' ', NEW.id, NEW.created_at),
            jsonb_build_object('change', NEW.id));
    """,
    "refund_event": """
    INSERT INTO outbox (type, at, subscription_id, charge_id, key, data)
    VALUES ('refund.' || CASE WHEN NEW.status IN ('completed', 'refused') THEN NEW.status ELSE 'unresolved' END,
            CASE WHEN NEW.status IN ('completed', 'refused') THEN NEW.status_at ELSE NEW.flagged_at END,
            (SELECT c.subscription_id FROM charges c WHERE c.id = NEW.charge_id), NEW.charge_id,
            concat_ws(' ', NEW.reference, NEW.flagged_at),
            jsonb_build_object('refund', NEW.id));
    """,
    "discrepancy_event": """
    INSERT INTO outbox (type, at, subscription_id, charge_id, key, data)
    VALUES (CASE NEW.status WHEN 'open' THEN 'discrepancy.opened' ELSE 'discrepancy.closed' END, NEW.status_at,
            (SELECT c.subscription_id FROM charges c WHERE c.id = NEW.charge_id), NEW.charge_id,
            concat_ws(' ', NEW.kind, NEW.merchant_uid, NEW.imp_uid,
                      CASE WHEN TG_OP = 'UPDATE' THEN NEW.status_at END),
            jsonb_build_object('discrepancy', NEW.id, 'status', NEW.status));
    """,
    "hold_event": """
    INSERT INTO outbox (type, at, subscription_id, key, data)
    VALUES ('subscription.' || NEW.status, NEW.status_at, NEW.subscription_id,
            times_audited('hold', NEW.id, NEW.status), '{}');
    """,
    "stop_event": """
    DECLARE stop record;
    BEGIN
        IF TG_OP = 'DELETE' THEN stop := OLD; ELSE stop := NEW; END IF;
        INSERT INTO outbox (type, at, key, data)
        VALUES (CASE stop.scope WHEN 'all' THEN 'charging.' ELSE 'channel.' END
                || CASE TG_OP WHEN 'DELETE' THEN 'started' ELSE 'stopped' END,
                CASE TG_OP WHEN 'DELETE' THEN given_at() ELSE stop.stopped_at END,
                concat_ws(' ', stop.scope, stop.stopped_at, clock_timestamp()), jsonb_build_object('pg', stop.scope));
    END;
    """,
    "violation_event": """
    DECLARE violation record;
    BEGIN
        IF TG_OP = 'DELETE' THEN violation := OLD; ELSE violation := NEW; END IF;
        INSERT INTO outbox (type, at, key, data)
        VALUES (CASE TG_OP WHEN 'DELETE' THEN 'invariant.restored' ELSE 'invariant.violated' END,
                CASE TG_OP WHEN 'DELETE' THEN given_at() ELSE violation.since END,
                concat_ws(' ', violation.name, violation.since),
                jsonb_build_object('name', violation.name, 'rows', violation.count));
    END;
    """,
}

# The audit has a row for each time: the last one is this time's, and a restored database counts to the same number.
TIMES = """
CREATE FUNCTION times_audited(kind text, subject bigint, status text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT count(*)::text FROM audit WHERE entity = kind AND entity_id = subject AND to_status = status
$$
"""

CHANGED = "NEW.status <> OLD.status"
TERMS = "(OLD.plan_id, OLD.quantity, OLD.price_version, OLD.anchor_on)"

# By table: the name of a trigger after its table's, the statements it follows, its condition, its function, the type.
TRIGGERS = {
    "charges": (
        ("opened_paid", "INSERT", "NEW.status = 'paid'", "charge_event('charge.paid')"),
        ("opened_void", "INSERT", "NEW.status = 'void'", "charge_event('charge.voided')"),
        ("paid", "UPDATE", f"{CHANGED} AND NEW.status = 'paid'", "charge_event('charge.paid')"),
        ("voided", "UPDATE", f"{CHANGED} AND NEW.status = 'void'", "charge_event('charge.voided')"),
        (
            "uncollectible",
            "UPDATE",
            f"{CHANGED} AND NEW.status = 'uncollectible'",
            "charge_event('charge.uncollectible')",
        ),
        (
            "reopened",
            "UPDATE",
            "OLD.status = 'uncollectible' AND NEW.status IN ('due', 'past_due')",
            "charge_event('charge.reopened')",
        ),
        ("refunded", "UPDATE", "NEW.refunded > OLD.refunded", "charge_event('charge.refunded')"),
        ("opened_refunded", "INSERT", "NEW.refunded > 0", "charge_event('charge.refunded')"),
    ),
    "attempts": (
        ("declined", "UPDATE", f"{CHANGED} AND NEW.status = 'declined'", "attempt_event('charge.declined')"),
        (
            "unresolved",
            "UPDATE",
            "OLD.flagged_at IS NULL AND NEW.flagged_at IS NOT NULL",
            "attempt_event('charge.unresolved')",
        ),
    ),
    "subscriptions": (
        ("created", "INSERT", None, "subscription_event('subscription.created')"),
        (
            "started",
            "UPDATE",
            f"{CHANGED} AND OLD.status = 'pending' AND NEW.status <> 'canceled'",
            "subscription_event('subscription.started')",
        ),
        (
            "activated",
            "UPDATE",
            f"{CHANGED} AND OLD.status = 'trialing' AND NEW.status = 'active'",
            "subscription_event('subscription.activated')",
        ),
        (
            "past_due",
            "UPDATE",
            f"{CHANGED} AND NEW.status = 'past_due' AND OLD.status IN ('trialing', 'active')",
            "subscription_event('subscription.past_due')",
        ),
        (
            "recovered",
            "UPDATE",
            f"{CHANGED} AND OLD.status = 'past_due' AND NEW.status = 'active'",
            "subscription_event('subscription.recovered')",
        ),
        ("paused", "UPDATE", f"{CHANGED} AND NEW.status = 'paused'", "subscription_event('subscription.paused')"),
        (
            "resumed",
            "UPDATE",
            f"{CHANGED} AND OLD.status = 'paused' AND NEW.status NOT IN ('canceled', 'ended')",
            "subscription_event('subscription.resumed')",
        ),
        (
            "canceled",
            "UPDATE",
            f"{CHANGED} AND NEW.status IN ('canceled', 'ended') AND OLD.status <> 'canceled'",
            "subscription_event('subscription.canceled')",
        ),
        ("ended", "UPDATE", f"{CHANGED} AND NEW.status = 'ended'", "subscription_event('subscription.ended')"),
        (
            "changed",
            "UPDATE",
            f"{TERMS} IS DISTINCT FROM {TERMS.replace('OLD', 'NEW')} AND OLD.status <> 'pending'",
            "subscription_event('subscription.changed')",
        ),
        (
            "key_replaced",
            "UPDATE",
            "NEW.billing_key_id IS DISTINCT FROM OLD.billing_key_id AND OLD.billing_key_id IS NOT NULL",
            "subscription_event('subscription.key_replaced')",
        ),
    ),
    "billing_keys": (
        ("dead", "UPDATE", f"{CHANGED} AND NEW.status = 'dead'", "key_event('billing_key.dead')"),
        ("revived", "UPDATE", "OLD.status = 'dead' AND NEW.status = 'active'", "key_event('billing_key.revived')"),
        ("deleted", "UPDATE", f"{CHANGED} AND NEW.status = 'deleted'", "key_event('billing_key.deleted')"),
    ),
    "changes": (
        ("scheduled", "INSERT", "NEW.effective_at > NEW.created_at OR NEW.waits_for IS NOT NULL", "change_event()"),
        ("ended", "UPDATE", CHANGED, "change_event()"),
    ),
    "refunds": (
        ("settled", "UPDATE", f"{CHANGED} AND NEW.status IN ('completed', 'refused')", "refund_event()"),
        ("unresolved", "UPDATE", "OLD.flagged_at IS NULL AND NEW.flagged_at IS NOT NULL", "refund_event()"),
    ),
    "discrepancies": (
        ("opened", "INSERT", "NEW.status = 'open'", "discrepancy_event()"),
        ("moved", "UPDATE", f"{CHANGED} AND 'open' IN (NEW.status, OLD.status)", "discrepancy_event()"),
    ),
    "holds": (
        ("held", "INSERT", None, "hold_event()"),
        ("moved", "UPDATE", CHANGED, "hold_event()"),
    ),
    "stops": (("moved", "INSERT OR DELETE", None, "stop_event()"),),
    "violations": (("moved", "INSERT OR DELETE", None, "violation_event()"),),
}


def _tables() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("charge_id", sa.BigInteger(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("outbox_pkey")),
    )
    op.create_table(
        "events",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(28), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("events_pkey")),
    )
    op.create_index(op.f("events_id_idx"), "events", ["id"])
    op.create_index("events_subscription_idx", "events", ["subscription_id", "position"])
    op.create_index("events_type_idx", "events", ["type", "position"])
    op.execute(
        "CREATE TRIGGER events_are_fixed BEFORE UPDATE ON events "
        "FOR EACH ROW EXECUTE FUNCTION forbid_change('an event never changes')"
    )


def _function(name: str, body: str) -> str:
    statements = body.strip()
    inner = statements if statements.startswith("DECLARE") else f"BEGIN\n    {statements}\nEND;"
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n{inner}\nRETURN NULL;\nEND $$"


def upgrade() -> None:
    _tables()
    op.execute(TIMES)
    for name, body in FUNCTIONS.items():
        op.execute(_function(name, body))
        # With its owner's rights: no role but the owner has to write the outbox. Keys are texts, in which instants are
        # to look the same whoever is connected.
        op.execute(f"""
            DO $do$ BEGIN
                EXECUTE format('ALTER FUNCTION {name}() SECURITY DEFINER SET search_path = %I, pg_temp',
                               current_schema());
            END $do$
        """)
        op.execute(f"ALTER FUNCTION {name}() SET timezone = 'UTC' SET datestyle = 'ISO, YMD'")
        op.execute(f"REVOKE ALL ON FUNCTION {name}() FROM PUBLIC")
    for table, triggers in TRIGGERS.items():
        for name, statements, condition, function in triggers:
            when = f"WHEN ({condition}) " if condition else ""
            op.execute(
                f"CREATE TRIGGER {table}_event_{name} AFTER {statements} ON {table} "
                f"FOR EACH ROW {when}EXECUTE FUNCTION {function}"
            )


def downgrade() -> None:
    for name in FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}() CASCADE")
    op.execute("DROP FUNCTION times_audited(text, bigint, text)")
    op.drop_table("events")
    op.drop_table("outbox")
