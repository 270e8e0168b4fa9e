"""What customers are told, each notice once; a plan says of what, and how many days ahead."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

KINDS = ("renewal", "trial", "price", "declined", "paid", "refunded", "canceled")

# As every other event, that of a notice is noted by a trigger, in the transaction that sends it.
FUNCTION = """
CREATE FUNCTION notice_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO outbox (type, at, subscription_id, key, data)
    VALUES ('notice.due', NEW.sent_at, NEW.subscription_id, concat_ws(' ', NEW.kind, NEW.about, NEW.source),
            NEW.content || jsonb_build_object('notice', NEW.id, 'kind', NEW.kind, 'about', NEW.about));
    RETURN NULL;
END $$
"""

RIGHTS = """
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION notice_event() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $do$
"""

TRIGGERS = """
CREATE TRIGGER notices_event_sent_at_once AFTER INSERT ON notices FOR EACH ROW WHEN (NEW.sent_at IS NOT NULL)
    EXECUTE FUNCTION notice_event();
CREATE TRIGGER notices_event_sent AFTER UPDATE ON notices FOR EACH ROW
    WHEN (OLD.sent_at IS NULL AND NEW.sent_at IS NOT NULL) EXECUTE FUNCTION notice_event();
CREATE TRIGGER notices_sent_are_fixed BEFORE UPDATE ON notices FOR EACH ROW WHEN (OLD.sent_at IS NOT NULL)
    EXECUTE FUNCTION forbid_change('what a customer was told never changes');
CREATE TRIGGER notices_sent_are_kept BEFORE DELETE ON notices FOR EACH ROW WHEN (OLD.sent_at IS NOT NULL)
    EXECUTE FUNCTION forbid_change('what a customer was told is kept');
"""

# Each row that is written is written for good; a walk's row is updated in place.
STORAGE = """
ALTER TABLE notices SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 10000, autovacuum_vacuum_cost_limit = 2000);
ALTER TABLE notice_walks SET (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 500)
"""


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(*KINDS, name="noticekind", native_enum=False, length=20, create_constraint=True),
            nullable=False,
        ),
        sa.Column("about", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(28), server_default="", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint("(sent_at IS NULL) = (content IS NULL)", name=op.f("notices_content_check")),
        sa.CheckConstraint(
            "(kind IN ('renewal', 'trial', 'price')) = (source = '')", name=op.f("notices_source_check")
        ),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("notices_subscription_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("notices_pkey")),
        sa.UniqueConstraint("subscription_id", "kind", "about", "source", name=op.f("notices_about_key")),
    )
    op.create_index("notices_waiting_idx", "notices", ["due_at", "id"], postgresql_where=sa.text("sent_at IS NULL"))
    op.create_table(
        "notice_walks",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("notice_walks_pkey")),
    )
    op.execute(STORAGE)
    op.execute(FUNCTION)
    op.execute(RIGHTS)
    op.execute("ALTER FUNCTION notice_event() SET timezone = 'UTC' SET datestyle = 'ISO, YMD'")
    op.execute("REVOKE ALL ON FUNCTION notice_event() FROM PUBLIC")
    op.execute(TRIGGERS)
    op.add_column("plans", sa.Column("notices", sa.Text(), server_default="none", nullable=False))
    # The prices that are to rise, by their dates.
    op.create_index(
        "changes_of_prices_idx",
        "changes",
        ["effective_at", "id"],
        postgresql_where=sa.text("status = 'scheduled' AND kind = 'change_price'"),
    )


def downgrade() -> None:
    op.drop_index("changes_of_prices_idx", "changes")
    op.drop_column("plans", "notices")
    op.drop_table("notice_walks")
    op.drop_table("notices")
    op.execute("DROP FUNCTION notice_event()")
