"""The consent gate: charges that it holds, what they lack, the mode of each plan, and the terms of each consent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

KINDS = (
    *("cancel", "pause", "resume", "change_plan", "move_renewal", "trial", "change_price", "discount", "credit"),
    *("one_off", "collect", "postpone", "void", "write_off", "paid_elsewhere", "refund", "end_dunning"),
)
RULES = ("consent_free_to_paid", "consent_price_increase", "notice_free_to_paid")
MODES = ("strict", "warn", "off")

# As the one that returns what waited for a consent to its key: without a queue, nothing is ever claimed.
TRIGGERS = """
CREATE TRIGGER charges_return_after_gate BEFORE UPDATE ON charges
    FOR EACH ROW WHEN (OLD.gate_held_since IS NOT NULL AND NEW.gate_held_since IS NULL)
    EXECUTE FUNCTION charge_enters_queue();
ALTER TABLE charges ENABLE ALWAYS TRIGGER charges_return_after_gate;
CREATE TRIGGER consent_terms_are_append_only BEFORE UPDATE OR DELETE ON consent_terms
    FOR EACH ROW EXECUTE FUNCTION forbid_change('what customers have agreed to is never changed or deleted')
"""


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _let_changes_be(*kinds: str) -> None:
    op.drop_constraint(op.f("changes_changekind_check"), "changes")
    op.create_check_constraint(op.f("changes_changekind_check"), "changes", f"kind IN ({_listed(kinds)})")


def upgrade() -> None:
    op.add_column(
        "plans",
        sa.Column(
            "gate",
            sa.Enum(*MODES, name="gatemode", native_enum=False, length=20, create_constraint=True),
            nullable=True,
        ),
    )
    op.add_column("charges", sa.Column("gate_held_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("charges", sa.Column("gate_lacks", ARRAY(sa.Text()), nullable=True))
    op.add_column("charges", sa.Column("gate_judged_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("charges_gate_check"),
        "charges",
        "(gate_held_since IS NULL) = (gate_judged_at IS NULL) AND (gate_held_since IS NULL OR gate_lacks IS NOT NULL)",
    )
    op.create_check_constraint(
        op.f("charges_gate_lacks_check"),
        "charges",
        f"gate_lacks <@ ARRAY[{_listed(RULES)}] AND cardinality(gate_lacks) > 0",
    )
    for name, column, where in (
        ("charges_gate_held_idx", "subscription_id", "gate_held_since IS NOT NULL"),
        ("charges_gate_judged_idx", "gate_judged_at", "gate_judged_at IS NOT NULL"),
        ("charges_gate_lacks_idx", "period_start", "gate_lacks IS NOT NULL"),
    ):
        op.create_index(name, "charges", [column], postgresql_where=sa.text(where))
    op.create_table(
        "consent_terms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("withdrawal", sa.Text(), nullable=False),
        sa.Column("first_shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("consent_terms_pkey")),
        sa.UniqueConstraint("digest", name=op.f("consent_terms_digest_key")),
    )
    op.add_column("consents", sa.Column("terms_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("consents_terms_id_fkey"), "consents", "consent_terms", ["terms_id"], ["id"])
    op.execute(TRIGGERS)
    _let_changes_be(*KINDS, "override_gate")


def downgrade() -> None:
    op.execute("ALTER TABLE changes DISABLE TRIGGER USER")
    op.execute("DELETE FROM bulk_rows WHERE change_id IN (SELECT id FROM changes WHERE kind = 'override_gate')")
    op.execute("DELETE FROM changes WHERE kind = 'override_gate'")
    op.execute("ALTER TABLE changes ENABLE TRIGGER USER")
    _let_changes_be(*KINDS)
    op.execute("DROP TRIGGER charges_return_after_gate ON charges")
    op.drop_constraint(op.f("consents_terms_id_fkey"), "consents")
    op.drop_column("consents", "terms_id")
    op.drop_table("consent_terms")
    for name in ("charges_gate_held_idx", "charges_gate_judged_idx", "charges_gate_lacks_idx"):
        op.drop_index(name, "charges")
    for name in ("charges_gate_check", "charges_gate_lacks_check"):
        op.drop_constraint(op.f(name), "charges")
    for name in ("gate_judged_at", "gate_lacks", "gate_held_since"):
        op.drop_column("charges", name)
    op.drop_column("plans", "gate")
