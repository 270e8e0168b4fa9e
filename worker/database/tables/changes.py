"""The table of changes: dated intents on subscriptions and charges. Only `worker.ledger.changes` writes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.tables.base import Base, HasStatus, identity
from worker.database.tables.billing import Subscription
from worker.database.tables.bulk import BulkRun
from worker.database.tables.charges import Charge
from worker.database.tables.checkout import Consent
from worker.domain.changes import ChangeKind, ChangeStatus, WaitsFor


class Change(HasStatus, Base):
    """What was asked for, by whom, why and for when; and what became of it. Never deleted."""

    __tablename__ = "changes"
    __table_args__ = (
        CheckConstraint("length(reason) BETWEEN 1 AND 500", name="reason"),
        CheckConstraint("waits_for IS NULL OR status = 'scheduled'", name="waits_for"),
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="approved"),
        CheckConstraint("approved_by IS NULL OR approved_by <> requested_by", name="approved_by"),
        # What the tick takes: those whose time has come, and which wait for nothing else.
        Index(
            "changes_due_idx",
            "effective_at",
            "id",
            postgresql_where=text("status = 'scheduled' AND waits_for IS NULL"),
        ),
        # What is to be sent to PortOne, or was.
        Index(
            "changes_at_portone_idx",
            "effective_at",
            "id",
            postgresql_where=text("status = 'scheduled' AND waits_for = 'portone'"),
        ),
        # The prices that are to rise, by their dates.
        Index(
            "changes_of_prices_idx",
            "effective_at",
            "id",
            postgresql_where=text("status = 'scheduled' AND kind = 'change_price'"),
        ),
        # What is to come of one subscription.
        Index("changes_scheduled_idx", "subscription_id", "id", postgresql_where=text("status = 'scheduled'")),
        Index("changes_subscription_id_idx", "subscription_id", "id"),
        Index("changes_failed_idx", "id", postgresql_where=text("status = 'failed'")),
    )

    id: Mapped[int] = identity()
    kind: Mapped[ChangeKind]
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id))
    charge_id: Mapped[int | None] = mapped_column(ForeignKey(Charge.id))
    parameters: Mapped[Any] = mapped_column(JSONB)
    effective_at: Mapped[datetime]
    status: Mapped[ChangeStatus]
    waits_for: Mapped[WaitsFor | None]
    requested_by: Mapped[str] = mapped_column(server_default=text("current_setting('application_name')"))
    reason: Mapped[str]
    comment: Mapped[str | None]  # the customer's own words
    idempotency_key: Mapped[str | None] = mapped_column(String(80), unique=True)
    digest: Mapped[str]  # of the request: the same key with another one is refused
    preview: Mapped[Any] = mapped_column(JSONB)  # what was shown: the sentence in both languages, the sums, the periods
    fingerprint: Mapped[str]  # of the preview
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    consent_id: Mapped[int | None] = mapped_column(ForeignKey(Consent.id))
    bulk_id: Mapped[int | None] = mapped_column(ForeignKey(BulkRun.id))  # the bulk run that has asked for it
    created_at: Mapped[datetime]
