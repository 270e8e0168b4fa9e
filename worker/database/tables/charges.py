"""What is owed and every attempt to collect it. Only `worker.ledger` writes these two tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.tables.base import Base, HasStatus, identity
from worker.database.tables.billing import BillingKey, Subscription
from worker.domain.consent_gate.release import GateRelease
from worker.domain.outcomes import DeclineKind
from worker.domain.states import AttemptStatus, ChargeStatus, Via, WaitReason


class Charge(HasStatus, Base):
    """What one subscription owes for one period: one row for ever, with the amounts of the day it opened."""

    __tablename__ = "charges"
    __table_args__ = (
        # Promise 1 starts here: a period has one charge, however often it is opened.
        UniqueConstraint("subscription_id", "period_start"),
        CheckConstraint("period_start < period_end", name="period"),
        CheckConstraint("period_start <= covers_until AND covers_until <= period_end", name="covers_until"),
        # What comes to nothing was never to be paid: it is settled as it is opened.
        CheckConstraint(
            "tax_free BETWEEN 0 AND amount AND (amount > 0 OR amount = 0 AND status IN ('paid', 'void'))", name="amount"
        ),
        CheckConstraint("(status = 'paid') = (paid_at IS NOT NULL)", name="paid_at"),
        CheckConstraint("status <> 'due' OR next_attempt_at IS NOT NULL", name="due"),
        CheckConstraint("status IN ('due', 'past_due') OR next_attempt_at IS NULL", name="next_attempt_at"),
        CheckConstraint("wait_reason IS NULL OR status IN ('due', 'past_due')", name="wait_reason"),
        CheckConstraint("(declines > 0) = (first_declined_at IS NOT NULL)", name="declines"),
        CheckConstraint("refunded >= 0 AND (refunded = 0 OR status = 'paid')", name="refunded"),
        CheckConstraint(
            "paid_elsewhere IS NULL OR status = 'paid' AND refunded = 0 AND length(paid_elsewhere) BETWEEN 1 AND 200",
            name="paid_elsewhere",
        ),
        # What the pump scans, queue by queue.
        Index(
            "charges_queue_idx",
            "queue",
            "next_attempt_at",
            "id",
            postgresql_where=text("status IN ('due', 'past_due')"),
        ),
        # What serialises the charges of one subscription, and what status and reconciliation look at.
        Index(
            "charges_open_idx",
            "subscription_id",
            "period_start",
            postgresql_where=text("status IN ('due', 'charging', 'past_due')"),
        ),
        # The few that no consent covers.
        Index(
            "charges_awaits_consent_idx",
            "subscription_id",
            postgresql_where=text("awaits_consent_since IS NOT NULL"),
        ),
        # The few that the consent gate holds: of a subscription, and in the order in which they are judged again.
        CheckConstraint(
            "(gate_held_since IS NULL) = (gate_judged_at IS NULL) "
            "AND (gate_held_since IS NULL OR gate_lacks IS NOT NULL)",
            name="gate",
        ),
        CheckConstraint(
            "gate_lacks <@ ARRAY['consent_free_to_paid', 'consent_price_increase', 'notice_free_to_paid'] "
            "AND cardinality(gate_lacks) > 0",
            name="gate_lacks",
        ),
        CheckConstraint(
            "(gate_released_by IS NULL) = (gate_released_at IS NULL) "
            "AND (gate_released_by IS NULL OR gate_held_since IS NULL)",
            name="gate_released",
        ),
        Index("charges_gate_held_idx", "subscription_id", postgresql_where=text("gate_held_since IS NOT NULL")),
        Index(
            "charges_gate_judged_idx",
            "gate_judged_at",
            postgresql_where=text("gate_judged_at IS NOT NULL AND status NOT IN ('paid', 'void')"),
        ),
        # Those that were opened without what the gate wants, by their time.
        Index("charges_gate_lacks_idx", "period_start", postgresql_where=text("gate_lacks IS NOT NULL")),
        # What status counts among the many that are settled: a day's paid ones, and the few that never were.
        Index("charges_paid_at_idx", "paid_at", postgresql_where=text("paid_at IS NOT NULL")),
        Index(
            "charges_not_collected_idx",
            "status",
            "status_at",
            postgresql_where=text("status IN ('uncollectible', 'void')"),
        ),
    )

    id: Mapped[int] = identity()
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id))
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    covers_until: Mapped[datetime | None]  # until when its money pays for days, if not to its end; later ones are given
    amount: Mapped[int]
    tax_free: Mapped[int]
    vat_amount: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3))
    order_name: Mapped[str] = mapped_column(String(40))
    status: Mapped[ChargeStatus]
    next_attempt_at: Mapped[datetime | None]
    queue: Mapped[str | None] = mapped_column(String(16))  # its key's PG, or `plan:ID` while its plan is stopped
    paid_at: Mapped[datetime | None]
    paid_elsewhere: Mapped[str | None]  # how it was paid, when PortOne has not seen its money
    written_off_at: Mapped[datetime | None]  # when it was last given up though its calendar was not spent
    wait_reason: Mapped[WaitReason | None]  # of its last attempt, or postponed, while it is due or past due
    declines: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # those that count for dunning
    first_declined_at: Mapped[datetime | None]
    deferrals: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # in a row; no fault of the customer's
    refunded: Mapped[int] = mapped_column(server_default="0")  # how much of it PortOne shows as refunded
    awaits_consent_since: Mapped[datetime | None]  # its key was replaced without consent to this charge
    gate_held_since: Mapped[datetime | None]  # the consent gate holds it: no claim takes it
    gate_lacks: Mapped[list[str] | None] = mapped_column(ARRAY(Text))  # what the gate has found lacking, by its rules
    gate_judged_at: Mapped[datetime | None]  # when it was last looked at again, while it is held
    gate_released_at: Mapped[datetime | None]  # when the gate let it go, if it had held it
    gate_released_by: Mapped[GateRelease | None]  # and how that came to be
    created_at: Mapped[datetime]


class Attempt(HasStatus, Base):
    """One merchant_uid. Never deleted; `paid` is final, and `declined` but for a payment that PortOne shows later."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("charge_id", "number"),
        CheckConstraint("number BETWEEN 1 AND 999", name="number"),
        CheckConstraint("sends >= 1", name="sends"),
        CheckConstraint("merchant_uid ~ '^[A-Za-z0-9]{1,40}$'", name="merchant_uid"),
        CheckConstraint("status <> 'paid' OR imp_uid IS NOT NULL", name="paid"),
        # A payment found at PortOne does not say with which key it was made.
        CheckConstraint("billing_key_id IS NOT NULL OR status = 'paid'", name="billing_key_id"),
        CheckConstraint("(status = 'declined') = (decline_kind IS NOT NULL)", name="decline_kind"),
        CheckConstraint("status = 'unknown' OR next_lookup_at IS NULL", name="next_lookup_at"),
        CheckConstraint("status = 'unknown' OR flagged_at IS NULL", name="flagged_at"),
        CheckConstraint(
            "status <> 'unknown' OR (next_lookup_at IS NULL) = (flagged_at IS NOT NULL)", name="unknown_is_looked_up"
        ),
        # No second attempt while the outcome of the first is open.
        Index(
            "attempts_open_key",
            "charge_id",
            unique=True,
            postgresql_where=text("status IN ('started', 'unknown')"),
        ),
        # Among these few are all charges that were paid twice.
        Index("attempts_paid_later_idx", "charge_id", postgresql_where=text("status = 'paid' AND number > 1")),
        # What a customer does in a window is no decline, and no window is without an end.
        CheckConstraint("via <> 'window' OR window_until IS NOT NULL AND status <> 'declined'", name="window"),
        # What reconciliation scans.
        Index("attempts_lease_idx", "lease_until", postgresql_where=text("status = 'started'")),
        Index("attempts_lookup_idx", "next_lookup_at", postgresql_where=text("status = 'unknown'")),
        # Declines by kind and time: those that no rule knows, and those that other rules would decide otherwise.
        Index("attempts_declined_idx", "decline_kind", "settled_at", postgresql_where=text("status = 'declined'")),
        # What PortOne could not be asked about.
        Index(
            "attempts_failing_idx",
            "failing_since",
            postgresql_where=text("status = 'unknown' AND failing_since IS NOT NULL"),
        ),
    )

    id: Mapped[int] = identity()
    charge_id: Mapped[int] = mapped_column(ForeignKey(Charge.id))
    billing_key_id: Mapped[int | None] = mapped_column(ForeignKey(BillingKey.id))
    number: Mapped[int] = mapped_column(SmallInteger)
    merchant_uid: Mapped[str] = mapped_column(String(40), unique=True)
    status: Mapped[AttemptStatus]
    sends: Mapped[int] = mapped_column(SmallInteger)  # how often the request may have gone out, or a window opened
    started_at: Mapped[datetime]  # of the latest send: committed before the request
    lease_until: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    imp_uid: Mapped[str | None]
    pg_tid: Mapped[str | None]
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    code: Mapped[str | None]
    message: Mapped[str | None]
    decline_kind: Mapped[DeclineKind | None]
    refusal: Mapped[str | None]  # "duplicate", or words that no table knows; kept until it is clear what it was
    raw: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))  # without personal data
    via: Mapped[Via] = mapped_column(server_default="again")  # how it was last sent; the key is not a window's doing
    window_until: Mapped[datetime | None]  # until when a payment window of it may be paid
    resume_at: Mapped[datetime | None]  # when its charge was to be tried before the window opened
    lookups: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_lookup_at: Mapped[datetime | None]
    flagged_at: Mapped[datetime | None]  # the look-ups are spent or the answer is odd: an operator decides
    flag_reason: Mapped[str | None]
    failing_since: Mapped[datetime | None]  # since when its look-ups have failed, all of them
    failure: Mapped[str | None]  # what the last of them met
    archived_in: Mapped[int | None]  # the block of archived_answers that has `raw`
    # The connection that made it, for the story that the audit leaves out; empty where the audit tells it.
    created_by: Mapped[str | None] = mapped_column(server_default=text("current_setting('application_name')"))


class ArchivedAnswers(Base):
    """PortOne's answers to attempts that were settled long ago: a block, compressed as one value."""

    __tablename__ = "archived_answers"

    id: Mapped[int] = identity()
    settled_from: Mapped[datetime]
    settled_until: Mapped[datetime]
    attempt_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    answers: Mapped[Any] = mapped_column(JSONB)  # by the attempt's id
