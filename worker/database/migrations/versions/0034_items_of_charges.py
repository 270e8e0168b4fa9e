"""Charges have items, and what the next ones differ by has rows: discounts, credits, one-off items, carried amounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

ITEM_KINDS = ("plan", "proration", "discount", "credit", "one_off", "carried")
ADJUSTMENT_KINDS = ("discount", "credit", "one_off", "carried")

AMOUNT_BEFORE = "amount > 0 AND tax_free BETWEEN 0 AND amount"
# What comes to nothing was never to be paid: it is settled as it is opened.
AMOUNT = "tax_free BETWEEN 0 AND amount AND (amount > 0 OR amount = 0 AND status IN ('paid', 'void'))"

TERMS = """CASE kind WHEN 'discount' THEN (percent IS NULL) <> (amount IS NULL) \
ELSE percent IS NULL AND amount IS NOT NULL AND periods IS NULL AND ends_at IS NULL END"""

ADJUSTMENT_IS = (
    *("id", "subscription_id", "kind", "description", "percent", "amount", "tax_free", "periods", "ends_at"),
    *("discount_id", "from_charge_id", "change_id", "created_at"),
)

DISCOUNT_IS = ("id", "code", "name", "percent", "amount", "periods", "max_uses", "ends_at", "created_at")

# What every charge of before is made of.
BACKFILL = """
INSERT INTO charge_items (charge_id, position, kind, description, quantity, unit_amount, amount, tax_free, vat_amount)
SELECT id, 1, 'plan', order_name, 1, amount, amount, tax_free, vat_amount FROM charges
"""

# Filled and vacuumed as charges are.
GROWING = "ALTER TABLE charge_items SET ({})".format(
    "autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 20000,"
    " autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 10000,"
    " autovacuum_vacuum_cost_limit = 2000"
)


def _differs(columns: tuple[str, ...]) -> str:
    olds, news = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return f"({olds}) IS DISTINCT FROM ({news})"


TRIGGERS = f"""
CREATE TRIGGER charge_items_are_fixed BEFORE UPDATE OR DELETE ON charge_items FOR EACH ROW
    EXECUTE FUNCTION forbid_change('what a charge is made of never changes');
CREATE TRIGGER plan_prices_are_fixed BEFORE UPDATE OR DELETE ON plan_prices FOR EACH ROW
    EXECUTE FUNCTION forbid_change('a price that was set never changes: add another version');
CREATE TRIGGER adjustments_are_fixed BEFORE UPDATE ON adjustments FOR EACH ROW
    WHEN ({_differs(ADJUSTMENT_IS)})
    EXECUTE FUNCTION forbid_change('what an adjustment is never changes');
CREATE TRIGGER adjustments_removed_stay_so BEFORE UPDATE ON adjustments FOR EACH ROW
    WHEN (OLD.removed_at IS NOT NULL)
    EXECUTE FUNCTION forbid_change('an adjustment that was removed stays removed');
CREATE TRIGGER adjustments_are_kept BEFORE DELETE ON adjustments FOR EACH ROW
    EXECUTE FUNCTION forbid_change('adjustments: these rows are never deleted');
CREATE TRIGGER discounts_are_fixed BEFORE UPDATE ON discounts FOR EACH ROW
    WHEN ({_differs(DISCOUNT_IS)} OR NEW.uses < OLD.uses
          OR OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at)
    EXECUTE FUNCTION forbid_change('what a discount code gives never changes: end it, and add another');
CREATE TRIGGER discounts_are_kept BEFORE DELETE ON discounts FOR EACH ROW
    EXECUTE FUNCTION forbid_change('discounts: these rows are never deleted');
