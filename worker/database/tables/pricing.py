"""What charges are made of, and what the next ones differ by: items, adjustments, versions of prices, codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.tables.base import Base, identity
from worker.database.tables.billing import Plan, Subscription
from worker.database.tables.charges import Charge
from worker.domain.pricing.adjustments import AdjustmentKind
from worker.domain.pricing.items import ItemKind


class PlanPrice(Base):
    """A later price of a plan, whose own is version 1. A subscription keeps its version until a change moves it."""

    __tablename__ = "plan_prices"
    __table_args__ = (
        CheckConstraint("version >= 2", name="version"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("tax_free BETWEEN 0 AND amount", name="tax_free"),
        CheckConstraint("vat_amount BETWEEN 0 AND amount - tax_free", name="vat_amount"),
    )

    plan_id: Mapped[int] = mapped_column(ForeignKey(Plan.id), primary_key=True)
    version: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int]
    tax_free: Mapped[int]
    vat_amount: Mapped[int | None]
    sold_from: Mapped[datetime]  # from when on new subscriptions get it
    created_at: Mapped[datetime]


class Discount(Base):
    """A code that customers redeem for a discount."""

    __tablename__ = "discounts"
    __table_args__ = (
        CheckConstraint("code ~ '^[A-Z0-9_-]{1,40}$'", name="code"),
        CheckConstraint("(percent IS NULL) <> (amount IS NULL)", name="discount"),
        CheckConstraint("percent BETWEEN 1 AND 100", name="percent"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("periods > 0", name="periods"),
        CheckConstraint("uses BETWEEN 0 AND COALESCE(max_uses, uses)", name="uses"),
        CheckConstraint("max_uses > 0", name="max_uses"),
        CheckConstraint("name IS NFC NORMALIZED", name="name"),
    )

    id: Mapped[int] = identity()
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(40))  # what customers read
    percent: Mapped[int | None] = mapped_column(SmallInteger)
    amount: Mapped[int | None]  # won off each of the periods
    periods: Mapped[int | None] = mapped_column(SmallInteger)  # None: for ever
    max_uses: Mapped[int | None]
    uses: Mapped[int] = mapped_column(server_default="0")
    ends_at: Mapped[datetime | None]  # from when on it is not redeemed any more; what was redeemed stays
    ended_at: Mapped[datetime | None]  # by an operator, before that
    plans: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")  # codes; none: it is for any plan
    created_at: Mapped[datetime]


class Adjustment(Base):
    """What the next charges of a subscription differ by, until it is used up or removed. Never deleted."""

    __tablename__ = "adjustments"
    __table_args__ = (
        CheckConstraint(
            "CASE kind WHEN 'discount' THEN (percent IS NULL) <> (amount IS NULL)"
            " ELSE percent IS NULL AND amount IS NOT NULL AND periods IS NULL AND ends_at IS NULL END",
            name="terms",
        ),
        CheckConstraint("percent BETWEEN 1 AND 100", name="percent"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(
            "tax_free BETWEEN 0 AND CASE WHEN kind IN ('one_off', 'carried') THEN amount ELSE 0 END", name="tax_free"
        ),
        CheckConstraint("(amount_left IS NOT NULL) = (kind = 'credit')", name="credit"),
        CheckConstraint("amount_left BETWEEN 0 AND amount", name="amount_left"),
        CheckConstraint("(periods IS NULL) = (periods_left IS NULL)", name="periods"),
        CheckConstraint("periods_left BETWEEN 0 AND periods", name="periods_left"),
        CheckConstraint("used_at IS NOT NULL OR amount_left IS DISTINCT FROM 0", name="used_credit"),
        CheckConstraint("used_at IS NOT NULL OR periods_left IS DISTINCT FROM 0", name="used_discount"),
        CheckConstraint("used_at IS NULL OR removed_at IS NULL", name="removed_at"),
        CheckConstraint("(from_charge_id IS NOT NULL) = (kind = 'carried')", name="from_charge_id"),
        CheckConstraint("description IS NFC NORMALIZED", name="description"),
        # What opening asks of every subscription that is due: the few whose charge is not the plan's alone.
        Index(
            "adjustments_open_idx",
            "subscription_id",
            "id",
            postgresql_where=text("used_at IS NULL AND removed_at IS NULL"),
        ),
        Index("adjustments_subscription_id_idx", "subscription_id", "id"),
        # A code is redeemed once by a subscription.
        Index(
            "adjustments_redeemed_key",
            "discount_id",
            "subscription_id",
            unique=True,
            postgresql_where=text("discount_id IS NOT NULL AND removed_at IS NULL"),
        ),
    )

    id: Mapped[int] = identity()
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id))
    kind: Mapped[AdjustmentKind]
    description: Mapped[str] = mapped_column(String(40))  # customers read it
    percent: Mapped[int | None] = mapped_column(SmallInteger)
    amount: Mapped[int | None]  # won: off each period, given, charged once, or carried over
    tax_free: Mapped[int] = mapped_column(server_default="0")
    amount_left: Mapped[int | None]  # of a credit
    periods: Mapped[int | None] = mapped_column(SmallInteger)  # of a discount; None: for ever
    periods_left: Mapped[int | None] = mapped_column(SmallInteger)
    ends_at: Mapped[datetime | None]  # no period that starts then or later is discounted
    discount_id: Mapped[int | None] = mapped_column(ForeignKey(Discount.id))  # the code that it comes from
    from_charge_id: Mapped[int | None] = mapped_column(ForeignKey(Charge.id))  # which left it to the next
    change_id: Mapped[int | None]  # that made it
    used_at: Mapped[datetime | None]  # nothing of it is left
    removed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class ChargeItem(Base):
    """One line of a charge; its lines add up to its amount, its tax-free part and its VAT. Never changed."""

    __tablename__ = "charge_items"
    __table_args__ = (
        CheckConstraint("quantity >= 1", name="quantity"),
        # What is taken off an amount is below zero, and so are its parts.
        CheckConstraint(
            "tax_free BETWEEN LEAST(amount, 0) AND GREATEST(amount, 0)",
            name="tax_free",
        ),
        Index(
            "charge_items_adjustment_id_idx",
            "adjustment_id",
            postgresql_where=text("adjustment_id IS NOT NULL"),
        ),
    )

    charge_id: Mapped[int] = mapped_column(ForeignKey(Charge.id), primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    kind: Mapped[ItemKind]
    description: Mapped[str] = mapped_column(String(40))
    quantity: Mapped[int]
    unit_amount: Mapped[int]
    amount: Mapped[int]
    tax_free: Mapped[int]
    vat_amount: Mapped[int | None]
    adjustment_id: Mapped[int | None] = mapped_column(ForeignKey(Adjustment.id))
