"""What every table is made of: types, names of constraints, and the status whose every change is audited."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Date, DateTime, Enum, Identity, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from schedules.end_of_dunning import DunningEnd, GivenUpAs
from schedules.notices import NoticeKind
from schedules.plans import CatchUp, GateMode
from worker.domain.changes import BulkRowStatus, ChangeKind, ChangeStatus, WaitsFor
from worker.domain.consent_gate.release import GateRelease
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.events.destinations import DestinationKind, DestinationStatus
from worker.domain.outcomes import DeclineKind
from worker.domain.pricing.adjustments import AdjustmentKind
from worker.domain.pricing.items import ItemKind
from worker.domain.refunds import RefundStatus
from worker.domain.states import (
    AttemptStatus,
    BillingKeyStatus,
    ChargeStatus,
    CheckoutPurpose,
    CheckoutStatus,
    ConsentSource,
    HoldStatus,
    SubscriptionStatus,
    SweepEnd,
    SweepReason,
    Via,
    WaitReason,
    WebhookOutcome,
)


def _stored_by_value(enum: type[StrEnum]) -> Enum:
    return Enum(
        enum,
        native_enum=False,
        length=20,
        values_callable=lambda members: [member.value for member in members],
        create_constraint=True,
        name=enum.__name__.lower(),
    )


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to declare it
        int: BigInteger,
        str: Text,
        datetime: DateTime(timezone=True),
        date: Date,
        CatchUp: _stored_by_value(CatchUp),
        GateMode: _stored_by_value(GateMode),
        GateRelease: _stored_by_value(GateRelease),
        DunningEnd: _stored_by_value(DunningEnd),
        GivenUpAs: _stored_by_value(GivenUpAs),
        AttemptStatus: _stored_by_value(AttemptStatus),
        BillingKeyStatus: _stored_by_value(BillingKeyStatus),
        ChargeStatus: _stored_by_value(ChargeStatus),
        SubscriptionStatus: _stored_by_value(SubscriptionStatus),
        Via: _stored_by_value(Via),
        CheckoutPurpose: _stored_by_value(CheckoutPurpose),
        CheckoutStatus: _stored_by_value(CheckoutStatus),
        ConsentSource: _stored_by_value(ConsentSource),
        HoldStatus: _stored_by_value(HoldStatus),
        WaitReason: _stored_by_value(WaitReason),
        WebhookOutcome: _stored_by_value(WebhookOutcome),
        SweepReason: _stored_by_value(SweepReason),
        SweepEnd: _stored_by_value(SweepEnd),
        DeclineKind: _stored_by_value(DeclineKind),
        DiscrepancyKind: _stored_by_value(DiscrepancyKind),
        DiscrepancyStatus: _stored_by_value(DiscrepancyStatus),
        ChangeKind: _stored_by_value(ChangeKind),
        ChangeStatus: _stored_by_value(ChangeStatus),
        WaitsFor: _stored_by_value(WaitsFor),
        RefundStatus: _stored_by_value(RefundStatus),
        BulkRowStatus: _stored_by_value(BulkRowStatus),
        AdjustmentKind: _stored_by_value(AdjustmentKind),
        ItemKind: _stored_by_value(ItemKind),
        DestinationKind: _stored_by_value(DestinationKind),
        DestinationStatus: _stored_by_value(DestinationStatus),
        NoticeKind: _stored_by_value(NoticeKind),
    }


def identity() -> Mapped[int]:
    return mapped_column(BigInteger, Identity(always=True), primary_key=True)


class HasStatus:
    """Every change of a status is written to `audit` by a trigger, with the reason and the instant given here.

    But for what a worker does to an ordinary charge, which its row and its attempts tell: worker/ledger/history.py.
    """

    status_reason: Mapped[str] = mapped_column(server_default="")
    status_at: Mapped[datetime]