"""  # noqa: S608 - constants only


def _one_of(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=20, create_constraint=True)


def _money(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, server_default=default)


def _at(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"{table}_{name}_check"))


def _prices() -> None:
    op.create_table(
        "plan_prices",
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.SmallInteger(), autoincrement=False, nullable=False),
        *(_money("amount"), _money("tax_free"), _money("vat_amount", nullable=True)),
        *(_at("sold_from"), _at("created_at")),
        _check("plan_prices", "version", "version >= 2"),
        _check("plan_prices", "amount", "amount > 0"),
        _check("plan_prices", "tax_free", "tax_free BETWEEN 0 AND amount"),
        _check("plan_prices", "vat_amount", "vat_amount BETWEEN 0 AND amount - tax_free"),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("plan_prices_plan_id_fkey")),
        sa.PrimaryKeyConstraint("plan_id", "version", name=op.f("plan_prices_pkey")),
    )


def _discounts() -> None:
    op.create_table(
        "discounts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("percent", sa.SmallInteger(), nullable=True),
        _money("amount", nullable=True),
        sa.Column("periods", sa.SmallInteger(), nullable=True),
        *(_money("max_uses", nullable=True), _money("uses", default="0")),
        *(_at("ends_at", nullable=True), _at("ended_at", nullable=True), _at("created_at")),
        _check("discounts", "code", "code ~ '^[A-Z0-9_-]{1,40}$'"),
        _check("discounts", "discount", "(percent IS NULL) <> (amount IS NULL)"),
        _check("discounts", "percent", "percent BETWEEN 1 AND 100"),
        _check("discounts", "amount", "amount > 0"),
        _check("discounts", "periods", "periods > 0"),
        _check("discounts", "uses", "uses BETWEEN 0 AND COALESCE(max_uses, uses)"),
        _check("discounts", "max_uses", "max_uses > 0"),
        _check("discounts", "name", "name IS NFC NORMALIZED"),
        sa.PrimaryKeyConstraint("id", name=op.f("discounts_pkey")),
        sa.UniqueConstraint("code", name=op.f("discounts_code_key")),
    )


def _adjustments() -> None:
    op.create_table(
        "adjustments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", _one_of("adjustmentkind", ADJUSTMENT_KINDS), nullable=False),
        sa.Column("description", sa.String(40), nullable=False),
        sa.Column("percent", sa.SmallInteger(), nullable=True),
        *(_money("amount", nullable=True), _money("tax_free", default="0"), _money("amount_left", nullable=True)),
        sa.Column("periods", sa.SmallInteger(), nullable=True),
        sa.Column("periods_left", sa.SmallInteger(), nullable=True),
        _at("ends_at", nullable=True),
        sa.Column("discount_id", sa.BigInteger(), nullable=True),
        sa.Column("from_charge_id", sa.BigInteger(), nullable=True),
        sa.Column("change_id", sa.BigInteger(), nullable=True),
        *(_at("used_at", nullable=True), _at("removed_at", nullable=True), _at("created_at")),
        _check("adjustments", "terms", TERMS),
        _check("adjustments", "percent", "percent BETWEEN 1 AND 100"),
        _check("adjustments", "amount", "amount > 0"),
        _check(
            "adjustments",
            "tax_free",
            "tax_free BETWEEN 0 AND CASE WHEN kind IN ('one_off', 'carried') THEN amount ELSE 0 END",
        ),
        _check("adjustments", "credit", "(amount_left IS NOT NULL) = (kind = 'credit')"),
        _check("adjustments", "amount_left", "amount_left BETWEEN 0 AND amount"),
        _check("adjustments", "periods", "(periods IS NULL) = (periods_left IS NULL)"),
        _check("adjustments", "periods_left", "periods_left BETWEEN 0 AND periods"),
        _check("adjustments", "used_credit", "used_at IS NOT NULL OR amount_left IS DISTINCT FROM 0"),
        _check("adjustments", "used_discount", "used_at IS NOT NULL OR periods_left IS DISTINCT FROM 0"),
        _check("adjustments", "removed_at", "used_at IS NULL OR removed_at IS NULL"),
        _check("adjustments", "from_charge_id", "(from_charge_id IS NOT NULL) = (kind = 'carried')"),
        _check("adjustments", "description", "description IS NFC NORMALIZED"),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("adjustments_subscription_id_fkey")
        ),
        sa.ForeignKeyConstraint(["discount_id"], ["discounts.id"], name=op.f("adjustments_discount_id_fkey")),
        sa.ForeignKeyConstraint(["from_charge_id"], ["charges.id"], name=op.f("adjustments_from_charge_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("adjustments_pkey")),
    )
    is_open = sa.text("used_at IS NULL AND removed_at IS NULL")
    is_redeemed = sa.text("discount_id IS NOT NULL AND removed_at IS NULL")
    op.create_index("adjustments_open_idx", "adjustments", ["subscription_id", "id"], postgresql_where=is_open)
    op.create_index("adjustments_subscription_id_idx", "adjustments", ["subscription_id", "id"])
    op.create_index(
        "adjustments_redeemed_key",
        "adjustments",
        ["discount_id", "subscription_id"],
        unique=True,
        postgresql_where=is_redeemed,
    )


def _items() -> None:
    op.create_table(
        "charge_items",
        sa.Column("charge_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", _one_of("itemkind", ITEM_KINDS), nullable=False),
        sa.Column("description", sa.String(40), nullable=False),
        *(_money("quantity"), _money("unit_amount"), _money("amount"), _money("tax_free")),
        *(_money("vat_amount", nullable=True), _money("adjustment_id", nullable=True)),
        _check("charge_items", "quantity", "quantity >= 1"),
        _check("charge_items", "tax_free", "tax_free BETWEEN LEAST(amount, 0) AND GREATEST(amount, 0)"),
    )
    op.execute(BACKFILL)
    op.create_primary_key(op.f("charge_items_pkey"), "charge_items", ["charge_id", "position"])
    op.create_foreign_key(op.f("charge_items_charge_id_fkey"), "charge_items", "charges", ["charge_id"], ["id"])
    op.create_foreign_key(
        op.f("charge_items_adjustment_id_fkey"), "charge_items", "adjustments", ["adjustment_id"], ["id"]
    )
    op.create_index(
        "charge_items_adjustment_id_idx",
        "charge_items",
        ["adjustment_id"],
        postgresql_where=sa.text("adjustment_id IS NOT NULL"),
    )
    op.execute(GROWING)


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("quantity", sa.Integer(), server_default="1", nullable=False))
    op.add_column("subscriptions", sa.Column("price_version", sa.SmallInteger(), server_default="1", nullable=False))
    op.create_check_constraint(op.f("subscriptions_quantity_check"), "subscriptions", "quantity >= 1")
    op.create_check_constraint(op.f("subscriptions_price_version_check"), "subscriptions", "price_version >= 1")
    op.drop_constraint(op.f("charges_amount_check"), "charges")
    op.create_check_constraint(op.f("charges_amount_check"), "charges", AMOUNT)
    _prices()
    _discounts()
    _adjustments()
    _items()
    op.execute(TRIGGERS)


def downgrade() -> None:
    for table in ("charge_items", "adjustments", "discounts", "plan_prices"):
        op.drop_table(table)
    op.drop_constraint(op.f("charges_amount_check"), "charges")
    op.create_check_constraint(op.f("charges_amount_check"), "charges", AMOUNT_BEFORE)
    op.drop_column("subscriptions", "price_version")
    op.drop_column("subscriptions", "quantity")
