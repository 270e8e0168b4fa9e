"""Amounts with their tax parts, and how a part of them is taken: to the won, by largest remainder. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amounts:
    """An amount in won; `tax_free` and `vat_amount` are parts of it. With `vat_amount` None the PG works the VAT out.

    What is taken off something has its parts below zero.
    """

    amount: int
    tax_free: int = 0
    vat_amount: int | None = None

    def __neg__(self) -> Amounts:
        return Amounts(-self.amount, -self.tax_free, None if self.vat_amount is None else -self.vat_amount)

    def __add__(self, other: Amounts) -> Amounts:
        """Return the sum; it states its VAT only where both do."""
        vat = None
        if self.vat_amount is not None and other.vat_amount is not None:
            vat = self.vat_amount + other.vat_amount
        return Amounts(self.amount + other.amount, self.tax_free + other.tax_free, vat)

    @property
    def taxed(self) -> int:
        return self.amount - self.tax_free

    @property
    def is_usual(self) -> bool:
        """Whether the VAT that is stated is the one that a PG works out."""
        return self.vat_amount == usual_vat(self.taxed)


def usual_vat(taxed: int) -> int:
    """Return the VAT that a PG works out of a taxed amount: an eleventh (documented), to the nearest won."""
    return (2 * taxed + 11) // 22


def times(unit: Amounts, quantity: int) -> Amounts:
    """Return what `quantity` units come to; VAT as a PG works it out of one is worked out of all of them."""
    amount, tax_free = unit.amount * quantity, unit.tax_free * quantity
    if unit.vat_amount is None:
        return Amounts(amount, tax_free)
    vat = usual_vat(amount - tax_free) if unit.is_usual else unit.vat_amount * quantity
    return Amounts(amount, tax_free, vat)


def split(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split whole won in proportion to weights, by largest remainder; of equal remainders the first goes first.

    No share is more than its weight as long as `total` is at most their sum. Raises ValueError for what has no weight.
    """
    whole = sum(weights)
    if total < 0 or min(weights, default=0) < 0 or (total and not whole):
        raise ValueError(f"{total} won cannot be split by {list(weights)}.")
    if not total:
        return (0,) * len(weights)
    shares = [total * weight // whole for weight in weights]
    remainders = sorted(range(len(weights)), key=lambda index: -(total * weights[index] % whole))
    for index in remainders[: total - sum(shares)]:
        shares[index] += 1
    return tuple(shares)


def part_of(whole: Amounts, amount: int) -> Amounts:
    """Return the part of `whole` that comes to `amount` won, of 0 to all of it, its tax parts in proportion.

    What is left without it has valid parts too; VAT that is what a PG works out is so for what is left as well.
    """
    if whole.vat_amount is None or whole.is_usual:
        tax_free, taxed = split(amount, (whole.tax_free, whole.taxed))
        if whole.vat_amount is None:
            return Amounts(amount, tax_free)
        return Amounts(amount, tax_free, whole.vat_amount - usual_vat(whole.taxed - taxed))
    tax_free, vat, _ = split(amount, (whole.tax_free, whole.vat_amount, whole.taxed - whole.vat_amount))
    return Amounts(amount, tax_free, vat)


def added_to(whole: Amounts, amount: int, tax_free: int) -> Amounts:
    """Return what is added to `whole` by an amount whose VAT is not known: worked out where `whole` states its own."""
    if whole.vat_amount is None:
        return Amounts(amount, tax_free)
    taxed = amount - tax_free
    vat = usual_vat(whole.taxed + taxed) - whole.vat_amount if whole.is_usual else usual_vat(taxed)
    return Amounts(amount, tax_free, vat)
