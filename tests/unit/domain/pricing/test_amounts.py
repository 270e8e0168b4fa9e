import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pricing import amounts, is_valid
from worker.domain.pricing.amounts import Amounts, added_to, part_of, split, times, usual_vat


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=5), st.data())
def test_split_gives_away_every_won_and_no_share_beyond_its_weight(weights, data):
    total = data.draw(st.integers(0, sum(weights)))
    shares = split(total, weights)
    assert sum(shares) == total
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5), st.integers(0, 10**9))
def test_split_stays_within_a_won_of_the_exact_proportion(weights, total):
    if not (whole := sum(weights)):
        return
    for share, weight in zip(split(total, weights), weights, strict=True):
        assert abs(share * whole - total * weight) < whole


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [(10, (1, 1, 1), (4, 3, 3)), (1, (1, 2), (0, 1)), (0, (0, 0), (0, 0)), (99, (50, 50), (50, 49))],
)
def test_split_by_largest_remainder_prefers_the_first_of_equal_ones(total, weights, shares):
    assert split(total, weights) == shares


@pytest.mark.parametrize(("total", "weights"), [(1, (0, 0)), (-1, (1,)), (1, ()), (1, (2, -1))])
def test_split_of_what_cannot_be_split_is_an_error(total, weights):
    with pytest.raises(ValueError, match="cannot be split"):
        split(total, weights)


@given(amounts(), st.data())
def test_part_and_its_rest_are_valid_and_make_up_the_whole(whole, data):
    part = part_of(whole, data.draw(st.integers(0, whole.amount)))
    rest = whole + -part
    assert is_valid(part)
    assert is_valid(rest)
    assert part + rest == whole


@given(amounts(), st.data())
def test_vat_that_a_pg_works_out_is_so_for_the_rest_of_a_part_too(whole, data):
    usual = Amounts(whole.amount, whole.tax_free, usual_vat(whole.taxed))
    rest = usual + -part_of(usual, data.draw(st.integers(0, whole.amount)))
    assert rest.vat_amount == usual_vat(rest.taxed)


@given(amounts(), st.integers(0, 10**9), st.data())
def test_what_is_added_leaves_valid_amounts_and_the_same_way_of_vat(whole, amount, data):
    extra = added_to(whole, amount, data.draw(st.integers(0, amount)))
    assert is_valid(extra)
    together = whole + extra
    assert (together.vat_amount is None) == (whole.vat_amount is None)
    if whole.is_usual:
        assert together.is_usual


@given(amounts(least=100, most=10**6), st.integers(1, 1000))
def test_quantity_multiplies_each_part(unit, quantity):
    whole = times(unit, quantity)
    assert is_valid(whole)
    assert (whole.amount, whole.tax_free) == (unit.amount * quantity, unit.tax_free * quantity)
    assert (whole.vat_amount is None) == (unit.vat_amount is None)


def test_vat_of_many_units_is_worked_out_of_all_of_them_as_a_pg_does():
    assert times(Amounts(100, 0, 9), 11) == Amounts(1100, 0, 100)
    assert times(Amounts(100, 0, 5), 11) == Amounts(1100, 0, 55)


@given(st.integers(0, 10**12))
def test_usual_vat_is_an_eleventh_to_the_nearest_won(taxed):
    assert abs(11 * usual_vat(taxed) - taxed) <= 5
