"""Months are added up, and each payment of which two records differ is named."""

from __future__ import annotations

from datetime import date

from worker.simulation.figures import Month, Sum, Year, discrepancies_of, months_of

FOUND = {
    ("2027-01", "charged"): Sum(8, 80_000),
    ("2027-01", "recovered"): Sum(1, 10_000),
    ("2027-02", "charged"): Sum(7, 70_000),
    ("2027-02", "lost"): Sum(1, 10_000),
    ("2027-02", "refunded"): Sum(1, 4_000),
    ("2027-02", "canceled"): Sum(1),
    ("2027-02", "dropped"): Sum(1),
    ("2027-04", "charged"): Sum(1, 1),  # after the last month
}


def year(**more: object) -> Year:
    months = months_of(FOUND, start_on=date(2027, 1, 1), count=3, subscriptions=10)
    return Year(dunning="1,3", months=months, **more)  # type: ignore[arg-type]


def test_each_month_has_its_figures_and_one_without_any_has_none():
    assert [month.name for month in year().months] == ["2027-01", "2027-02", "2027-03"]
    assert [month.kept for month in year().months] == [90_000, 66_000, 0]
    assert year().months[2] == Month(name="2027-03", running=8)


def test_subscriptions_that_run_fall_by_those_canceled_and_dropped():
    assert [month.running for month in year().months] == [10, 8, 8]


def test_total_adds_all_months_up():
    total = year().total
    assert (total.charged, total.recovered, total.lost) == (Sum(15, 150_000), Sum(1, 10_000), Sum(1, 10_000))
    assert (total.paid, total.kept, total.canceled, total.dropped, total.running) == (160_000, 156_000, 1, 1, 8)


def test_recovery_is_of_what_was_declined_and_is_settled():
    assert year().recovery_percent == 50
    assert Year(dunning="1", months=()).recovery_percent is None


def test_records_that_agree_have_no_discrepancy():
    assert discrepancies_of({"a": (100, 0)}, {"a": (100, 0)}) == ()
    assert year().agrees


def test_payment_that_one_side_lacks_or_has_otherwise_is_named():
    here = {"a": (100, 0), "b": (100, 0), "c": (100, 0)}
    there = {"a": (100, 0), "b": (200, 0), "c": (100, 50), "d": (1, 0)}
    said = discrepancies_of(here, there)
    assert [each.partition(":")[0] for each in said] == ["b", "c", "d"]
    assert not year(discrepancies=said).agrees


def test_only_the_first_discrepancies_are_named_and_the_others_counted():
    said = discrepancies_of({f"m{number}": (1, 0) for number in range(9)}, {}, shown=2)
    assert said[-1] == "... and 7 more."
    assert len(said) == 3


def test_broken_invariant_does_not_agree():
    assert not year(violations=("paid_twice",)).agrees


def test_how_long_it_took_makes_no_other_year():
    assert year(seconds=1.0) == year(seconds=2.0)
