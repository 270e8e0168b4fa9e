"""Changes to other cadences, zones and billing days, and changes that an outage of ours delays."""

from __future__ import annotations

from datetime import UTC, date, datetime

from tests.scenarios.conftest import World
from tests.scenarios.subscriptions.changing import (
    assert_contiguous,
    change_plan,
    effect,
    go_to,
    kept,
    periods,
)
from worker.domain.changes import Moment

NOW = Moment.NOW


def test_yearly_plan_in_another_zone_begins_where_the_month_ends(world: World):
    world.plan("yearly", amount="99000", cadence="year", time_zone="America/New_York")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    change_plan(world, code, plan="yearly")
    go_to(world, date(2026, 2, 6))
    first, second = world.charges(code)
    assert first.period_end == second.period_start == datetime(2026, 2, 5, 1, tzinfo=UTC)
    # the evening of 4 February in New York: a year later it is charged at ten in the morning there
    assert second.period_end == datetime(2027, 2, 4, 15, tzinfo=UTC)
    assert [row[2:] for row in periods(world, code)] == [(9900, "paid"), (99000, "paid")]
    assert world.subscription(code).anchor_on == date(2026, 2, 4)
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_yearly_plan_now_begins_a_new_period_less_the_unused_days(world: World):
    world.plan("yearly", amount="99000", cadence="year")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    assert effect(change_plan(world, code, NOW, plan="yearly")) == (99000 - 5110, 0)
    world.tick()
    assert periods(world, code) == [
        ("2026-01-05", "2026-01-20", 9900, "paid"),
        ("2026-01-20", "2027-01-20", 93890, "paid"),
    ]
    assert_contiguous(world, code)
    assert kept(world) == 9900 + 93890
    world.assert_books_agree()


def test_monthly_plan_now_leaves_the_rest_of_a_year_as_credit(world: World):
    world.plan("yearly", amount="99000", cadence="year")
    code = world.subscribe(plan="yearly")
    world.plan("monthly")
    world.tick()
    go_to(world, date(2026, 1, 20))
    # 350 of 365 days are left of 99,000: 94,932, of which the first month uses 9,900
    assert effect(change_plan(world, code, NOW, plan="monthly")) == (0, 94932 - 9900)
    go_to(world, date(2026, 4, 21))
    assert [row[2] for row in periods(world, code)] == [99000, 0, 0, 0, 0]
    assert kept(world) == 99000
    assert_contiguous(world, code)
    assert world.broken_invariants() == {}


def test_billing_day_moves_to_the_1st_and_the_days_until_then_are_charged(world: World):
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    # 12 of 31 days: 3,833, less 5,110 of what was paid
    assert effect(change_plan(world, code, NOW, anchor_day=1)) == (0, 5110 - 3833)
    go_to(world, date(2026, 3, 2))
    assert periods(world, code) == [
        ("2026-01-05", "2026-01-20", 9900, "paid"),
        ("2026-01-20", "2026-02-01", 0, "paid"),
        ("2026-02-01", "2026-03-01", 9900 - 1277, "paid"),
        ("2026-03-01", "2026-04-01", 9900, "paid"),
    ]
    assert_contiguous(world, code)
    assert world.broken_invariants() == {}


def test_billing_day_moves_at_the_period_end_with_a_short_period_by_days(world: World):
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    requested = change_plan(world, code, anchor_day=1)
    assert effect(requested) == (8486, 0)  # 24 of 28 days
    go_to(world, date(2026, 3, 2))
    assert periods(world, code) == [
        ("2026-01-05", "2026-02-05", 9900, "paid"),
        ("2026-02-05", "2026-03-01", 8486, "paid"),
        ("2026-03-01", "2026-04-01", 9900, "paid"),
    ]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_plan_with_a_cron_is_charged_by_days_up_to_its_next_fire(world: World):
    world.plan("firsts", amount="31000", cadence="cron 0 9 1 * *")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    change_plan(world, code, plan="firsts")
    go_to(world, date(2026, 3, 2))
    assert [row[:3] for row in periods(world, code)] == [
        ("2026-01-05", "2026-02-05", 9900),
        ("2026-02-05", "2026-03-01", 26572),  # 24 of 28 days
        ("2026-03-01", "2026-04-01", 31000),
    ]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_plan_with_a_later_hour_begins_no_period_of_two_hours(world: World):
    world.plan("noon", amount="12900", charge_hour="12")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    change_plan(world, code, plan="noon")
    go_to(world, date(2026, 3, 6))
    assert [row[:3] for row in periods(world, code)] == [
        ("2026-01-05", "2026-02-05", 9900),
        ("2026-02-05", "2026-03-05", 12900),
        ("2026-03-05", "2026-04-05", 12900),
    ]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_change_during_an_outage_leaves_periods_before_it_on_the_old_terms(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    change_plan(world, code, date(2026, 3, 5), plan="gold", quantity=2)
    go_to(world, date(2026, 4, 20), ticks=False)
    world.tick()
    world.live(days=1)
    assert periods(world, code) == [
        ("2026-01-05", "2026-02-05", 9900, "paid"),
        ("2026-02-05", "2026-03-05", 9900, "paid"),
        ("2026-03-05", "2026-04-05", 39800, "paid"),
        ("2026-04-05", "2026-05-05", 39800, "paid"),
    ]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_change_in_the_middle_of_a_period_on_a_date_is_charged_on_that_day(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    requested = change_plan(world, code, date(2026, 1, 20), plan="gold")
    assert effect(requested) == (5161, 0)
    go_to(world, date(2026, 2, 6))
    assert [row[2] for row in periods(world, code)] == [9900, 5161, 19900]
    first, second, _ = world.charges(code)
    assert first.period_end == second.period_start == datetime(2026, 1, 19, 15, tzinfo=UTC)  # midnight in Seoul
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_change_in_the_middle_of_a_late_period_waits_until_that_is_paid(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    change_plan(world, code, date(2026, 2, 10), plan="gold")
    go_to(world, date(2026, 2, 12), ticks=False)  # nothing ran since before 5 February
    world.tick()
    world.tick()
    # 23 of 28 days, of both: the period was paid late, and is divided as if it had been in time
    assert periods(world, code) == [
        ("2026-01-05", "2026-02-05", 9900, "paid"),
        ("2026-02-05", "2026-02-10", 9900, "paid"),
        ("2026-02-10", "2026-03-05", 16347 - 8133, "paid"),
    ]
    assert_contiguous(world, code)
    world.assert_books_agree()
