"""Opening periods by a bill of their own: those of subscriptions whose charge is not their plan's alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod
from schedules.proration import DaysOfPeriod, unused_part
from worker.domain.pricing.adjustments import Adjustment, AdjustmentKind
from worker.domain.pricing.bill import Bill, Deduction, bill
from worker.domain.pricing.items import Item
from worker.domain.states import ChargeStatus
from worker.ledger import adjustments
from worker.ledger.new_charges import NOTHING_TO_CHARGE, NewCharge, OpenedCharge, open_itemised
from worker.pg.catalog import MINIMUM


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledPeriod:
    """A period of a locked subscription that is to be opened; `line` is what its plan comes to.

    It pays for the days until `covers_until`, or for all: later ones are given.
    With `days`, its unused ones are charged: a discount of an amount takes their part of it off. `deductions` are taken
    off; what they leave beyond the bill becomes a credit, made by `change_id`.
    """

    subscription_id: int
    period: BillingPeriod
    line: Item
    currency: str
    order_name: str
    reason: str
    queue: str | None = None
    days: DaysOfPeriod | None = None
    covers_until: datetime | None = None
    deductions: Sequence[Deduction] = ()
    change_id: int | None = None


def bill_of(wanted: BilledPeriod, open_adjustments: Sequence[Adjustment]) -> Bill:
    """Return the bill of a period as it would be opened."""
    return bill(
        wanted.line,
        [_by_days(each, wanted.days) for each in open_adjustments],
        period_start=wanted.period.start,
        minimum=MINIMUM,
        deductions=wanted.deductions,
    )


def _by_days(each: Adjustment, days: DaysOfPeriod | None) -> Adjustment:
    if days is None or each.kind is not AdjustmentKind.DISCOUNT or each.amount is None:
        return each
    return replace(each, amount=unused_part(each.amount, days))


def open_billed(session: Session, wanted: Sequence[BilledPeriod], *, now: datetime) -> Mapping[int, OpenedCharge]:
    """Open one period of each of these locked subscriptions, each by its own bill; return the charges by subscription.

    What the bills use up is used up in the same transaction; what they carry over and credit is added. A period that
    has its charge already is left alone, and uses nothing.
    """
    open_ = adjustments.lock_open(session, [each.subscription_id for each in wanted])
    bills = {each.subscription_id: bill_of(each, open_.get(each.subscription_id, ())) for each in wanted}
    charges = [(_charge(each, bills[each.subscription_id]), bills[each.subscription_id].items) for each in wanted]
    opened = open_itemised(session, charges, now=now)
    of_opened = [(each, bills[each.subscription_id]) for each in wanted if each.subscription_id in opened]
    adjustments.use(session, [use for _, billed in of_opened for use in billed.uses], now=now)
    added = [row for each, billed in of_opened for row in _left_over(each, billed, opened[each.subscription_id].id)]
    adjustments.add(session, added, now=now)
    return opened


def _charge(each: BilledPeriod, billed: Bill) -> NewCharge:
    owed = billed.amount > 0
    return NewCharge(
        subscription_ids=[each.subscription_id],
        period_start=each.period.start,
        period_end=each.period.end,
        amount=billed.amount,
        tax_free=billed.tax_free,
        vat_amount=billed.vat_amount,
        currency=each.currency,
        order_name=each.order_name,
        status=ChargeStatus.DUE if owed else ChargeStatus.PAID,
        reason=each.reason if owed else NOTHING_TO_CHARGE,
        queue=each.queue,
        covers_until=each.covers_until,
    )


def _left_over(each: BilledPeriod, billed: Bill, charge_id: int) -> list[Mapping[str, Any]]:
    """Return the adjustments that a bill leaves: what is owed with the next period, and what is to their credit."""
    rows: list[Mapping[str, Any]] = []
    if (carried := billed.carried) is not None:
        rows.append(
            {
                "subscription_id": each.subscription_id,
                "kind": carried.kind,
                "description": carried.description,
                "amount": carried.amount,
                "tax_free": carried.tax_free,
                "from_charge_id": charge_id,
            }
        )
    if billed.credited:
        rows.append(
            {
                "subscription_id": each.subscription_id,
                "kind": AdjustmentKind.CREDIT,
                "description": adjustments.CREDITED,
                "amount": billed.credited,
                "change_id": each.change_id,
            }
        )
    return rows
