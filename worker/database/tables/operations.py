"""What watches over the charging: switches, heartbeats, what differs from PortOne, and the audit."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.tables.base import Base, HasStatus, identity
from worker.database.tables.billing import BillingKey, Plan, Subscription
from worker.database.tables.charges import Attempt, Charge
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.outcomes import DeclineKind
from worker.domain.states import HoldStatus, SweepEnd, SweepReason


class Stop(Base):
    """The kill switch: while a row stands, nothing of its scope is claimed. `all`, one channel's PG, or `plan:CODE`."""

    __tablename__ = "stops"
    __table_args__ = (CheckConstraint("(plan_id IS NOT NULL) = (scope LIKE 'plan:%')", name="plan_id"),)

    scope: Mapped[str] = mapped_column(String(45), primary_key=True)
    reason: Mapped[str]
    stopped_by: Mapped[str]
    stopped_at: Mapped[datetime]
    plan_id: Mapped[int | None] = mapped_column(ForeignKey(Plan.id))


class LastStopped(Base):
    """When a check of the invariants last saw a scope stopped; a stop that is lifted leaves no other trace."""

    __tablename__ = "last_stopped"

    scope: Mapped[str] = mapped_column(String(45), primary_key=True)
    seen_at: Mapped[datetime]


class Channel(Base):
    """What is known of a PG as a whole: when it last worked, and when an operator last released it."""

    __tablename__ = "channels"

    pg: Mapped[str] = mapped_column(String(16), primary_key=True)
    paid_at: Mapped[datetime | None]  # when the latest send through it that was paid was claimed
    released_at: Mapped[datetime | None]  # an operator's `again start` after refusals had stopped it


class ChannelRule(Base):
    """What an operator has set for a PG; NULL is no limit. The pace of its calls is kept here too, for all workers."""

    __tablename__ = "channel_rules"
    __table_args__ = (
        CheckConstraint("calls_per_second > 0", name="calls_per_second"),
        CheckConstraint("in_flight > 0", name="in_flight"),
    )

    pg: Mapped[str] = mapped_column(String(16), primary_key=True)
    calls_per_second: Mapped[int | None] = mapped_column(Integer)
    in_flight: Mapped[int | None] = mapped_column(Integer)
    hours: Mapped[str] = mapped_column(server_default="")  # as schedules.open_hours reads them
    maintenance: Mapped[str] = mapped_column(server_default="")
    free_at: Mapped[datetime | None]  # when the calls claimed so far have used up their part of time


class Refusal(Base):
    """One customer's refusal since a channel was last paid through: enough of them that are alike stop it."""

    __tablename__ = "refusals"

    pg: Mapped[str] = mapped_column(ForeignKey(Channel.pg), primary_key=True)
    alike: Mapped[str] = mapped_column(String(140), primary_key=True)  # what others share with it
    billing_key_id: Mapped[int] = mapped_column(ForeignKey(BillingKey.id), primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id))
    kind: Mapped[DeclineKind]
    sent_at: Mapped[datetime]  # when the send that was refused was claimed
    counts: Mapped[bool]  # not, once others were paid or an operator released the channel: it was this customer alone


