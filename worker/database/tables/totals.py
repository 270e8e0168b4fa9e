"""Running totals: what has happened in all, counted in the transaction in which it did, so that it counts once."""

from __future__ import annotations

from sqlalchemy import Double, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.tables.base import Base


class EventTotal(Base):
    """How many events of a type there were, and their sum in won: written with the events, by one process at a time."""

    __tablename__ = "event_totals"

    type: Mapped[str] = mapped_column(String(40), primary_key=True)
    pg: Mapped[str] = mapped_column(String(16), primary_key=True)  # empty where it is of none
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)  # what tells events of the type apart, if anything
    events: Mapped[int]
    amount: Mapped[int]  # in won


class CallTotal(Base):
    """How many calls through a PG ended in an outcome, and in how many seconds: written with what came of them.

    One of several parts: processes that write back at once add to different rows.
    """

    __tablename__ = "call_totals"

    pg: Mapped[str] = mapped_column(String(16), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(20), primary_key=True)
    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True)  # by how long the call took
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    calls: Mapped[int]
    seconds: Mapped[float] = mapped_column(Double)
