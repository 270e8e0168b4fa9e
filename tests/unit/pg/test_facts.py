"""What is worked out from the facts about a PG."""

from __future__ import annotations

import pytest

from worker.pg.facts import vat_of


@pytest.mark.parametrize(
    ("amount", "tax_free", "vat_amount", "vat"),
    [(9900, 0, None, 900), (9900, 9900, None, 0), (9900, 0, 0, 0), (10000, 0, None, 909), (9900, 5500, None, 400)],
)
def test_vat_is_an_eleventh_of_the_taxed_part_unless_the_plan_states_it(amount, tax_free, vat_amount, vat):
    assert vat_of(amount, tax_free, vat_amount) == vat
