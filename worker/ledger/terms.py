"""What one subscription pays for a period: its own price times its quantity, and what the next charges differ by.

The one home of that. What is shown, agreed to and checked is read here, and is what opening charges.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod
from schedules.plans import Plan
from worker.database.mapping import OWN_PLAN_COLUMNS, plan_of
from worker.database.planning import plan_by_index
from worker.domain.pricing.adjustments import Adjustment, AdjustmentKind
from worker.domain.pricing.amounts import Amounts
from worker.domain.pricing.bill import Bill, after, bill
from worker.domain.pricing.items import Item, plan_item
from worker.ledger import adjustments
from worker.pg.catalog import MINIMUM

OWN_PRICE = """LEFT JOIN LATERAL (
        SELECT * FROM plan_prices WHERE plan_id = s.plan_id AND version = s.price_version OFFSET 0) v ON true"""
"""Joins the later version `v` of its plan's price that a subscription `s` has, if any."""

OWN_PLAN = f"""
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
    {OWN_PRICE}
"""  # noqa: S608 - constants only
"""Joins the plan `p` of a subscription `s`, and the later version `v` of its price that it has, if any."""

OWN_AMOUNT = "COALESCE(v.amount, p.amount) * s.quantity"
"""What a subscription `s` pays for a whole period, before anything is taken off or added; needs OWN_PLAN."""

SOLD_VERSION = "COALESCE((SELECT max(version) FROM plan_prices WHERE plan_id = {plan} AND sold_from <= :now), 1)"
"""The version of the price of a plan, by its id, that a new subscription gets at `:now`."""

_SOLD = text("""
    SELECT amount, tax_free, vat_amount FROM plan_prices WHERE plan_id = :plan_id AND sold_from <= :now
    ORDER BY version DESC LIMIT 1
""")

_TERMS = text(f"""
    SELECT s.id, s.quantity, s.price_version, {OWN_PLAN_COLUMNS}
    FROM unnest(CAST(:ids AS bigint[])) AS listed(id)
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = listed.id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
    {OWN_PRICE}
""")  # noqa: S608 - constants only


_ONCE = frozenset({AdjustmentKind.ONE_OFF, AdjustmentKind.CARRIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTerms:
    """The terms of one subscription. `plan` has the amounts of a whole period: its own price times its quantity."""

    plan: Plan
    unit: Amounts
    quantity: int
    price_version: int
    adjustments: Sequence[Adjustment]  # that are open

    @property
    def line(self) -> Item:
        return plan_item(self.plan.name, self.unit, self.quantity)

    @property
    def charged_once(self) -> int:
        """What the next charge has besides the plan, in won: one-off items, and what was carried to it."""
        return sum(each.amount or 0 for each in self.adjustments if each.kind in _ONCE)

    def bills(self, periods: Iterable[BillingPeriod]) -> list[Bill]:
        """Return what these periods would come to, opened in this order and before any other."""
        return bills(self.line, self.adjustments, periods)


def bills(line: Item, open_adjustments: Sequence[Adjustment], periods: Iterable[BillingPeriod]) -> list[Bill]:
    """Return the bills of periods one after the other: what one leaves, the next one uses."""
    left = tuple(open_adjustments)
    made = []
    for period in periods:
        made.append(bill(line, left, period_start=period.start, minimum=MINIMUM))
        left = after(left, made[-1])
    return made


def own_terms(session: Session, subscription_id: int, *, without: int | None = None) -> OwnTerms:
    """Return the terms of a subscription that exists. Raises ValueError or LookupError for an unreadable plan.

    `without` a charge, by its id: as they will be once that is void, and what it had used is there again.
    """
    row = session.execute(_TERMS, {"ids": [subscription_id]}).one()
    if without is None:
        open_ = adjustments.open_of(session, [subscription_id]).get(subscription_id, ())
    else:
        open_ = adjustments.open_without(session, subscription_id, without)
    return _terms(row, open_)


def terms_of(session: Session, subscription_ids: Collection[int]) -> Mapping[int, Callable[[], OwnTerms]]:
    """Return what makes the terms of each of some subscriptions, which may raise as `own_terms` does."""
    plan_by_index(session)
    open_ = adjustments.open_of(session, subscription_ids)
    rows = session.execute(_TERMS, {"ids": sorted(subscription_ids)})
    return {row.id: partial(_terms, row, open_.get(row.id, ())) for row in rows}


def _terms(row: Any, open_: Sequence[Adjustment]) -> OwnTerms:
    return OwnTerms(
        plan=own_plan(row),
        unit=Amounts(row.amount, row.tax_free, row.vat_amount),
        quantity=row.quantity,
        price_version=row.price_version,
        adjustments=open_,
    )


def as_sold(session: Session, plan_id: int, plan: Plan, *, now: datetime) -> Plan:
    """Return a plan with the price that a new subscription gets now."""
    row = session.execute(_SOLD, {"plan_id": plan_id, "now": now}).one_or_none()
    if row is None:
        return plan
    return replace(plan, amount=row.amount, tax_free=row.tax_free, vat_amount=row.vat_amount)


def own_plan(row: Any) -> Plan:
    """Return the plan of a row with OWN_PLAN_COLUMNS and a quantity, with the amounts of a whole period."""
    plan = plan_of(row)
    whole = plan_item(plan.name, Amounts(plan.amount, plan.tax_free, plan.vat_amount), row.quantity)
    return replace(plan, amount=whole.amount, tax_free=whole.tax_free, vat_amount=whole.vat_amount)
