"""The bill of one period: what is charged for it, made of what, and what becomes of every adjustment. Pure.

In this order: the plan's line, one-off items and what was carried over; then what is taken off: discounts (of the
plan's line only), what else is deducted, such as unused days, and credits. What is left and is less than the PG takes
is carried over to the next period. Nothing comes to less than zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.domain.pricing.adjustments import Adjustment, AdjustmentKind, Use
from worker.domain.pricing.amounts import Amounts, added_to, part_of
from worker.domain.pricing.items import Item, ItemKind, item, totals

CARRIED_ON = "다음 결제로 이월"
"""What the item says that takes off an amount that is carried over; customers read it."""

CARRIED_OVER = "지난 결제에서 이월"
"""What the item says that adds it to the next charge."""


@dataclass(frozen=True, slots=True)
class Deduction:
    """Won that are taken off a bill as far as it goes, before credits; the rest is to the customer's credit."""

    kind: ItemKind
    description: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What is charged for one period, in won, and what follows from it.

    With an `amount` of 0 there is nothing to pay. `carried` is what is owed with the next period instead, and
    `credited` what deductions leave to the customer's credit.
    """

    items: tuple[Item, ...]
    amount: int
    tax_free: int
    vat_amount: int | None
    uses: tuple[Use, ...] = ()
    carried: Adjustment | None = None
    credited: int = 0


def bill(
    line: Item,
    adjustments: Iterable[Adjustment] = (),
    *,
    period_start: datetime,
    minimum: int,
    deductions: Sequence[Deduction] = (),
) -> Bill:
    """Return the bill of the period that starts at `period_start`, whose plan's line is `line`.

    `minimum` is the least that the PG takes at once. Of several discounts, each is of what the ones before it leave;
    adjustments come in the order in which they were made.
    """
    open_ = list(adjustments)
    draft = _Draft([line], [])
    plan = line.amounts
    for each in _of(open_, AdjustmentKind.CARRIED, AdjustmentKind.ONE_OFF):
        draft.charge(each)
    for each in _of(open_, AdjustmentKind.DISCOUNT):
        plan = draft.discount(each, plan, period_start)
    credited = sum(draft.deduct(each) for each in deductions)
    for each in _of(open_, AdjustmentKind.CREDIT):
        draft.credit(each)
    carried = draft.carry(minimum)
    whole = totals(draft.items)
    return Bill(
        items=tuple(draft.items),
        amount=whole.amount,
        tax_free=whole.tax_free,
        vat_amount=whole.vat_amount,
        uses=tuple(draft.uses),
        carried=carried,
        credited=credited,
    )


def after(adjustments: Iterable[Adjustment], billed: Bill) -> tuple[Adjustment, ...]:
    """Return the adjustments that are open once a bill is charged: what the next period's bill is made with."""
    left = []
    for each in adjustments:
        use = next((use for use in billed.uses if use.adjustment is each), None)
        if use is None:
            left.append(each)
        elif not use.is_used_up:
            left.append(replace(each, left=use.left, periods_left=use.periods_left))
    return (*left, *([billed.carried] if billed.carried else ()))


@dataclass(slots=True)
class _Draft:
    """The items so far, and what has become of the adjustments."""

    items: list[Item]
    uses: list[Use]

    def charge(self, each: Adjustment) -> None:
        assert each.amount is not None, "what is charged once has its amount"
        kind = ItemKind.ONE_OFF if each.kind is AdjustmentKind.ONE_OFF else ItemKind.CARRIED
        extra = added_to(totals(self.items), each.amount, each.tax_free)
        self.items.append(item(kind, each.description, extra, each.id))
        self.uses.append(Use(each, each.amount, each.left, each.periods_left, is_used_up=True))

    def discount(self, each: Adjustment, plan: Amounts, period_start: datetime) -> Amounts:
        """Take a discount off the plan's line, and return what is left of that."""
        if each.ends_at is not None and period_start >= each.ends_at:
            self.uses.append(Use(each, 0, each.left, each.periods_left, is_used_up=True))
            return plan
        taken = _discount(each, plan.amount)
        if not taken:
            return plan  # it has no effect, and keeps its periods
        left = None if each.periods_left is None else each.periods_left - 1
        part = part_of(plan, taken)
        self.items.append(item(ItemKind.DISCOUNT, each.description, -part, each.id))
        self.uses.append(Use(each, -taken, each.left, left, is_used_up=left == 0))
        return plan + -part

    def deduct(self, each: Deduction) -> int:
        """Take a deduction off as far as it goes, and return the rest of it."""
        whole = totals(self.items)
        taken = min(each.amount, whole.amount)
        if taken:
            self.items.append(item(each.kind, each.description, -part_of(whole, taken)))
        return each.amount - taken

    def credit(self, each: Adjustment) -> None:
        assert each.left is not None, "a credit has what is left of it"
        whole = totals(self.items)
        if taken := min(each.left, whole.amount):
            self.items.append(item(ItemKind.CREDIT, each.description, -part_of(whole, taken), each.id))
            left = each.left - taken
            self.uses.append(Use(each, -taken, left, each.periods_left, is_used_up=left == 0))

    def carry(self, minimum: int) -> Adjustment | None:
        """Leave an amount that no PG would take to the next period, and return what is then owed."""
        whole = totals(self.items)
        if not 0 < whole.amount < minimum:
            return None
        self.items.append(item(ItemKind.CARRIED, CARRIED_ON, -whole))
        return Adjustment(
            id=None,
            kind=AdjustmentKind.CARRIED,
            description=CARRIED_OVER,
            amount=whole.amount,
            tax_free=whole.tax_free,
        )


def _discount(each: Adjustment, amount: int) -> int:
    """Return what a discount takes off an amount, in won; a part of a won is rounded, and a half up."""
    if each.percent is not None:
        return (amount * each.percent + 50) // 100
    assert each.amount is not None, "a discount has its percent or its amount"
    return min(each.amount, amount)


def _of(adjustments: Iterable[Adjustment], *kinds: AdjustmentKind) -> list[Adjustment]:
    return [each for each in adjustments if each.kind in kinds]