class Heartbeat(Base):
    """When something was last seen alive: beat's ticks, and each kind of task."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    seen_at: Mapped[datetime]


class Audit(Base):
    """Who or what changed a status, from what, to what, why; what operators did, too. Append-only, by triggers.

    A partition a month, each with its own indexes: `make_audit_partitions()` of the database makes the next ones.
    """

    __tablename__ = "audit"
    __table_args__ = (
        CheckConstraint("entity_id IS NOT NULL OR entity_name IS NOT NULL", name="entity"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    id: Mapped[int] = identity()
    at: Mapped[datetime]
    actor: Mapped[str]
    entity: Mapped[str]
    entity_id: Mapped[int | None]
    entity_name: Mapped[str | None]  # a stop's scope, a cap's PG, a plan's code
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    reason: Mapped[str]


class DayTotal(Base):
    """What was claimed on one day (in Seoul) through one PG: what the charge limits are held against."""

    __tablename__ = "day_totals"

    day_on: Mapped[date] = mapped_column(primary_key=True)
    pg: Mapped[str] = mapped_column(String(16), primary_key=True)
    sends: Mapped[int]
    amount: Mapped[int]  # in KRW
    since: Mapped[datetime]  # counted from here: the day's first claim, or an operator's `again start` after a limit


class Hold(HasStatus, Base):
    """One subscription that is stopped, by a limit, a sweep or an operator, until an operator releases it."""

    __tablename__ = "holds"
    __table_args__ = (Index("holds_held_idx", "status_at", postgresql_where=text("status = 'held'")),)

    id: Mapped[int] = identity()
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id), unique=True)
    status: Mapped[HoldStatus]
    held_by: Mapped[str]


class DatabaseIdentity(Base):
    """Which database this is, and when it was last worked with: one row, by which a restored backup is noticed."""

    __tablename__ = "database_identity"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, server_default="true")
    identity: Mapped[str]  # what `current_identity()` said; another one means that this is a copy
    seen_at: Mapped[datetime]  # of the latest look for due work
    mode: Mapped[str | None]  # `live` or `sandbox`, from the first charge on
    prefix: Mapped[str | None]  # of every merchant_uid, from the first charge on
    clock_ahead: Mapped[timedelta] = mapped_column(server_default="0")  # by what the sandbox's clock was turned


class Sweep(Base):
    """One comparison of PortOne's payments with ours. `position` is how far it has come, so that it can be resumed."""

    __tablename__ = "sweeps"
    __table_args__ = (
        CheckConstraint("since <= position AND since <= until", name="position"),
        CheckConstraint("(finished_at IS NULL) OR position >= until", name="finished_at"),
        CheckConstraint(
            "(released_by IS NOT NULL) = (ended_early IS NOT DISTINCT FROM 'released')", name="released_by"
        ),
        Index("sweeps_unfinished_idx", "id", postgresql_where=text("finished_at IS NULL")),
    )

    id: Mapped[int] = identity()
    reason: Mapped[SweepReason]
    holds_claims: Mapped[bool]  # while it is not finished, nothing is claimed and nothing opened
    since: Mapped[datetime]
    until: Mapped[datetime]  # may lie ahead: then it goes on until that instant has come
    position: Mapped[datetime]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    ended_early: Mapped[SweepEnd | None]  # why it has not compared everything; None when it has, or goes on
    released_by: Mapped[str | None]  # who ended it with `again sweep --release`
    lease_until: Mapped[datetime]
    failure: Mapped[str | None]  # why PortOne's list could not be read the last time; None when it could
    payments: Mapped[int] = mapped_column(server_default="0")  # compared, some of them more than once
    not_ours: Mapped[int] = mapped_column(server_default="0")  # of these, not ours
    repaired: Mapped[int] = mapped_column(server_default="0")
    found: Mapped[int] = mapped_column(server_default="0")  # discrepancies that wait for a decision
    failing_since: Mapped[datetime | None]  # since when PortOne's list could not be read, while it goes on


class Discrepancy(HasStatus, Base):
    """A discrepancy between PortOne and our records; one row however often it is found."""

    __tablename__ = "discrepancies"
    __table_args__ = (
        UniqueConstraint("kind", "merchant_uid", "imp_uid"),
        Index("discrepancies_open_idx", "found_at", postgresql_where=text("status = 'open'")),
        Index("discrepancies_charge_id_idx", "charge_id"),
    )

    id: Mapped[int] = identity()
    kind: Mapped[DiscrepancyKind]
    status: Mapped[DiscrepancyStatus]
    merchant_uid: Mapped[str] = mapped_column(String(40))
    imp_uid: Mapped[str] = mapped_column(server_default="")  # PortOne's payment that it is about; empty for none
    charge_id: Mapped[int | None] = mapped_column(ForeignKey(Charge.id))
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey(Attempt.id))
    evidence: Mapped[Any] = mapped_column(JSONB)  # both sides as they were when it was found, without personal data
    found_at: Mapped[datetime]
    seen_at: Mapped[datetime]  # when it was last found
    decided_by: Mapped[str | None]


class Violation(Base):
    """An invariant that does not hold, as its last check found; the row goes when it holds again."""

    __tablename__ = "violations"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    count: Mapped[int]
    examples: Mapped[str]  # ids of some of the rows
    since: Mapped[datetime]
    checked_at: Mapped[datetime]
    ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")  # of the rows, a thousand at most


class InvariantPosition(Base):
    """How far the checks of the invariants have come, in what has changed and in a full pass: one row."""

    __tablename__ = "invariant_position"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, server_default="true")
    database: Mapped[str]  # what `current_identity()` said: in a copy, the numbers of transactions mean nothing
    settled: Mapped[Any] = mapped_column(
        JSONB
    )  # ids by table: up to here no row can appear any more, and all are judged
    judged: Mapped[Any] = mapped_column(JSONB)  # up to here all are judged that `snapshot` shows
    pending: Mapped[Any] = mapped_column(JSONB)  # settled once every transaction before `pending_xid` has ended
    pending_xid: Mapped[int | None]
    open_attempts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")  # at the last look
    snapshot: Mapped[str | None]
    full_charge_id: Mapped[int] = mapped_column(server_default="0")  # the last one that an unfinished full pass judged
    full_subscription_id: Mapped[int] = mapped_column(server_default="0")
    full_finished_at: Mapped[datetime | None]  # when a full pass has come to its end last
