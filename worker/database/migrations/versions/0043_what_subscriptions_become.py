"""A subscription becomes what its table of transitions lets it become, and nothing else."""

from __future__ import annotations

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

GUARDED = """
CREATE TRIGGER subscriptions_move_as_they_may BEFORE UPDATE ON subscriptions FOR EACH ROW
    WHEN (NEW.status <> OLD.status AND NOT CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('trialing', 'active', 'canceled')
        WHEN 'trialing' THEN NEW.status IN ('active', 'past_due', 'paused', 'canceled')
        WHEN 'active' THEN NEW.status IN ('past_due', 'paused', 'canceled')
        WHEN 'past_due' THEN NEW.status IN ('active', 'paused', 'canceled')
        WHEN 'paused' THEN NEW.status IN ('trialing', 'active', 'past_due', 'canceled')
        WHEN 'canceled' THEN NEW.status = 'ended'
        ELSE false END)
    EXECUTE FUNCTION forbid_change('a subscription does not become that from what it is');
"""


def upgrade() -> None:
    op.execute(GUARDED)


def downgrade() -> None:
    op.execute("DROP TRIGGER subscriptions_move_as_they_may ON subscriptions")
