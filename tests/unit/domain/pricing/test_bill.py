from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pricing import amounts, is_valid
from worker.domain.pricing.adjustments import Adjustment, AdjustmentKind
from worker.domain.pricing.amounts import Amounts
from worker.domain.pricing.bill import Deduction, after, bill
from worker.domain.pricing.items import ItemKind, plan_item, totals

START = datetime(2026, 11, 30, tzinfo=UTC)


def discount(**terms):
    terms = {"percent": 50, **terms} if "amount" not in terms else terms
    return Adjustment(id=1, kind=AdjustmentKind.DISCOUNT, description="할인", **terms)


def credit(left):
    return Adjustment(id=2, kind=AdjustmentKind.CREDIT, description="적립금", amount=left, left=left)


def one_off(amount, tax_free=0):
    return Adjustment(id=3, kind=AdjustmentKind.ONE_OFF, description="가입비", amount=amount, tax_free=tax_free)


def billed(unit, *adjustments, quantity=1, minimum=100, at=START, deductions=()):
    line = plan_item("Plan", unit, quantity)
    return bill(line, adjustments, period_start=at, minimum=minimum, deductions=deductions)


def lines(made):
    return [(each.kind.value, each.amount) for each in made.items]


def periods(unit, adjustments, count, *, minimum=100):
    """Return the bills of periods one after the other, and what is open after the last."""
    bills = []
    for number in range(count):
        made = billed(unit, *adjustments, minimum=minimum, at=START + timedelta(days=30 * number))
        adjustments = after(adjustments, made)
        bills.append(made)
    return bills, adjustments


def test_bill_without_adjustments_is_the_plan_times_its_quantity():
    made = billed(Amounts(9900, 0, 900), quantity=3)
    assert lines(made) == [("plan", 29_700)]
    assert (made.amount, made.tax_free, made.vat_amount) == (29_700, 0, 2700)
    assert (made.items[0].quantity, made.items[0].unit_amount) == (3, 9900)


def test_half_price_for_three_periods_is_full_price_in_the_fourth():
    bills, left = periods(Amounts(9900), (discount(periods_left=3),), 4)
    assert [each.amount for each in bills] == [4950, 4950, 4950, 9900]
    assert left == ()


def test_credit_is_used_over_two_periods_and_then_gone():
    bills, left = periods(Amounts(9900), (credit(12_000),), 3)
    assert [each.amount for each in bills] == [0, 7800, 9900]
    assert left == ()


def test_what_a_discount_leaves_below_the_minimum_is_carried_and_comes_back_once():
    bills, left = periods(Amounts(9900), (discount(amount=9850, periods_left=1),), 3)
    assert lines(bills[0]) == [("plan", 9900), ("discount", -9850), ("carried", -50)]
    assert lines(bills[1]) == [("plan", 9900), ("carried", 50)]
    assert [each.amount for each in bills] == [0, 9950, 9900]
    assert left == ()


def test_discount_is_off_the_plan_alone_and_one_off_items_stay_whole():
    made = billed(Amounts(10_000), one_off(5000), discount(percent=100))
    assert lines(made) == [("plan", 10_000), ("one_off", 5000), ("discount", -10_000)]
    assert made.amount == 5000


def test_second_discount_is_of_what_the_first_leaves():
    made = billed(Amounts(10_000), discount(percent=50), discount(percent=50))
    assert made.amount == 2500


def test_discount_beyond_the_price_takes_the_price_and_no_more():
    assert billed(Amounts(10_000), discount(amount=20_000)).amount == 0


def test_discount_without_effect_keeps_its_periods():
    made = billed(Amounts(10_000), discount(percent=100), discount(percent=10, periods_left=1))
    assert len(made.uses) == 1


@pytest.mark.parametrize(("ends_at", "amount"), [(START, 10_000), (START + timedelta(seconds=1), 5000)])
def test_discount_ends_with_the_period_that_starts_at_its_end(ends_at, amount):
    made = billed(Amounts(10_000), discount(ends_at=ends_at))
    assert made.amount == amount
    assert [use.is_used_up for use in made.uses] == [amount == 10_000]


