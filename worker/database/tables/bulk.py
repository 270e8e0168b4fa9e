"""Tables of bulk runs: one act on many subscriptions or charges, and what became of each row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.tables.base import Base, identity
from worker.domain.changes import BulkRowStatus


class BulkRun(Base):
    """One act that an operator asked for on many rows. Never deleted."""

    __tablename__ = "bulk_runs"

    id: Mapped[int] = identity()
    kind: Mapped[str]  # of its changes
    parameters: Mapped[Any] = mapped_column(JSONB)  # what all rows have in common, and when it takes effect
    reason: Mapped[str]
    rows: Mapped[int]  # how many it has
    started_by: Mapped[str] = mapped_column(server_default=text("current_setting('application_name')"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]  # once no row waits any more


class BulkRow(Base):
    """One row of a bulk run, and what became of it. Final once it does not wait any more."""

    __tablename__ = "bulk_rows"
    __table_args__ = (Index("bulk_rows_waiting_idx", "bulk_id", "number", postgresql_where=text("status = 'waiting'")),)

    bulk_id: Mapped[int] = mapped_column(ForeignKey(BulkRun.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    subject: Mapped[str]  # a subscription's code, or a charge's id
    parameters: Mapped[Any] = mapped_column(JSONB)  # its own, beside those of the run
    status: Mapped[BulkRowStatus]
    reason: Mapped[str | None]  # why it was skipped, or has failed
    change_id: Mapped[int | None] = mapped_column(ForeignKey("changes.id"))
