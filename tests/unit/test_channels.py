"""The table of PGs."""

from __future__ import annotations

import pytest

from worker.channels import PGS, objection
from worker.declines import CODES


def test_both_wallets_and_every_pg_with_codes_are_in_the_table():
    assert {"kakaopay", "payco"} <= set(PGS)
    assert set(CODES) <= set(PGS)


def test_every_pg_fits_into_its_column():
    assert all(1 <= len(pg) <= 16 for pg in PGS)
    assert "all" not in PGS  # the scope of `again stop` that is no PG


@pytest.mark.parametrize(
    ("pg", "amount", "expected"),
    [
        ("kakaopay", 99, "no less than 100"),
        ("kakaopay", 100, None),
        ("kakaopay", 2_000_000, None),
        ("kakaopay", 2_000_001, "no more than 2,000,000"),
        ("payco", 99, "no less than 100"),
        ("payco", 9_000_000, None),  # no limit of one charge is published
        ("paypal_v2", 9900, "takes no KRW"),
    ],
)
def test_a_pg_says_which_amounts_it_takes(pg, amount, expected):
    said = objection(pg, amount)
    assert (said is None) if expected is None else (said is not None and expected in said)
