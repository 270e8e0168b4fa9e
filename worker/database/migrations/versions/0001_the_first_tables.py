"""The first tables, and the triggers that write the audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

AUDITED = {"billing_keys": "billing_key", "subscriptions": "subscription", "charges": "charge", "attempts": "attempt"}

# Every change of a status leaves a row, whoever makes it and however; the actor is the connection's application_name.
AUDIT = """
CREATE FUNCTION audit_new_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    SELECT status_at, current_setting('application_name'), TG_ARGV[0], id, NULL, status, status_reason FROM new_rows;
    RETURN NULL;
END $$;

CREATE FUNCTION audit_changed_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    SELECT n.status_at, current_setting('application_name'), TG_ARGV[0], n.id, o.status, n.status, n.status_reason
    FROM new_rows n JOIN old_rows o USING (id) WHERE n.status <> o.status;
    RETURN NULL;
END $$;

CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION forbid_change('audit rows are never changed or deleted');
CREATE TRIGGER attempts_are_kept BEFORE DELETE ON attempts
    FOR EACH ROW EXECUTE FUNCTION forbid_change('attempts are never deleted');
CREATE TRIGGER settled_attempts_are_final BEFORE UPDATE ON attempts
    FOR EACH ROW WHEN (OLD.status IN ('paid', 'declined') AND NEW.status <> OLD.status)
    EXECUTE FUNCTION forbid_change('a settled attempt is final');
CREATE TRIGGER settled_charges_are_final BEFORE UPDATE ON charges
    FOR EACH ROW WHEN (OLD.status IN ('paid', 'uncollectible', 'void') AND NEW.status <> OLD.status)
    EXECUTE FUNCTION forbid_change('a paid, uncollectible or void charge is final');
