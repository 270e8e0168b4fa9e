"""What looks the same is the same: texts that are compared are kept in Unicode's form NFC.

Two running subscriptions of one customer to one plan, written in two forms, were possible so far; whose they are and
which of them stays, a person decides.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from worker.domain.errors import Refused

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXTS = {"subscriptions": "customer_reference", "plans": "name", "billing_keys": "label"}

LOOK = "lower(regexp_replace(normalize(customer_reference, NFKC), '\\s+'::text, ' '::text, 'g'::text))"

TWICE = sa.text("""
    SELECT string_agg(s.code, ' and ' ORDER BY s.id) AS codes, p.code AS plan
    FROM subscriptions s JOIN plans p ON p.id = s.plan_id
    WHERE s.status NOT IN ('canceled', 'ended')
    GROUP BY p.code, normalize(s.customer_reference, NFC)
    HAVING count(*) > 1
    ORDER BY min(s.id) LIMIT 20
""")


def upgrade() -> None:
    _require_no_customer_twice()
    for table, column in TEXTS.items():
        normal = f"{column} IS NFC NORMALIZED"
        op.execute(f"UPDATE {table} SET {column} = normalize({column}, NFC) WHERE NOT {normal}")  # noqa: S608
        op.create_check_constraint(op.f(f"{table}_{column}_check"), table, normal)
    op.create_index(
        "subscriptions_look_alike_idx",
        "subscriptions",
        [sa.text(LOOK), "plan_id"],
        unique=False,
        postgresql_where=sa.text("status NOT IN ('canceled', 'ended')"),
    )


def downgrade() -> None:
    op.drop_index("subscriptions_look_alike_idx", "subscriptions")
    for table, column in TEXTS.items():
        op.drop_constraint(op.f(f"{table}_{column}_check"), table)


def _require_no_customer_twice() -> None:
    twice = op.get_bind().execute(TWICE).all()
    if twice:
        listed = "; ".join(f"{row.codes} (plan {row.plan})" for row in twice)
        raise Refused(
            "Nothing was migrated: some customers have two running subscriptions to one plan, because their reference "
            f"was written in two Unicode forms that look the same: {listed}. They may have been charged twice. With "
            "the version of Again you had, run `again stop`, cancel one of each with `again subscription cancel CODE`, "
            "and give back what was charged for it; then run `again migrate` once more."
        )
