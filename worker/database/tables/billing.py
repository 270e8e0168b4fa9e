"""What is sold and to whom: plans, billing keys and subscriptions. Constraints carry the promises."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from schedules.end_of_dunning import DunningEnd, GivenUpAs
from schedules.plans import CatchUp, GateMode
from worker.database.tables.base import Base, HasStatus, identity
from worker.domain.states import BillingKeyStatus, SubscriptionStatus


def look_alike(text: str) -> str:
    """Return the SQL of what two references have in common that differ in case, width or spaces only."""
    return f"lower(regexp_replace(normalize({text}, NFKC), '\\s+'::text, ' '::text, 'g'::text))"


class Plan(Base):
    """What is sold. Of a plan that exists, only how its dunning ends and what customers are told may be changed."""

    __tablename__ = "plans"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("tax_free BETWEEN 0 AND amount", name="tax_free"),
        CheckConstraint("vat_amount BETWEEN 0 AND amount - tax_free", name="vat_amount"),
        CheckConstraint("charge_hour BETWEEN 0 AND 23", name="charge_hour"),
        CheckConstraint("trial_days >= 0", name="trial_days"),
        CheckConstraint("max_open_charges >= 1", name="max_open_charges"),
        CheckConstraint("key_deadline_days >= 1", name="key_deadline_days"),
        CheckConstraint("grace_days >= 0", name="grace_days"),
        CheckConstraint("arrears ~ '^(all|none|newest [1-9][0-9]*)$'", name="arrears"),
        CheckConstraint("name IS NFC NORMALIZED", name="name"),
    )

    id: Mapped[int] = identity()
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(40))  # becomes PortOne's order name
    amount: Mapped[int]
    tax_free: Mapped[int]
    vat_amount: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3))
    cadence: Mapped[str]
    time_zone: Mapped[str]
    charge_hour: Mapped[int] = mapped_column(SmallInteger)
    trial_days: Mapped[int]
    catch_up: Mapped[CatchUp]
    dunning: Mapped[str]
    max_open_charges: Mapped[int] = mapped_column(SmallInteger, server_default="3")  # unpaid; then later ones are void
    dunning_end: Mapped[DunningEnd] = mapped_column(server_default="leave")
    dunning_end_charges: Mapped[GivenUpAs] = mapped_column(server_default="uncollectible")
    key_deadline_days: Mapped[int | None] = mapped_column(SmallInteger)  # to replace a dead key
    grace_days: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # of access beyond what is paid
    arrears: Mapped[str] = mapped_column(server_default="all")  # how many unpaid periods a new key pays
    gate: Mapped[GateMode | None]  # what becomes of a charge that lacks a consent or a message; none: the deployment's
    notices: Mapped[str] = mapped_column(server_default="none")  # what customers are told, and how many days ahead
    created_at: Mapped[datetime]


class BillingKey(HasStatus, Base):
    """One payment instrument, stored at PortOne under `customer_uid`; as good as a card, so it is never printed."""

    __tablename__ = "billing_keys"
    __table_args__ = (
        # The few that were replaced, or that no customer has registered yet.
        Index("billing_keys_forget_idx", "forget_at", postgresql_where=text("forget_at IS NOT NULL")),
        # The few that cannot be charged.
        Index("billing_keys_not_active_idx", "status", "id", postgresql_where=text("status <> 'active'")),
        CheckConstraint("label IS NFC NORMALIZED", name="label"),
    )

    id: Mapped[int] = identity()
    customer_uid: Mapped[str] = mapped_column(String(80), unique=True)
    pg: Mapped[str] = mapped_column(String(16))  # PortOne's pg_provider
    channel_key: Mapped[str | None] = mapped_column(String(55))
    label: Mapped[str]
    status: Mapped[BillingKeyStatus]
    created_at: Mapped[datetime]
    registered_at: Mapped[datetime | None]  # by the customer, as PortOne tells; empty where PortOne was not asked
    forget_at: Mapped[datetime | None]  # when it is to be deleted at PortOne, as unneeded; empty once it is


class Subscription(HasStatus, Base):
    """One customer on one plan. `next_charge_at` is the start of the first period that has no charge yet."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("code ~ '^[0-9A-HJKMNP-TV-Z]{13}$'", name="code"),
        CheckConstraint(
            "(next_charge_at IS NOT NULL) = (status IN ('trialing', 'active', 'past_due'))", name="next_charge_at"
        ),
        CheckConstraint("(ends_at IS NOT NULL) = (status = 'canceled')", name="ends_at"),
        CheckConstraint("(paused_next_charge_at IS NOT NULL) = (status = 'paused')", name="paused_next_charge_at"),
        CheckConstraint("current_period_start < current_period_end", name="current_period"),
        CheckConstraint("quantity >= 1", name="quantity"),
        CheckConstraint("price_version >= 1", name="price_version"),
        # Those that wait for their first key.
        Index("subscriptions_pending_idx", "id", postgresql_where=text("status = 'pending'")),
        # What looks the same is the same: in Unicode's other forms one customer would be two, and charged twice.
        CheckConstraint("customer_reference IS NFC NORMALIZED", name="customer_reference"),
        Index(
            "subscriptions_look_alike_idx",
            text(look_alike("customer_reference")),
            "plan_id",
            postgresql_where=text("status NOT IN ('canceled', 'ended')"),
        ),
        # Those whose periods are not charged any more, until something is paid or the key is replaced.
        Index("subscriptions_waiting_idx", "id", postgresql_where=text("waiting_since IS NOT NULL")),
        # One customer has one running subscription to a plan.
        Index(
            "subscriptions_running_key",
            "plan_id",
            "customer_reference",
            unique=True,
            postgresql_where=text("status NOT IN ('canceled', 'ended')"),
        ),
        # What a customer had, and may have paid for still.
        Index("subscriptions_over_idx", "customer_reference", postgresql_where=text("status IN ('canceled', 'ended')")),
        # The few that are not active: a charge that is opened moves an active one, and costs nothing here.
        Index("subscriptions_not_active_idx", "status", "id", postgresql_where=text("status <> 'active'")),
        # Those that were canceled and are paid for still.
        Index("subscriptions_ends_at_idx", "ends_at", postgresql_where=text("ends_at IS NOT NULL")),
        # What the tick walks through, position by position: only the rows that can fall due.
        Index(
            "subscriptions_next_charge_at_idx",
            "next_charge_at",
            "id",
            postgresql_where=text("next_charge_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = identity()
    code: Mapped[str] = mapped_column(String(13), unique=True)
    customer_reference: Mapped[str]
    plan_id: Mapped[int] = mapped_column(ForeignKey(Plan.id))
    billing_key_id: Mapped[int | None] = mapped_column(ForeignKey(BillingKey.id), index=True)
    quantity: Mapped[int] = mapped_column(Integer, server_default="1")  # of the plan: seats, licences
    price_version: Mapped[int] = mapped_column(SmallInteger, server_default="1")  # 1: the plan's own amount
    status: Mapped[SubscriptionStatus]
    anchor_on: Mapped[date]  # in the plan's time zone; every period is computed from it
    current_period_start: Mapped[datetime | None]
    current_period_end: Mapped[datetime | None]
    next_charge_at: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]  # its periods pass void: as many charges are unpaid as its plan allows
    paused_next_charge_at: Mapped[datetime | None]  # what it was at the pause: nothing before it is charged afterwards
    ends_at: Mapped[datetime | None]  # canceled, and paid until then as far as is known: looked at once it has come
    created_at: Mapped[datetime]