"""


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.Column("from_status", sa.Text(), nullable=True),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_pkey")),
    )
    op.create_index("audit_entity_idx", "audit", ["entity", "entity_id"], unique=False)
    op.create_index(
        "audit_contradictions_idx",
        "audit",
        ["at"],
        unique=False,
        postgresql_where=sa.text("starts_with(reason, 'contradiction')"),
    )
    op.create_table(
        "billing_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("customer_uid", sa.String(length=80), nullable=False),
        sa.Column("pg", sa.String(length=16), nullable=False),
        sa.Column("channel_key", sa.String(length=55), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "registering",
                "active",
                "dead",
                "deleted",
                name="billingkeystatus",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("billing_keys_pkey")),
        sa.UniqueConstraint("customer_uid", name=op.f("billing_keys_customer_uid_key")),
    )
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("heartbeats_pkey")),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("tax_free", sa.BigInteger(), nullable=False),
        sa.Column("vat_amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cadence", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("charge_hour", sa.SmallInteger(), nullable=False),
        sa.Column("trial_days", sa.BigInteger(), nullable=False),
        sa.Column(
            "catch_up",
            sa.Enum("all", "latest", "skip", name="catchup", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("dunning", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("plans_amount_check")),
        sa.CheckConstraint("charge_hour BETWEEN 0 AND 23", name=op.f("plans_charge_hour_check")),
        sa.CheckConstraint("tax_free BETWEEN 0 AND amount", name=op.f("plans_tax_free_check")),
        sa.CheckConstraint("trial_days >= 0", name=op.f("plans_trial_days_check")),
        sa.CheckConstraint("vat_amount BETWEEN 0 AND amount - tax_free", name=op.f("plans_vat_amount_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("plans_pkey")),
        sa.UniqueConstraint("code", name=op.f("plans_code_key")),
    )
    op.create_table(
        "stops",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("stopped_by", sa.Text(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("stops_pkey")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("code", sa.String(length=13), nullable=False),
        sa.Column("customer_reference", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("billing_key_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "trialing",
                "active",
                "past_due",
                "paused",
                "canceled",
                "ended",
                name="subscriptionstatus",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("anchor_on", sa.Date(), nullable=False),
        sa.Column("current_period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_charge_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_next_charge_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(next_charge_at IS NOT NULL) = (status IN ('trialing', 'active', 'past_due'))",
            name=op.f("subscriptions_next_charge_at_check"),
        ),
        sa.CheckConstraint(
            "(paused_next_charge_at IS NOT NULL) = (status = 'paused')",
            name=op.f("subscriptions_paused_next_charge_at_check"),
        ),
        sa.CheckConstraint("code ~ '^[0-9A-HJKMNP-TV-Z]{13}$'", name=op.f("subscriptions_code_check")),
        sa.CheckConstraint(
            "current_period_start < current_period_end", name=op.f("subscriptions_current_period_check")
        ),
        sa.ForeignKeyConstraint(
            ["billing_key_id"], ["billing_keys.id"], name=op.f("subscriptions_billing_key_id_fkey")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("subscriptions_plan_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("subscriptions_pkey")),
        sa.UniqueConstraint("code", name=op.f("subscriptions_code_key")),
    )
    op.create_index(op.f("subscriptions_billing_key_id_idx"), "subscriptions", ["billing_key_id"], unique=False)
    op.create_index(
        "subscriptions_next_charge_at_idx",
        "subscriptions",
        ["next_charge_at"],
        unique=False,
        postgresql_where=sa.text("next_charge_at IS NOT NULL"),
    )
    op.create_index(
        "subscriptions_running_key",
        "subscriptions",
        ["plan_id", "customer_reference"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('canceled', 'ended')"),
    )
    op.create_table(
        "charges",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("tax_free", sa.BigInteger(), nullable=False),
        sa.Column("vat_amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("order_name", sa.String(length=40), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "due",
                "charging",
                "past_due",
                "paid",
                "uncollectible",
                "void",
                name="chargestatus",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("declines", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("first_declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deferrals", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(status = 'paid') = (paid_at IS NOT NULL)", name=op.f("charges_paid_at_check")),
        sa.CheckConstraint("status <> 'due' OR next_attempt_at IS NOT NULL", name=op.f("charges_due_check")),
        sa.CheckConstraint(
            "status IN ('due', 'past_due') OR next_attempt_at IS NULL", name=op.f("charges_next_attempt_at_check")
        ),
        sa.CheckConstraint("(declines > 0) = (first_declined_at IS NOT NULL)", name=op.f("charges_declines_check")),
        sa.CheckConstraint("amount > 0 AND tax_free BETWEEN 0 AND amount", name=op.f("charges_amount_check")),
        sa.CheckConstraint("period_start < period_end", name=op.f("charges_period_check")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("charges_subscription_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("charges_pkey")),
        sa.UniqueConstraint("subscription_id", "period_start", name=op.f("charges_subscription_id_period_start_key")),
    )
    op.create_index(
        "charges_claimable_idx",
        "charges",
        ["next_attempt_at", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('due', 'past_due')"),
    )
    op.create_index(
        "charges_open_idx",
        "charges",
        ["subscription_id", "period_start"],
        unique=False,
        postgresql_where=sa.text("status IN ('due', 'charging', 'past_due')"),
    )
    op.create_index(
        "charges_paid_at_idx",
        "charges",
        ["paid_at"],
        unique=False,
        postgresql_where=sa.text("paid_at IS NOT NULL"),
    )
    op.create_index(
        "charges_not_collected_idx",
        "charges",
        ["status", "status_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('uncollectible', 'void')"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("charge_id", sa.BigInteger(), nullable=False),
        sa.Column("billing_key_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("merchant_uid", sa.String(length=40), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "started",
                "unknown",
                "paid",
                "declined",
                "not_charged",
                name="attemptstatus",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("sends", sa.SmallInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("imp_uid", sa.Text(), nullable=True),
        sa.Column("pg_tid", sa.Text(), nullable=True),
        sa.Column("http_status", sa.SmallInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column(
            "decline_kind",
            sa.Enum(
                "soft",
                "hard",
                "config",
                "transient",
                "unmatched",
                name="declinekind",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=True,
        ),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("raw", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("lookups", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_lookup_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("flagged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("flag_reason", sa.Text(), nullable=True),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'declined') = (decline_kind IS NOT NULL)", name=op.f("attempts_decline_kind_check")
        ),
        sa.CheckConstraint("merchant_uid ~ '^[A-Za-z0-9]{1,40}$'", name=op.f("attempts_merchant_uid_check")),
        sa.CheckConstraint("status <> 'paid' OR imp_uid IS NOT NULL", name=op.f("attempts_paid_check")),
        sa.CheckConstraint(
            "status <> 'unknown' OR (next_lookup_at IS NULL) = (flagged_at IS NOT NULL)",
            name=op.f("attempts_unknown_is_looked_up_check"),
        ),
        sa.CheckConstraint("status = 'unknown' OR flagged_at IS NULL", name=op.f("attempts_flagged_at_check")),
        sa.CheckConstraint("status = 'unknown' OR next_lookup_at IS NULL", name=op.f("attempts_next_lookup_at_check")),
        sa.CheckConstraint("number BETWEEN 1 AND 999", name=op.f("attempts_number_check")),
        sa.CheckConstraint("sends >= 1", name=op.f("attempts_sends_check")),
        sa.ForeignKeyConstraint(["billing_key_id"], ["billing_keys.id"], name=op.f("attempts_billing_key_id_fkey")),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("attempts_charge_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("attempts_pkey")),
        sa.UniqueConstraint("charge_id", "number", name=op.f("attempts_charge_id_number_key")),
        sa.UniqueConstraint("merchant_uid", name=op.f("attempts_merchant_uid_key")),
    )
    op.create_index(
        "attempts_lease_idx", "attempts", ["lease_until"], unique=False, postgresql_where=sa.text("status = 'started'")
    )
    op.create_index(
        "attempts_lookup_idx",
        "attempts",
        ["next_lookup_at"],
        unique=False,
        postgresql_where=sa.text("status = 'unknown'"),
    )
    op.create_index(
        "attempts_open_key",
        "attempts",
        ["charge_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('started', 'unknown')"),
    )
    op.execute(AUDIT)
    for table, entity in AUDITED.items():
        op.execute(f"""
            CREATE TRIGGER {table}_audit_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION audit_new_status('{entity}');
            CREATE TRIGGER {table}_audit_update AFTER UPDATE ON {table}
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION audit_changed_status('{entity}');
        """)


def downgrade() -> None:
    for table in ("attempts", "charges", "subscriptions", "plans", "billing_keys", "stops", "heartbeats", "audit"):
        op.drop_table(table)
    for function in ("audit_new_status", "audit_changed_status", "forbid_change"):
        op.execute(f"DROP FUNCTION {function}()")
