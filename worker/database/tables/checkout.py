"""Tables of what customers do themselves in payment windows: checkouts, consents, window orders; and webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.tables.base import Base, HasStatus, identity
from worker.database.tables.billing import BillingKey, Subscription
from worker.database.tables.charges import Charge
from worker.database.tables.operations import Audit
from worker.domain.states import CheckoutPurpose, CheckoutStatus, ConsentSource, WebhookOutcome

__all__ = ["Audit", "Checkout", "Consent", "Webhook", "WindowOrder"]


class Checkout(HasStatus, Base):
    """One link for one customer: what was offered, what was agreed to, and what came of it. Never deleted.

    No name, telephone number or e-mail is kept; they are passed through to the window.
    """

    __tablename__ = "checkouts"
    __table_args__ = (
        CheckConstraint("(agreed_at IS NULL) = (window_until IS NULL)", name="agreed"),
        CheckConstraint("purpose <> 'pay' OR charge_id IS NOT NULL", name="charge_id"),
        CheckConstraint("NOT with_payment OR purpose = 'register'", name="with_payment"),
        CheckConstraint("status NOT IN ('opened', 'done') OR agreed_at IS NOT NULL", name="opened"),
        CheckConstraint("(next_lookup_at IS NOT NULL) = (status = 'opened')", name="next_lookup_at"),
        Index("checkouts_next_lookup_idx", "next_lookup_at", postgresql_where=text("status = 'opened'")),
        Index("checkouts_created_idx", "expires_at", postgresql_where=text("status = 'created'")),
        Index("checkouts_subscription_id_idx", "subscription_id"),
    )

    id: Mapped[int] = identity()
    code: Mapped[str] = mapped_column(String(13), unique=True)
    purpose: Mapped[CheckoutPurpose]
    status: Mapped[CheckoutStatus]
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id))
    charge_id: Mapped[int | None] = mapped_column(ForeignKey(Charge.id))  # the overdue one that it is to pay
    with_payment: Mapped[bool]
    pg: Mapped[str | None] = mapped_column(String(16))  # if the link leaves no choice
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]  # from then on no window is opened with it
    agreed_at: Mapped[datetime | None]  # the consent, given with every window that is opened: the last one counts
    wording: Mapped[str | None]  # which version of the text was agreed to
    windows: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # how often one was opened
    window_until: Mapped[datetime | None]  # until when one may be used
    lookups: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_lookup_at: Mapped[datetime | None]
    imp_uid: Mapped[str | None]
    decline_message: Mapped[str | None]  # what the PG said when the customer was declined last, for them to read


class ConsentTerms(Base):
    """A text that customers have agreed to, whole, and how they were told to withdraw. Append-only; each text once.

    What differs from customer to customer, such as amounts and dates, may stand in it or in its consents.
    """

    __tablename__ = "consent_terms"

    id: Mapped[int] = identity()
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    wording: Mapped[str]  # version and language, or whatever name the text has
    shown: Mapped[str]  # the text as it was shown
    withdrawal: Mapped[str]  # how to withdraw, as it was shown
    first_shown_at: Mapped[datetime]


class Consent(Base):
    """What a customer has agreed to: the plan's terms, and to the won each period that is charged at once. Append-only.

    Given again, in another tab or at another sum, there is another row; of one checkout the newest counts.
    """

    __tablename__ = "consents"
    __table_args__ = (
        CheckConstraint("due_now >= 0 AND amount > 0", name="due_now"),
        # With a change there is no checkout, though a host may have asked the customer.
        CheckConstraint("source <> 'checkout' OR checkout_id IS NOT NULL", name="source"),
        Index("consents_subscription_id_idx", "subscription_id", "billing_key_id"),
        Index("consents_checkout_id_idx", "checkout_id"),
        Index("consents_agreed_at_idx", "agreed_at"),
    )

    id: Mapped[int] = identity()
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id))
    checkout_id: Mapped[int | None] = mapped_column(ForeignKey(Checkout.id))
    billing_key_id: Mapped[int | None] = mapped_column(ForeignKey(BillingKey.id))  # what is charged; none: by hand
    source: Mapped[ConsentSource]
    wording: Mapped[str]  # version and language of the text
    terms_id: Mapped[int | None] = mapped_column(ForeignKey(ConsentTerms.id))  # the text, if it was handed in
    amount: Mapped[int]  # of every later period, in won
    currency: Mapped[str] = mapped_column(String(3))
    cadence: Mapped[str]
    next_charge_at: Mapped[datetime | None]  # when the next period was said to be charged
    due_now: Mapped[int]  # what may be charged at once: the sum of `periods`
    periods: Mapped[Any] = mapped_column(JSONB)  # [{"period_start": ..., "amount": ...}]
    given_up: Mapped[Any] = mapped_column(JSONB, server_default=text("'[]'"))  # unpaid, and not charged: as `periods`
    agreed_at: Mapped[datetime]
    agreed_by: Mapped[str] = mapped_column(server_default=text("current_setting('application_name')"))


class WindowOrder(Base):
    """What windows of one checkout were opened for: a payment, a billing key, or both. Never deleted.

    Another PG, or another day, makes another order; any of them may still be carried out, and the first one counts.
    """

    __tablename__ = "window_orders"
    __table_args__ = (
        UniqueConstraint("checkout_id", "merchant_uid"),
        CheckConstraint("charge_id IS NOT NULL OR billing_key_id IS NOT NULL", name="purpose"),
        # What a webhook names. Two checkouts that pay the same charge have the same.
        Index("window_orders_merchant_uid_idx", "merchant_uid"),
        Index("window_orders_billing_key_id_idx", "billing_key_id"),
    )

    id: Mapped[int] = identity()
    checkout_id: Mapped[int] = mapped_column(ForeignKey(Checkout.id))
    merchant_uid: Mapped[str] = mapped_column(String(40))
    pg: Mapped[str] = mapped_column(String(16))  # of its newest window
    opened_pgs: Mapped[list[str]] = mapped_column(ARRAY(Text))  # of all its windows: any tab may pay
    charge_id: Mapped[int | None] = mapped_column(ForeignKey(Charge.id))  # what it pays
    billing_key_id: Mapped[int | None] = mapped_column(ForeignKey(BillingKey.id))  # what it registers
    amount: Mapped[int]  # what it charges, or with a key alone shows
    opened_at: Mapped[datetime]  # its newest window


class Webhook(Base):
    """A webhook event about a payment, stored once however often it comes. Nothing in it is believed.

    Deleted some months after it was processed.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        UniqueConstraint("imp_uid", "merchant_uid", "status", "cancellation_id"),
        Index("webhooks_waiting_idx", "next_lookup_at", postgresql_where=text("next_lookup_at IS NOT NULL")),
        Index("webhooks_received_idx", "received_at"),
    )

    id: Mapped[int] = identity()
    imp_uid: Mapped[str] = mapped_column(String(100))
    merchant_uid: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(20))
    cancellation_id: Mapped[str] = mapped_column(String(100), server_default="")
    deliveries: Mapped[int] = mapped_column(server_default="1")
    received_at: Mapped[datetime]
    lookups: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    looked_up_at: Mapped[datetime | None]
    next_lookup_at: Mapped[datetime | None]  # empty once it was looked up
    confirmed: Mapped[bool] = mapped_column(server_default="false")  # PortOne shows what it says
    outcome_code: Mapped[WebhookOutcome | None]  # what the look-up came to
    outcome_detail: Mapped[str | None]  # why its checkout was refused
