"""Refunds that were asked for through Again. Only `worker.ledger.refunds` writes them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.tables.base import Base, HasStatus, identity
from worker.database.tables.changes import Change
from worker.database.tables.charges import Charge
from worker.database.tables.operations import Discrepancy
from worker.domain.refunds import RefundStatus

_OPEN = "status IN ('requested', 'unclear')"


class Refund(HasStatus, Base):
    """One refund of one payment: what was asked for, on what rest, and what became of it. Never deleted."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount BETWEEN 1 AND checksum AND checksum <= paid", name="amount"),
        CheckConstraint(
            "tax_free BETWEEN 0 AND amount AND (vat_amount IS NULL OR vat_amount BETWEEN 0 AND amount - tax_free)",
            name="taxes",
        ),
        CheckConstraint("(status IN ('completed', 'refused')) = (settled_at IS NOT NULL)", name="settled_at"),
        CheckConstraint("(sends > 0) = (sent_at IS NOT NULL)", name="sent_at"),
        # An open one is tried again, or an operator decides: none is forgotten.
        CheckConstraint(
            f"({_OPEN}) = (num_nonnulls(next_try_at, flagged_at) = 1)"
            f" AND ({_OPEN} OR num_nonnulls(next_try_at, flagged_at) = 0)",
            name="open_is_tried",
        ),
        CheckConstraint("length(reason) BETWEEN 1 AND 500", name="reason"),
        # No second refund of a payment while the outcome of the first is open.
        Index("refunds_open_key", "imp_uid", unique=True, postgresql_where=text(_OPEN)),
        Index("refunds_due_idx", "next_try_at", postgresql_where=text(_OPEN)),
        Index("refunds_charge_id_idx", "charge_id"),
        Index("refunds_imp_uid_idx", "imp_uid"),
    )

    id: Mapped[int] = identity()
    charge_id: Mapped[int | None] = mapped_column(ForeignKey(Charge.id))  # that its payment pays
    change_id: Mapped[int | None] = mapped_column(ForeignKey(Change.id), unique=True)  # that asked for it
    discrepancy_id: Mapped[int | None] = mapped_column(ForeignKey(Discrepancy.id))  # whose decision it is
    imp_uid: Mapped[str]
    merchant_uid: Mapped[str] = mapped_column(String(40))
    pg: Mapped[str] = mapped_column(server_default="")
    currency: Mapped[str] = mapped_column(String(3))
    paid: Mapped[int]  # what the payment came to
    checksum: Mapped[int]  # what of it was not refunded when this was asked for
    amount: Mapped[int]
    tax_free: Mapped[int]
    vat_amount: Mapped[int | None]
    ends_at: Mapped[datetime | None]  # what was paid ends then, if it is completed: it refunds the days from then on
    reference: Mapped[str] = mapped_column(String(20), unique=True)  # marks it in PortOne's history
    reason: Mapped[str]
    requested_by: Mapped[str] = mapped_column(server_default=text("current_setting('application_name')"))
    status: Mapped[RefundStatus]
    started_at: Mapped[datetime]
    sends: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # how often the request may have gone out
    sent_at: Mapped[datetime | None]  # the last time: committed before the request
    deferrals: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # in a row, when it could not leave
    next_try_at: Mapped[datetime | None]
    flagged_at: Mapped[datetime | None]  # the look-ups are used up or tell nothing: an operator decides
    settled_at: Mapped[datetime | None]
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    code: Mapped[str | None]
    message: Mapped[str | None]
    cancellation_id: Mapped[str | None]  # PortOne's own, where it shows one
