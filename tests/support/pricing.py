"""Amounts for property tests: whatever tax parts a plan may have."""

from __future__ import annotations

from hypothesis import strategies as st

from worker.domain.pricing.amounts import Amounts, usual_vat


@st.composite
def amounts(draw: st.DrawFn, least: int = 0, most: int = 10**9) -> Amounts:
    amount = draw(st.integers(least, most))
    tax_free = draw(st.integers(0, amount))
    taxed = amount - tax_free
    vat = draw(st.one_of(st.none(), st.just(usual_vat(taxed)), st.integers(0, taxed)))
    return Amounts(amount, tax_free, vat)


def is_valid(each: Amounts) -> bool:
    vat = each.vat_amount or 0
    return 0 <= each.tax_free <= each.amount and 0 <= vat <= each.taxed


GIVE_ITEMS = """
    INSERT INTO charge_items (charge_id, position, kind, description, quantity, unit_amount, amount, tax_free,
                              vat_amount)
    SELECT id, 1, 'plan', order_name, 1, amount, amount, tax_free, vat_amount FROM charges c
    WHERE NOT EXISTS (SELECT FROM charge_items i WHERE i.charge_id = c.id)
"""
"""Gives charges that a test has written by hand the item that opening would give them."""
