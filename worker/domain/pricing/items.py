"""The items of a charge: what it is made of, line by line. Their sums are the charge's amounts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from worker.domain.pricing.amounts import Amounts, times

LONGEST_DESCRIPTION = 40  # characters, as an order name


class ItemKind(StrEnum):
    PLAN = "plan"  # the plan's price, times the quantity
    PRORATION = "proration"  # unused days of what was paid
    DISCOUNT = "discount"
    CREDIT = "credit"  # used up of what the customer has to their credit
    ONE_OFF = "one_off"  # charged once
    CARRIED = "carried"  # too little to be charged: left to the next period, or come from the one before


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of a charge, in won. What is taken off has amounts below zero, and a quantity of 1.

    `adjustment_id` is the discount, credit, one-off item or carried amount that it comes from.
    """

    kind: ItemKind
    description: str
    quantity: int = 1
    unit_amount: int
    amount: int
    tax_free: int
    vat_amount: int | None
    adjustment_id: int | None = None

    @property
    def amounts(self) -> Amounts:
        return Amounts(self.amount, self.tax_free, self.vat_amount)


def plan_item(name: str, unit: Amounts, quantity: int = 1) -> Item:
    """Return the line of a plan for one whole period."""
    whole = times(unit, quantity)
    return Item(
        kind=ItemKind.PLAN,
        description=name,
        quantity=quantity,
        unit_amount=unit.amount,
        amount=whole.amount,
        tax_free=whole.tax_free,
        vat_amount=whole.vat_amount,
    )


def item(kind: ItemKind, description: str, amounts: Amounts, adjustment_id: int | None = None) -> Item:
    """Return a line of one unit."""
    return Item(
        kind=kind,
        description=description[:LONGEST_DESCRIPTION],
        unit_amount=amounts.amount,
        amount=amounts.amount,
        tax_free=amounts.tax_free,
        vat_amount=amounts.vat_amount,
        adjustment_id=adjustment_id,
    )


def totals(items: Iterable[Item]) -> Amounts:
    """Return the sums of one item or more. Their VAT is stated by all of them or by none."""
    first, *others = (each.amounts for each in items)
    for other in others:
        first += other
    return first
