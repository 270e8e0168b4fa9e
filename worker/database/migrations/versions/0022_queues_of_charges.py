"""A charge stands in the queue of the PG that it is to be charged through, so that a claim reads no other rows.

The queue is kept by triggers, whoever writes: a charge that no claim finds would be forgotten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

FUNCTIONS = ("charge_enters_queue", "subscription_moves_charges", "key_returns_charges")

TRIGGERS = """
CREATE FUNCTION charge_enters_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT k.pg INTO NEW.queue FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id
    WHERE s.id = NEW.subscription_id;
    RETURN NEW;
END $$;
CREATE TRIGGER charges_enter_queue BEFORE INSERT ON charges
    FOR EACH ROW WHEN (NEW.queue IS NULL) EXECUTE FUNCTION charge_enters_queue();
CREATE TRIGGER charges_return_after_consent BEFORE UPDATE ON charges
    FOR EACH ROW WHEN (OLD.awaits_consent_since IS NOT NULL AND NEW.awaits_consent_since IS NULL)
    EXECUTE FUNCTION charge_enters_queue();

CREATE FUNCTION subscription_moves_charges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE charges SET queue = k.pg
    FROM (SELECT (SELECT pg FROM billing_keys WHERE id = NEW.billing_key_id) AS pg) k
    WHERE subscription_id = NEW.id AND status NOT IN ('paid', 'void') AND queue IS DISTINCT FROM k.pg;
    RETURN NULL;
END $$;
CREATE TRIGGER subscriptions_move_charges AFTER UPDATE ON subscriptions
    FOR EACH ROW WHEN (NEW.billing_key_id IS DISTINCT FROM OLD.billing_key_id
        OR NEW.status IN ('trialing', 'active', 'past_due') AND OLD.status NOT IN ('trialing', 'active', 'past_due'))
    EXECUTE FUNCTION subscription_moves_charges();

CREATE FUNCTION key_returns_charges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE charges c SET queue = NEW.pg
    FROM subscriptions s
    WHERE s.billing_key_id = NEW.id AND c.subscription_id = s.id AND c.status NOT IN ('paid', 'void')
      AND c.queue IS DISTINCT FROM NEW.pg;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_keys_return_charges AFTER UPDATE ON billing_keys
    FOR EACH ROW WHEN (NEW.status = 'active' AND OLD.status <> 'active') EXECUTE FUNCTION key_returns_charges();
"""

# Where other triggers are off too, as in a replica that takes over: without a queue, nothing is ever claimed.
ALWAYS = {
    "charges_enter_queue": "charges",
    "charges_return_after_consent": "charges",
    "subscriptions_move_charges": "subscriptions",
    "billing_keys_return_charges": "billing_keys",
}

# A key that workers of the release before replace meanwhile would leave its charges in the queue of the old one, or in
# none. What opens charges and what replaces keys begins with a subscription.
QUIET = "LOCK TABLE subscriptions, billing_keys, charges IN SHARE ROW EXCLUSIVE MODE"

# Those that cannot be charged at present are taken out of their queue by the first run that meets them.
FILL = """
UPDATE charges c SET queue = k.pg
FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id
WHERE s.id = c.subscription_id AND c.status NOT IN ('paid', 'void')
"""


def _with_owners_rights() -> None:
    """Let the functions work for roles that may not write charges, such as the customers' pages."""
    for function in FUNCTIONS:
        op.execute(f"""
            DO $$ BEGIN
                EXECUTE format('ALTER FUNCTION {function}() SECURITY DEFINER SET search_path = %I, pg_temp',
                    current_schema());
            END $$
        """)
        op.execute(f"REVOKE ALL ON FUNCTION {function}() FROM PUBLIC")


def upgrade() -> None:
    op.execute(QUIET)
    op.add_column("charges", sa.Column("queue", sa.String(16), nullable=True))
    op.execute(FILL)
    op.drop_index("charges_claimable_idx", "charges")
    op.create_index(
        "charges_queue_idx",
        "charges",
        ["queue", "next_attempt_at", "id"],
        postgresql_where=sa.text("status IN ('due', 'past_due')"),
    )
    op.execute(TRIGGERS)
    for trigger, table in ALWAYS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
    _with_owners_rights()


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}() CASCADE")
    op.drop_index("charges_queue_idx", "charges")
    op.create_index(
        "charges_claimable_idx",
        "charges",
        ["next_attempt_at", "id"],
        postgresql_where=sa.text("status IN ('due', 'past_due')"),
    )
    op.drop_column("charges", "queue")
