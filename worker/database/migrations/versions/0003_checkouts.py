"""Checkouts: what customers register and pay themselves, and the webhooks that hint at it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

AUDITED = """
CREATE TRIGGER checkouts_audit_insert AFTER INSERT ON checkouts REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_new_status('checkout');
CREATE TRIGGER checkouts_audit_update AFTER UPDATE ON checkouts
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_changed_status('checkout');
"""


KINDS = (
    *("missing_here", "declined_here", "refunded_there", "paid_twice", "not_owed", "not_in_books", "other_amount"),
    *("not_there", "unresolved"),
)


def _know_differences(*kinds: str) -> None:
    """Let differences be of these kinds."""
    named = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f("differences_differencekind_check"), "differences")
    op.create_check_constraint(op.f("differences_differencekind_check"), "differences", f"kind IN ({named})")


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def upgrade() -> None:
    op.add_column("attempts", sa.Column("via", _enum("via", "again", "window"), server_default="again", nullable=False))
    op.add_column("attempts", sa.Column("window_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("attempts", sa.Column("resume_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("attempts_window_check"),
        "attempts",
        "via <> 'window' OR window_until IS NOT NULL AND status <> 'declined'",
    )
    _let_keys_be_forgotten()
    _know_differences(*KINDS, "not_begun")
    op.create_index(
        "subscriptions_pending_idx",
        "subscriptions",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    _create_checkouts()
    _create_window_orders()
    op.create_table(
        "webhooks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("imp_uid", sa.String(length=100), nullable=False),
        sa.Column("merchant_uid", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("cancellation_id", sa.String(length=100), server_default="", nullable=False),
        sa.Column("times", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looks", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("webhooks_pkey")),
        sa.UniqueConstraint(
            "imp_uid",
            "merchant_uid",
            "status",
            "cancellation_id",
            name=op.f("webhooks_imp_uid_merchant_uid_status_cancellation_id_key"),
        ),
    )
    op.create_index(
        "webhooks_waiting_idx",
        "webhooks",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )
    op.create_index("webhooks_received_idx", "webhooks", ["received_at"], unique=False)
    op.execute(AUDITED)


def _create_checkouts() -> None:
    op.create_table(
        "checkouts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("code", sa.String(length=13), nullable=False),
        sa.Column("purpose", _enum("checkoutpurpose", "register", "replace", "pay"), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("charge_id", sa.BigInteger(), nullable=True),
        sa.Column("with_payment", sa.Boolean(), nullable=False),
        sa.Column("pg", sa.String(length=16), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wording", sa.Text(), nullable=True),
        sa.Column("windows", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("window_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looks", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("imp_uid", sa.Text(), nullable=True),
        sa.Column("said", sa.Text(), nullable=True),
        sa.Column("status", _enum("checkoutstatus", "created", "opened", "done", "expired"), nullable=False),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(agreed_at IS NULL) = (window_until IS NULL)", name=op.f("checkouts_agreed_check")),
        sa.CheckConstraint("purpose <> 'pay' OR charge_id IS NOT NULL", name=op.f("checkouts_charge_id_check")),
        sa.CheckConstraint(
            "(next_look_at IS NOT NULL) = (status = 'opened')", name=op.f("checkouts_next_look_at_check")
        ),
        sa.CheckConstraint(
            "status NOT IN ('opened', 'done') OR agreed_at IS NOT NULL", name=op.f("checkouts_opened_check")
        ),
        sa.CheckConstraint("NOT with_payment OR purpose = 'register'", name=op.f("checkouts_with_payment_check")),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("checkouts_charge_id_fkey")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("checkouts_subscription_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("checkouts_pkey")),
        sa.UniqueConstraint("code", name=op.f("checkouts_code_key")),
    )
    for name, columns, where in (
        ("checkouts_subscription_id_idx", ["subscription_id"], None),
        ("checkouts_look_idx", ["next_look_at"], "status = 'opened'"),
        ("checkouts_created_idx", ["expires_at"], "status = 'created'"),
    ):
        only = None if where is None else sa.text(where)
        op.create_index(name, "checkouts", columns, unique=False, postgresql_where=only)


def _create_window_orders() -> None:
    op.create_table(
        "window_orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("checkout_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_uid", sa.String(length=40), nullable=False),
        sa.Column("pg", sa.String(length=16), nullable=False),
        sa.Column("opened_pgs", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("charge_id", sa.BigInteger(), nullable=True),
        sa.Column("billing_key_id", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "charge_id IS NOT NULL OR billing_key_id IS NOT NULL", name=op.f("window_orders_purpose_check")
        ),
        sa.ForeignKeyConstraint(
            ["billing_key_id"], ["billing_keys.id"], name=op.f("window_orders_billing_key_id_fkey")
        ),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("window_orders_charge_id_fkey")),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("window_orders_checkout_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("window_orders_pkey")),
        sa.UniqueConstraint("checkout_id", "merchant_uid", name=op.f("window_orders_checkout_id_merchant_uid_key")),
    )
    op.create_index("window_orders_merchant_uid_idx", "window_orders", ["merchant_uid"], unique=False)
    op.create_index("window_orders_billing_key_id_idx", "window_orders", ["billing_key_id"], unique=False)


def _let_keys_be_forgotten() -> None:
    op.add_column("billing_keys", sa.Column("registered_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("billing_keys", sa.Column("forget_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "billing_keys_forget_idx",
        "billing_keys",
        ["forget_at"],
        unique=False,
        postgresql_where=sa.text("forget_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("subscriptions_pending_idx", "subscriptions")
    op.drop_table("webhooks")
    op.drop_table("window_orders")
    op.drop_index("billing_keys_forget_idx", "billing_keys")
    op.drop_column("billing_keys", "forget_at")
    op.drop_column("billing_keys", "registered_at")
    op.execute("DELETE FROM differences WHERE kind = 'not_begun'")
    _know_differences(*KINDS)
    op.drop_table("checkouts")
    op.drop_constraint("attempts_window_check", "attempts")
    for column in ("resume_at", "window_until", "via"):
        op.drop_column("attempts", column)
