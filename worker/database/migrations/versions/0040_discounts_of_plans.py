"""A discount code can be for some plans only, for good; the audit tells for which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

FIXED = """
CREATE TRIGGER discounts_plans_are_fixed BEFORE UPDATE ON discounts FOR EACH ROW
    WHEN (OLD.plans IS DISTINCT FROM NEW.plans)
    EXECUTE FUNCTION forbid_change('what a discount code is for never changes: end it, and add another');
"""

# Whose rights the function has, and where it looks for tables, stays as it is.
AUDITED = """
DO $do$
DECLARE
    written text := pg_get_functiondef(CAST('audit_discount()' AS regprocedure));
BEGIN
    IF strpos(written, $part${before}$part$) = 0 THEN
        RAISE EXCEPTION 'audit_discount tells something else than this migration knows';
    END IF;
    EXECUTE replace(written, $part${before}$part$, $part${after}$part$);
END $do$;
"""
TOLD = "NEW.max_uses || ' uses at most',"
TOLD_WITH_PLANS = f"{TOLD} 'only plan ' || nullif(array_to_string(NEW.plans, ' or '), ''),"


def _tell(before: str, after: str) -> None:
    op.execute(AUDITED.replace("{before}", before).replace("{after}", after))


def upgrade() -> None:
    op.add_column("discounts", sa.Column("plans", ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.execute(FIXED)
    _tell(TOLD, TOLD_WITH_PLANS)


def downgrade() -> None:
    _tell(TOLD_WITH_PLANS, TOLD)
    op.execute("DROP TRIGGER discounts_plans_are_fixed ON discounts")
    op.drop_column("discounts", "plans")