def test_unused_days_beyond_the_bill_are_left_to_the_customers_credit():
    made = billed(Amounts(3000), credit(500), deductions=[Deduction(ItemKind.PRORATION, "남은 기간", 4000)])
    assert (made.amount, made.credited, made.uses) == (0, 1000, ())
    assert lines(made) == [("plan", 3000), ("proration", -3000)]


def test_credit_is_used_after_unused_days():
    made = billed(Amounts(3000), credit(500), deductions=[Deduction(ItemKind.PRORATION, "남은 기간", 1000)])
    assert lines(made) == [("plan", 3000), ("proration", -1000), ("credit", -500)]


def test_tax_free_part_and_vat_of_half_the_price_are_half_of_theirs():
    made = billed(Amounts(11_000, 5500, 500), discount(percent=50))
    assert (made.amount, made.tax_free, made.vat_amount) == (5500, 2750, 250)


def test_one_off_item_states_its_vat_where_the_plan_does():
    made = billed(Amounts(11_000, 0, 1000), one_off(5500))
    assert made.items[1].vat_amount == 500
    assert billed(Amounts(11_000), one_off(5500)).items[1].vat_amount is None


@st.composite
def adjustment_lists(draw):
    percents = st.builds(discount, percent=st.integers(1, 100), periods_left=st.one_of(st.none(), st.integers(1, 3)))
    sums = st.builds(discount, amount=st.integers(1, 20_000), periods_left=st.one_of(st.none(), st.integers(1, 3)))
    extras = st.integers(1, 20_000).flatmap(lambda amount: st.builds(one_off, st.just(amount), st.integers(0, amount)))
    credits_ = st.builds(credit, st.integers(1, 60_000))
    return tuple(draw(st.lists(st.one_of(percents, sums, extras, credits_), max_size=5)))


@given(amounts(least=100, most=30_000), adjustment_lists(), st.integers(1, 5), st.sampled_from([10, 100]))
def test_items_sum_to_valid_totals_in_every_period(unit, adjustments, count, minimum):
    for made in periods(unit, adjustments, count, minimum=minimum)[0]:
        whole = Amounts(made.amount, made.tax_free, made.vat_amount)
        assert totals(made.items) == whole
        assert is_valid(whole)
        assert made.amount == 0 or made.amount >= minimum
        assert all(is_valid(each.amounts) or is_valid(-each.amounts) for each in made.items)
        assert {each.vat_amount is None for each in made.items} == {unit.vat_amount is None}


@given(amounts(least=100, most=30_000), adjustment_lists(), st.integers(1, 6))
def test_nothing_is_lost_or_invented_over_several_periods(unit, adjustments, count):
    bills, left = periods(unit, adjustments, count)
    items = [each for made in bills for each in made.items]

    def given_and_left(kind):
        given_ = sum(each.amount for each in adjustments if each.kind is kind)
        return given_, sum((each.left or each.amount) for each in left if each.kind is kind)

    credited, credit_left = given_and_left(AdjustmentKind.CREDIT)
    assert -sum(each.amount for each in items if each.kind is ItemKind.CREDIT) + credit_left == credited
    extras, extras_left = given_and_left(AdjustmentKind.ONE_OFF)
    assert sum(each.amount for each in items if each.kind is ItemKind.ONE_OFF) + extras_left == extras
    carried = sum(each.amount for each in items if each.kind is ItemKind.CARRIED)
    assert carried + sum(each.amount for each in left if each.kind is AdjustmentKind.CARRIED) == 0
    taken = sum(each.amount for each in items if each.kind is ItemKind.DISCOUNT)
    assert -unit.amount * count <= taken <= 0


@given(amounts(least=100, most=30_000), st.integers(1, 100), st.integers(1, 5))
def test_discount_of_some_periods_counts_each_charge_once(unit, percent, periods_left):
    bills, left = periods(unit, (discount(percent=percent, periods_left=periods_left),), periods_left + 1)
    assert left == () or all(each.kind is AdjustmentKind.CARRIED for each in left)
    assert all(each.kind is not ItemKind.DISCOUNT for each in bills[-1].items)
