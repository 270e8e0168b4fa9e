"""What Again tells others: the outbox, the events in their order, where they go, and what is not there yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.tables.base import Base, HasStatus, identity
from worker.domain.events.destinations import DestinationKind, DestinationStatus


class OutboxRow(Base):
    """A change of state, in the transaction that made it: written by triggers, and taken out by the relay."""

    __tablename__ = "outbox"

    id: Mapped[int] = identity()
    type: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    subscription_id: Mapped[int | None]
    charge_id: Mapped[int | None]
    key: Mapped[str]  # what tells this fact from others of its type and its period, or its subscription
    data: Mapped[Any] = mapped_column(JSONB)


class Event(Base):
    """A change of state as it is told. Never changed; deleted once it is older than events are kept."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_subscription_idx", "subscription_id", "position"),
        Index("events_type_idx", "type", "position"),
    )

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(28), index=True)  # of the fact: a restored database gives it the same again
    type: Mapped[str] = mapped_column(String(40))
    version: Mapped[int] = mapped_column(SmallInteger)
    at: Mapped[datetime]
    subscription_id: Mapped[int | None]
    data: Mapped[Any] = mapped_column(JSONB)


class Destination(HasStatus, Base):
    """Where events go. A removed one stays, without its secrets, for what the audit says of it."""

    __tablename__ = "destinations"
    __table_args__ = (
        CheckConstraint(
            "cardinality(secrets) BETWEEN CASE WHEN kind = 'webhook' AND status <> 'removed' THEN 1 ELSE 0 END"
            " AND CASE WHEN kind = 'webhook' THEN 2 ELSE 0 END",
            name="secrets",
        ),
        CheckConstraint("(failures > 0) = (failing_since IS NOT NULL)", name="failing_since"),
        Index("destinations_name_key", "name", unique=True, postgresql_where=text("status <> 'removed'")),
    )

    id: Mapped[int] = identity()
    name: Mapped[str] = mapped_column(String(40))
    kind: Mapped[DestinationKind]
    target: Mapped[str]  # a URL, or the name of a Celery task
    secrets: Mapped[list[str]] = mapped_column(ARRAY(Text))  # newest first; a second one while it is rotated
    rotated_at: Mapped[datetime | None]
    types: Mapped[list[str]] = mapped_column(ARRAY(Text))  # which it gets; every one, where it is empty
    status: Mapped[DestinationStatus]
    failures: Mapped[int] = mapped_column(server_default="0")  # in a row, with nothing delivered between them
    failing_since: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]  # until then nothing is sent: it is down
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]  # the last time, to within some seconds
    created_at: Mapped[datetime]


class QueuedDelivery(Base):
    """An event that a destination has not got yet. Deleted once it has."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("deliveries_order_idx", "destination_id", "subscription_id", "position"),
        Index("deliveries_due_idx", "destination_id", "next_try_at", "position"),
    )

    destination_id: Mapped[int] = mapped_column(ForeignKey(Destination.id), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    subscription_id: Mapped[int] = mapped_column(server_default="0")  # 0 where the event is of none
    next_try_at: Mapped[datetime]  # and the end of the lease of a relay that has taken it
    attempts: Mapped[int] = mapped_column(server_default="0")
    failing_since: Mapped[datetime | None]
    last_error: Mapped[str | None]
