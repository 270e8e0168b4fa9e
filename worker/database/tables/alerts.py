"""What operators were told of troubles."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.tables.base import Base, identity


class Alert(Base):
    """A trouble, from when it was found to when it was gone for some minutes. One of each check is open at a time."""

    __tablename__ = "alerts"
    __table_args__ = (
        CheckConstraint("closed_at IS NULL OR gone_at IS NOT NULL", name="closed_at"),
        Index("alerts_open_key", "check", unique=True, postgresql_where=text("closed_at IS NULL")),
    )

    id: Mapped[int] = identity()
    check: Mapped[str] = mapped_column(String(40))  # of `again doctor`
    subjects: Mapped[list[str]] = mapped_column(ARRAY(Text))  # everything that it was about
    finding: Mapped[str]  # as it was told last
    remedy: Mapped[str]
    opened_at: Mapped[datetime]
    told_at: Mapped[datetime]  # the last time
    gone_at: Mapped[datetime | None]  # since when its trouble is not found any more
    closed_at: Mapped[datetime | None]
