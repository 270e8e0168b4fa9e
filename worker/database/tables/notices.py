"""What customers are told: each notice once, and how far the search for those to come has got."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from schedules.notices import NoticeKind
from worker.database.tables.base import Base, identity
from worker.database.tables.billing import Subscription


class Notice(Base):
    """One thing that a customer is told. Never changed once it is sent; with `sent_at` its event is noted."""

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("subscription_id", "kind", "about", "source", "correction", name="notices_about_key"),
        CheckConstraint("(sent_at IS NULL) = (content IS NULL)", name="content"),
        CheckConstraint("(kind IN ('renewal', 'trial', 'price')) = (source = '')", name="source"),
        CheckConstraint("correction = 0 OR correction > 0 AND source = ''", name="correction"),
        # Those that wait for the end of quiet hours.
        Index("notices_waiting_idx", "due_at", "id", postgresql_where=text("sent_at IS NULL")),
    )

    id: Mapped[int] = identity()
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id))
    kind: Mapped[NoticeKind]
    about: Mapped[datetime]  # when the period begins, the trial is over, the price rises; or when it happened
    source: Mapped[str] = mapped_column(String(28), server_default="")  # the id of the event that it follows, if any
    correction: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # how often it was told before
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    content: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))  # what was said, to the word


class SubscriptionEmail(Base):
    """Where the notices of a subscription are sent by e-mail. Personal data: nothing else has it, and it is erased."""

    __tablename__ = "subscription_emails"
    __table_args__ = (CheckConstraint("language IN ('ko', 'en')", name="language"),)

    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id), primary_key=True, autoincrement=False)
    address: Mapped[str]
    language: Mapped[str] = mapped_column(String(2))
    given_at: Mapped[datetime]


class NoticeWalk(Base):
    """Where the search for notices to come stands, in one order of what they are about."""

    __tablename__ = "notice_walks"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    at: Mapped[datetime]  # of the last row that was looked at
    id: Mapped[int]
