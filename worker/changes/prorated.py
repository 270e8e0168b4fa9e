"""A charge that is opened by a change: for a part of a period, less what was paid for it already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod
from schedules.proration import DaysOfPeriod, unused_part
from worker.domain.errors import RefusalCode, Refused
from worker.domain.pricing.amounts import part_of
from worker.domain.pricing.bill import Deduction
from worker.domain.pricing.items import LONGEST_DESCRIPTION, Item, ItemKind
from worker.ledger.billed_opening import BilledPeriod, open_billed
from worker.ledger.new_charges import items_of
from worker.ledger.terms import own_terms

UNUSED_DAYS = "남은 기간 요금 차감"
"""What the item is called that takes off what was paid for days that are charged again; customers read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prorated:
    """A charge that was opened, in won.

    `line` is what its plan comes to for these days, `deducted` what was taken off of what was paid already, and
    `credited` what that leaves to the customer's credit. `amount` is what is charged: 0 also where it is `carried` to
    the next charge, because no PG takes so little.
    """

    charge_id: int
    amount: int
    line: int
    deducted: int
    credited: int
    carried: int

    @property
    def has_more(self) -> bool:
        """Whether discounts, credits or other items have changed the amount as well."""
        return self.amount != self.line - self.deducted - self.carried


def open_prorated(
    session: Session,
    subscription_id: int,
    period: BillingPeriod,
    days: DaysOfPeriod,
    *,
    given_from: datetime | None = None,
    unused: int = 0,
    max_amount: int,
    reason: str,
    change_id: int | None,
    now: datetime,
) -> Prorated:
    """Open the charge of a period on the terms that its locked subscription has by now, of which `days` are charged.

    Its days from `given_from` on are given. `unused` won were paid for the same days before. Raises Refused for a
    charge above `max_amount`.
    """
    own = own_terms(session, subscription_id)
    line = _by_days(own.line, days)
    wanted = BilledPeriod(
        subscription_id=subscription_id,
        period=period,
        covers_until=given_from,
        line=line,
        currency=own.plan.currency,
        order_name=own.plan.name,
        reason=reason,
        days=days,
        deductions=[Deduction(ItemKind.PRORATION, UNUSED_DAYS, unused)] if unused else (),
        change_id=change_id,
    )
    opened = open_billed(session, [wanted], now=now).get(subscription_id)
    assert opened is not None, "no charge of the subscription begins in this second: that was looked at before"
    prorated = _summed(opened.id, items_of(session, opened.id), unused)
    if prorated.amount > max_amount:
        raise Refused(
            f"{prorated.amount:,} KRW would be charged at once, but the setting AGAIN_MAX_AMOUNT allows no charge "
            f"above {max_amount:,} KRW. Change it at the period's end, or raise the setting.",
            code=RefusalCode.TOO_HIGH,
        )
    return prorated


def _by_days(line: Item, days: DaysOfPeriod) -> Item:
    """Return the line of a plan for the unused days of a period, which says so."""
    if days.unused == days.total:
        return line
    part = part_of(line.amounts, unused_part(line.amount, days))
    said = f" ({days.unused}/{days.total}일)"
    return replace(
        line,
        description=line.description[: LONGEST_DESCRIPTION - len(said)] + said,
        amount=part.amount,
        tax_free=part.tax_free,
        vat_amount=part.vat_amount,
    )


def _summed(charge_id: int, items: Sequence[Item], unused: int) -> Prorated:
    deducted = -sum(item.amount for item in items if item.kind == ItemKind.PRORATION)
    return Prorated(
        charge_id=charge_id,
        amount=sum(item.amount for item in items),
        line=sum(item.amount for item in items if item.kind == ItemKind.PLAN),
        deducted=deducted,
        credited=unused - deducted,
        carried=-sum(item.amount for item in items if item.kind == ItemKind.CARRIED and item.amount < 0),
    )
