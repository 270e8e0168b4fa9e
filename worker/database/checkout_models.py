"""What customers do themselves, in payment windows: checkouts, and the webhooks that hint at news of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.base import Base, HasStatus, identity
from worker.database.models import BillingKey, Charge, Subscription
from worker.database.watch_models import Audit
from worker.lifecycle import CheckoutPurpose, CheckoutStatus

__all__ = ["Audit", "Checkout", "Webhook"]


class Checkout(HasStatus, Base):
    """One link for one customer: what was offered, what was agreed to, and what came of it. Never deleted.

    No name, telephone number or e-mail is kept; they are passed through to the window.
    """

    __tablename__ = "checkouts"
    __table_args__ = (
        CheckConstraint("agreed_at IS NULL OR (purpose = 'pay') = (billing_key_id IS NULL)", name="billing_key_id"),
        CheckConstraint("purpose <> 'pay' OR charge_id IS NOT NULL", name="charge_id"),
        CheckConstraint("NOT with_payment OR purpose = 'register'", name="with_payment"),
        CheckConstraint("(agreed_at IS NULL) = (merchant_uid IS NULL)", name="agreed"),
        CheckConstraint("status NOT IN ('opened', 'done') OR agreed_at IS NOT NULL", name="opened"),
        CheckConstraint("(next_look_at IS NOT NULL) = (status = 'opened')", name="next_look_at"),
        # What a webhook names. Two checkouts that pay the same charge have the same.
        Index("checkouts_merchant_uid_idx", "merchant_uid"),
        Index("checkouts_look_idx", "next_look_at", postgresql_where=text("status = 'opened'")),
        Index("checkouts_created_idx", "expires_at", postgresql_where=text("status = 'created'")),
        # The few replaced keys that wait to be deleted at PortOne.
        Index("checkouts_forget_idx", "forget_at", postgresql_where=text("forget_at IS NOT NULL")),
        Index("checkouts_subscription_id_idx", "subscription_id"),
    )

    id: Mapped[int] = identity()
    code: Mapped[str] = mapped_column(String(13), unique=True)
    purpose: Mapped[CheckoutPurpose]
    status: Mapped[CheckoutStatus]
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id))
    charge_id: Mapped[int | None] = mapped_column(ForeignKey(Charge.id))  # what its payment pays, if it has one
    with_payment: Mapped[bool]
    pg: Mapped[str | None] = mapped_column(String(16))  # if the link leaves no choice
    chosen_pg: Mapped[str | None] = mapped_column(String(16))  # of the window that was opened last
    opened_pgs: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")  # of all: any tab may pay
    amount: Mapped[int]  # what the window charges, or shows
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]  # from then on no window is opened with it
    agreed_at: Mapped[datetime | None]  # the consent, given with every window that is opened: the last one counts
    wording: Mapped[str | None]  # which version of the text was agreed to
    billing_key_id: Mapped[int | None] = mapped_column(ForeignKey(BillingKey.id))  # the one it registers
    merchant_uid: Mapped[str | None] = mapped_column(String(40))
    windows: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # how often one was opened
    window_until: Mapped[datetime | None]  # so long one may be used
    looks: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_look_at: Mapped[datetime | None]
    imp_uid: Mapped[str | None]
    said: Mapped[str | None]  # what the PG said when the customer was declined last, for them to read
    replaced_key_id: Mapped[int | None] = mapped_column(ForeignKey(BillingKey.id))
    forget_at: Mapped[datetime | None]  # when the replaced key is to be deleted at PortOne; empty once it is


class Webhook(Base):
    """A hint that there is news of a payment, stored once however often it comes. Nothing in it is believed."""

    __tablename__ = "webhooks"
    __table_args__ = (
        UniqueConstraint("imp_uid", "merchant_uid", "status", "cancellation_id"),
        Index("webhooks_waiting_idx", "next_look_at", postgresql_where=text("next_look_at IS NOT NULL")),
    )

    id: Mapped[int] = identity()
    imp_uid: Mapped[str] = mapped_column(String(100))
    merchant_uid: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(20))
    cancellation_id: Mapped[str] = mapped_column(String(100), server_default="")
    times: Mapped[int] = mapped_column(server_default="1")
    received_at: Mapped[datetime]
    looks: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_look_at: Mapped[datetime | None]  # empty once it was looked up
    outcome: Mapped[str | None]  # what the look-up came to
