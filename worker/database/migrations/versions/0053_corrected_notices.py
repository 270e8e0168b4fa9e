"""What a customer was told, and is true no longer, is told once more where it costs them more or earlier."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

# The first notice of something has the id that it always had.
FUNCTION = """
CREATE OR REPLACE FUNCTION notice_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO outbox (type, at, subscription_id, key, data)
    VALUES ('notice.due', NEW.sent_at, NEW.subscription_id, concat_ws(' ', NEW.kind, NEW.about, NEW.source{key}),
            NEW.content || jsonb_build_object('notice', NEW.id, 'kind', NEW.kind, 'about', NEW.about{data}));
    RETURN NULL;
END $$
"""
KEY, DATA = ", NULLIF(NEW.correction, 0)", ", 'correction', NEW.correction"

# What was replaced has lost what was set for it.
SECURED = """
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION notice_event() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $do$;
ALTER FUNCTION notice_event() SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
"""

# What is noted and not published yet says what this version of its type has to say.
NOTED = """UPDATE outbox SET data = data || '{"correction": 0}' WHERE type = 'notice.due'"""


def _made_again(key: str, data: str) -> None:
    op.execute(FUNCTION.format(key=key, data=data))
    op.execute(SECURED)


def upgrade() -> None:
    op.add_column("notices", sa.Column("correction", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_check_constraint(
        op.f("notices_correction_check"), "notices", "correction = 0 OR correction > 0 AND source = ''"
    )
    op.drop_constraint(op.f("notices_about_key"), "notices")
    op.create_unique_constraint(
        op.f("notices_about_key"), "notices", ["subscription_id", "kind", "about", "source", "correction"]
    )
    _made_again(KEY, DATA)
    op.execute(NOTED)


def downgrade() -> None:
    _made_again("", "")
    op.execute("ALTER TABLE notices DISABLE TRIGGER USER")
    op.execute("DELETE FROM notices WHERE correction > 0")
    op.execute("ALTER TABLE notices ENABLE TRIGGER USER")
    op.drop_constraint(op.f("notices_about_key"), "notices")
    op.create_unique_constraint(op.f("notices_about_key"), "notices", ["subscription_id", "kind", "about", "source"])
    op.drop_constraint(op.f("notices_correction_check"), "notices")
    op.drop_column("notices", "correction")
