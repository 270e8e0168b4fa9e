"""What of the owed periods a new key is charged with, and what is given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schedules.end_of_dunning import ArrearsPolicy
from worker.ledger.charges import OwedPeriod
from worker.subscriptions.arrears import Arrears

START = datetime(2026, 1, 5, 1, tzinfo=UTC)


def owed(*unpaid: bool) -> Arrears:
    periods = (OwedPeriod(START + timedelta(days=day), 9900, unpaid=each) for day, each in enumerate(unpaid))
    return Arrears(tuple(periods), START + timedelta(days=99))


def test_what_is_only_due_counts_among_the_newest_and_is_never_given_up():
    arrears = owed(True, True, False)
    for newest, paid in ((0, 1), (1, 1), (2, 2), (3, 3)):
        by_new_key = arrears.by_new_key(ArrearsPolicy(newest))
        assert (by_new_key.count, by_new_key.amount) == (paid, 9900 * paid)
        assert by_new_key.periods == arrears.periods[3 - paid :]


@given(st.lists(st.booleans(), max_size=8), st.none() | st.integers(0, 9))
def test_each_owed_period_is_either_charged_or_given_up(unpaid: list[bool], newest: int | None):
    arrears = owed(*unpaid)
    by_new_key = arrears.by_new_key(ArrearsPolicy(newest))
    assert sorted((*by_new_key.periods, *by_new_key.given_up), key=str) == sorted(arrears.periods, key=str)
    assert by_new_key.amount + by_new_key.given_up_amount == arrears.amount
    assert all(each.unpaid for each in by_new_key.given_up)
    assert by_new_key.next_charge_at == arrears.next_charge_at
