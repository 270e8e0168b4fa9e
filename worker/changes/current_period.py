"""The period in which a subscription stands when something changes: whether it is paid, and what is left of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod
from schedules.proration import days_of, unused_part
from worker.changes.kind import Circumstances, NotYet, Subject
from worker.changes.wording import day_en
from worker.domain.changes import ChangeKind, WaitsFor
from worker.domain.errors import RefusalCode, Refused
from worker.domain.pricing.items import ItemKind
from worker.domain.states import ChargeStatus
from worker.ledger import changes
from worker.ledger.new_charges import items_of
from worker.ledger.period_ends import CurrentCharge, charge_at, move_period_end

_PAYS_FOR_DAYS = frozenset({ItemKind.PLAN, ItemKind.DISCOUNT})
"""What of a charge pays for the days of its period: a set-up fee does not, and credit that was used is money too."""

_UNTRIED = frozenset({ChargeStatus.DUE, ChargeStatus.CHARGING})
_PATIENCE = timedelta(days=3)
"""How long a change waits for a charge that was opened too late, in an outage of ours, to be tried once."""


def whole_second(instant: datetime) -> datetime:
    """Return an instant without its fractions: periods begin in whole seconds, as their merchant_uid says them."""
    return instant.replace(microsecond=0)


def current_charge(session: Session, subject: Subject, at: datetime) -> CurrentCharge | None:
    """Return the charge of the period in which a subscription stands, locked; None when it stands in none."""
    charge = charge_at(session, subject.id, at)
    return None if charge is None or charge.period.end <= at else charge


def require_paid(charge: CurrentCharge, subject: Subject, at: datetime, instead: str) -> None:
    """Raise Refused for a period that cannot be changed in its middle; `instead` says what can be done."""
    period = f"The period of subscription {subject.code} from {day_en(charge.period.start, subject.zone)}"
    if charge.status is ChargeStatus.VOID:
        raise Refused(f"{period} is not charged: charge {charge.id} is void. {instead}", code=RefusalCode.NOT_PAID)
    if charge.status is not ChargeStatus.PAID:
        raise Refused(
            f"{period} is not paid yet: charge {charge.id} is {charge.status.value}. Wait until it is, or {instead}",
            code=RefusalCode.NOT_PAID,
        )
    if charge.is_refunded:
        raise Refused(
            f"{period} was refunded in full (charge {charge.id}), so nothing of it is left. {instead}",
            code=RefusalCode.NOTHING_LEFT,
        )
    if charge.period.start >= at:
        raise Refused(f"{period} began in this very second; do that again.", code=RefusalCode.BUSY)


def require_tried(charge: CurrentCharge, given: Circumstances) -> None:
    """Raise NotYet for a period that an outage of ours has opened after the change was to take effect.

    It is about to be charged: the change waits until it was, or was declined, and for three days at most.
    """
    is_late = charge.opened_at >= given.at and given.now - charge.opened_at <= _PATIENCE
    if given.now > given.at and is_late and charge.status in _UNTRIED and not charge.declines:
        raise NotYet


def require_no_refund(session: Session, charge: CurrentCharge, subject: Subject, given: Circumstances) -> None:
    """Raise Refused while a refund of a period's payment waits: what it refunds would be credited too.

    One that PortOne carries out at this moment is waited for by a change whose time has come, for three days at most:
    raises NotYet.
    """
    for each in changes.scheduled(session, subject.id):
        if each.kind is not ChangeKind.REFUND or each.charge_id != charge.id:
            continue
        is_due = given.change_id is not None and given.now - given.at <= _PATIENCE
        if each.waits_for is WaitsFor.PORTONE and is_due:
            raise NotYet
        raise Refused(
            f"Change {each.id} is a refund of charge {charge.id}, which has paid for this period, and waits for "
            f"{each.waits_for}: see `again change show {each.id}`, and ask again when it has ended.",
            code=RefusalCode.BUSY,
        )


def unused_value(session: Session, charge: CurrentCharge, subject: Subject, at: datetime) -> int:
    """Return what the unused days of a paid period are worth, in won: of what paid for its days and is still kept.

    What was refunded or credited is not. Days that were given, or refunded as unused ones, are worth nothing.
    """
    worth = sum(item.amount for item in items_of(session, charge.id) if item.kind in _PAYS_FOR_DAYS)
    paid_for = BillingPeriod(charge.period.start, min(charge.covers_until, charge.refunded_from or charge.covers_until))
    return unused_part(max(worth - charge.refunded - charge.credited, 0), days_of(paid_for, subject.zone, at=at))


def cut(session: Session, charge: CurrentCharge, at: datetime, *, reason: str, now: datetime) -> None:
    """End a paid period at an instant, or let it run on to one."""
    moved = move_period_end(session, charge, at, reason=reason, now=now)
    assert moved, "the charge is locked, so no other process can have moved its end"
