"""What customers do is drawn from the seed, and depends on nothing that is charged."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta

from schedules.dunning import DunningCalendar
from schedules.plans import SEOUL
from worker.simulation.book import Habits, usual_book
from worker.simulation.script import Act, Customer, Deed, cast, script

FIRST = date(2027, 1, 1)
YEAR = datetime(2028, 1, 1, tzinfo=SEOUL)
NEVER = dict.fromkeys(("low_balance", "over_limit", "dead_key", "lost_answer", "canceled", "refunded"), 0.0)


def customers(count: int = 200, *, seed: int = 1) -> tuple[Customer, ...]:
    return cast(usual_book(count), seed=seed, start_on=FIRST)


def acts(habits: Habits, *, seed: int = 1, count: int = 200) -> list[Act]:
    return [act for each in customers(count) for act in script(each, habits, seed=seed, until=YEAR)]


def habits(**written: Any) -> Habits:
    return Habits(**{**NEVER, **written})


def days(found: list[Act], *deeds: Deed) -> list[tuple[Deed, date]]:
    return [(act.deed, act.at.date()) for act in sorted(found, key=lambda act: act.at) if act.deed in deeds]


def test_same_seed_draws_the_same_and_another_one_does_not():
    assert acts(Habits()) == acts(Habits())
    assert acts(Habits()) != acts(Habits(), seed=2)
    assert customers() != customers(seed=2)


def test_customers_are_the_same_under_another_calendar():
    book = usual_book(200)
    other = cast(book.with_dunning(DunningCalendar((30,))), seed=1, start_on=FIRST)
    assert [(each.pg, each.start_on) for each in other] == [(each.pg, each.start_on) for each in customers()]
    assert [act for each in other for act in script(each, Habits(), seed=1, until=YEAR)] == acts(Habits())


def test_subscriptions_begin_on_28_days_about_as_many_on_each():
    begun = Counter(each.start_on for each in customers(280))
    assert min(begun), max(begun) == (FIRST, FIRST + timedelta(days=27))
    assert set(begun.values()) == {10}


def test_pgs_are_dealt_by_their_weights():
    dealt = Counter(each.pg for each in customers(1000))
    assert 450 < dealt["kakaopay"] < 550
    assert 150 < dealt["payco"] < 250


def test_nothing_happens_to_customers_without_troubles_and_wishes():
    assert acts(habits()) == []


def test_chance_of_one_meets_each_period_and_of_a_tenth_about_one_in_ten():
    periods = 200 * 12
    assert len(days(acts(habits(lost_answer=1.0)), Deed.LOSES)) == periods
    assert 0.08 * periods < len(days(acts(habits(lost_answer=0.1)), Deed.LOSES)) < 0.12 * periods


def test_empty_account_is_filled_on_the_next_payday():
    found = acts(habits(low_balance=1.0, lost_answer=0.0), count=1)
    told = days(found, Deed.EMPTIES, Deed.PAYS)
    assert told[:4] == [
        (Deed.EMPTIES, date(2026, 12, 31)),  # on the eve of the first charge
        (Deed.PAYS, told[1][1]),
        (Deed.EMPTIES, date(2027, 1, 31)),
        (Deed.PAYS, told[3][1]),
    ]
    assert {day.day for deed, day in told if deed is Deed.PAYS} <= {10, 25}


def test_account_stays_empty_longer_where_few_fill_it():
    sooner, later = (
        days(acts(habits(low_balance=1.0, filled_on_payday=chance)), Deed.EMPTIES) for chance in (1.0, 0.1)
    )
    assert len(later) < len(sooner) == 200 * 12


def test_payday_that_a_month_lacks_is_its_last_day():
    odd = habits(low_balance=1.0, filled_on_payday=1.0, paydays=(31,))
    filled = {day for _, day in days(acts(odd, count=1), Deed.PAYS)}
    assert {date(2027, 1, 31), date(2027, 2, 28)} & filled
    assert all((day + timedelta(days=1)).day == 1 for day in filled)


def test_dead_key_is_replaced_or_nothing_more_happens_to_it():
    replaced = days(
        acts(
            habits(
                dead_key=1.0,
            ),
            count=1,
        ),
        Deed.DIES,
        Deed.REPLACES,
    )
    never = habits(dead_key=1.0, key_replaced=0.0)
    assert days(acts(never, count=1), *Deed) == [(Deed.DIES, date(2026, 12, 31))]
    assert replaced[0] == (Deed.DIES, date(2026, 12, 31))


def test_customer_who_cancels_does_nothing_afterwards():
    wants_out = habits(canceled=1.0, refunded=1.0)
    found = acts(wants_out, count=1)
    assert Counter(act.deed for act in found) == {Deed.CANCELS: 1, Deed.REFUNDS: 1}
    assert all(FIRST < act.at.date() <= FIRST + relativedelta(months=1) for act in found)
