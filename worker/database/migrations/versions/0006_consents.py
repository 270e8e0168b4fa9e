"""Consents: what was agreed to, to the won; and the charges that no consent covers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEPT = """
CREATE TRIGGER consents_are_append_only BEFORE UPDATE OR DELETE ON consents
    FOR EACH ROW EXECUTE FUNCTION forbid_change('consents are never changed or deleted');
"""


def upgrade() -> None:
    op.add_column("charges", sa.Column("awaits_consent_since", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "charges_awaits_consent_idx",
        "charges",
        ["subscription_id"],
        unique=False,
        postgresql_where=sa.text("awaits_consent_since IS NOT NULL"),
    )
    source = sa.Enum(
        *("checkout", "host", "operator"), name="consentsource", native_enum=False, create_constraint=True, length=20
    )
    op.create_table(
        "consents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("checkout_id", sa.BigInteger(), nullable=True),
        sa.Column("billing_key_id", sa.BigInteger(), nullable=True),
        sa.Column("source", source, nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cadence", sa.Text(), nullable=False),
        sa.Column("next_charge_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_now", sa.BigInteger(), nullable=False),
        sa.Column("periods", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "agreed_by", sa.Text(), server_default=sa.text("current_setting('application_name')"), nullable=False
        ),
        sa.CheckConstraint("due_now >= 0 AND amount > 0", name=op.f("consents_due_now_check")),
        sa.CheckConstraint("(source = 'operator') = (checkout_id IS NULL)", name=op.f("consents_source_check")),
        sa.ForeignKeyConstraint(["billing_key_id"], ["billing_keys.id"], name=op.f("consents_billing_key_id_fkey")),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("consents_checkout_id_fkey")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("consents_subscription_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("consents_pkey")),
    )
    op.create_index("consents_subscription_id_idx", "consents", ["subscription_id", "billing_key_id"], unique=False)
    op.create_index("consents_checkout_id_idx", "consents", ["checkout_id"], unique=False)
    op.create_index("consents_agreed_at_idx", "consents", ["agreed_at"], unique=False)
    op.execute(KEPT)


def downgrade() -> None:
    op.drop_table("consents")
    op.drop_index("charges_awaits_consent_idx", "charges")
    op.drop_column("charges", "awaits_consent_since")
