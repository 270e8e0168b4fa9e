"""Changes of plan and quantity: charged by days to the won, and contiguous whatever the calendar does."""

from __future__ import annotations

from datetime import date

from tests.scenarios.conftest import World
from tests.scenarios.subscriptions.changing import (
    assert_contiguous,
    change_plan,
    effect,
    go_to,
    kept,
    periods,
    request,
)
from worker.domain.changes import ChangeKind, Moment
from worker.domain.states import SubscriptionStatus

NOW, PERIOD_END = Moment.NOW, Moment.PERIOD_END


def test_upgrade_now_charges_the_days_left_less_what_was_paid_for_them(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    # 16 of 31 days are left: 10,271 of 19,900, less 5,110 of 9,900
    assert effect(change_plan(world, code, NOW, plan="gold")) == (5161, 0)
    go_to(world, date(2026, 2, 6))
    assert periods(world, code) == [
        ("2026-01-05", "2026-01-20", 9900, "paid"),
        ("2026-01-20", "2026-02-05", 5161, "paid"),
        ("2026-02-05", "2026-03-05", 19900, "paid"),
    ]
    assert_contiguous(world, code)
    assert kept(world) == 9900 + 5161 + 19900
    world.assert_books_agree()


def test_upgrade_and_downgrade_in_one_period_come_out_to_the_won(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    change_plan(world, code, NOW, plan="gold")
    go_to(world, date(2026, 1, 27))
    # 9 days are left: 5,778 of gold's 10,271 for 16 days, and 2,875 of 9,900 for 31: the rest is credit
    assert effect(change_plan(world, code, NOW, plan="monthly")) == (0, 2903)
    go_to(world, date(2026, 3, 6))
    assert periods(world, code) == [
        ("2026-01-05", "2026-01-20", 9900, "paid"),
        ("2026-01-20", "2026-01-27", 5161, "paid"),
        ("2026-01-27", "2026-02-05", 0, "paid"),
        ("2026-02-05", "2026-03-05", 9900 - 2903, "paid"),
        ("2026-03-05", "2026-04-05", 9900, "paid"),
    ]
    assert_contiguous(world, code)
    assert len(world.paid_periods()) == 4  # what came to nothing was never sent
    assert kept(world) == 9900 + 5161 + 6997 + 9900
    assert world.broken_invariants() == {}


def test_change_taken_back_on_the_same_day_costs_nothing(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    change_plan(world, code, NOW, plan="gold")
    world.tick()
    world.wait(hours=1)
    assert effect(change_plan(world, code, NOW, plan="monthly")) == (0, 5161)
    go_to(world, date(2026, 3, 6))
    assert kept(world) == 9900 + 5161 + (9900 - 5161) + 9900


def test_change_at_the_period_end_charges_nothing_before(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    requested = change_plan(world, code, plan="gold", quantity=2)
    assert (requested.change.status, effect(requested)) == ("scheduled", (0, 0))
    assert requested.preview is not None
    assert [each.amount for each in requested.preview.periods] == [39800, 39800, 39800]
    go_to(world, date(2026, 2, 6))
    assert periods(world, code) == [
        ("2026-01-05", "2026-02-05", 9900, "paid"),
        ("2026-02-05", "2026-03-05", 39800, "paid"),
    ]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_upgrade_now_then_cancellation_at_the_period_end_is_paid_until_then(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    change_plan(world, code, NOW, plan="gold")
    world.tick()
    request(world, ChangeKind.CANCEL, code)
    go_to(world, date(2026, 3, 10))
    assert [row[2] for row in periods(world, code)] == [9900, 5161]
    assert world.subscription(code).status is SubscriptionStatus.ENDED
    assert kept(world) == 9900 + 5161
    world.assert_books_agree()


def test_quantity_goes_up_and_down_by_days_of_the_same_plan(world: World):
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    assert effect(change_plan(world, code, NOW, quantity=3)) == (15330 - 5110, 0)  # 16 of 31 days of 29,700
    world.tick()
    go_to(world, date(2026, 2, 6))
    assert [row[2] for row in periods(world, code)] == [9900, 10220, 29700]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_change_without_proration_charges_nothing_for_the_days_left(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    assert effect(change_plan(world, code, NOW, plan="gold", proration="none")) == (0, 0)
    assert world.sql("SELECT p.code FROM plans p JOIN subscriptions s ON s.plan_id = p.id") == [("gold",)]
    go_to(world, date(2026, 2, 6))
    assert [row[2] for row in periods(world, code)] == [9900, 19900]
    world.assert_books_agree()


def test_month_end_anchor_outlives_a_change_in_february_of_a_leap_year(world: World):
    world.plan("noon", amount="12900", charge_hour="12")
    world.plan("gold", amount="19900")
    for _ in range(2):  # nothing is sold yet, and a silence of more than a year would hold charging
        world.wait(days=350)
        world.tick()
    go_to(world, date(2028, 1, 31), hour=8)
    code = world.subscribe(starts_on=date(2028, 1, 31))
    go_to(world, date(2028, 2, 10))
    change_plan(world, code, PERIOD_END, plan="noon")  # from the 29th on, and at another hour
    go_to(world, date(2028, 3, 10), hour=13)
    # 21 of 31 days are left: 13,481 of 19,900, less 8,739 of 12,900
    charged, _ = effect(change_plan(world, code, NOW, plan="gold", renewal="restart"))
    assert charged == 19900 - 8739
    go_to(world, date(2028, 5, 12))
    assert periods(world, code) == [
        ("2028-01-31", "2028-02-29", 9900, "paid"),
        ("2028-02-29", "2028-03-10", 12900, "paid"),
        ("2028-03-10", "2028-04-10", 19900 - 8739, "paid"),
        ("2028-04-10", "2028-05-10", 19900, "paid"),
        ("2028-05-10", "2028-06-10", 19900, "paid"),
    ]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_upgrades_in_february_keep_the_31st(world: World):
    world.plan("gold", amount="19900")
    go_to(world, date(2026, 1, 31), hour=8)
    code = world.subscribe(starts_on=date(2026, 1, 31))
    go_to(world, date(2026, 2, 14))
    assert effect(change_plan(world, code, NOW, plan="gold")) == (5000, 0)  # half of 28 days
    go_to(world, date(2026, 3, 15))
    change_plan(world, code, quantity=2)
    go_to(world, date(2026, 5, 1))
    assert periods(world, code) == [
        ("2026-01-31", "2026-02-14", 9900, "paid"),
        ("2026-02-14", "2026-02-28", 5000, "paid"),
        ("2026-02-28", "2026-03-31", 19900, "paid"),
        ("2026-03-31", "2026-04-30", 39800, "paid"),
        ("2026-04-30", "2026-05-31", 39800, "paid"),
    ]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_consent_to_other_terms_is_written_down_with_what_may_still_be_charged(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    change_plan(world, code, NOW, plan="gold")
    change_at_end = change_plan(world, code, quantity=2).change
    go_to(world, date(2026, 2, 6))
    at_once, later = world.sql("SELECT * FROM consents ORDER BY id")
    assert (at_once.source, at_once.amount, at_once.due_now) == ("operator", 19900, 5161)
    assert at_once.wording == "by command: asked by mail (change 1)"
    # agreed to when it was asked for; what was charged since then was agreed to before
    assert (later.amount, later.agreed_at) == (39800, change_at_end.created_at)
    assert [each["amount"] for each in later.periods] == [5161]
    world.assert_books_agree()


def test_discount_by_percent_counts_a_changed_period_once(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe(starts_on=date(2026, 1, 6))
    request(world, ChangeKind.DISCOUNT, code, NOW, percent=50, periods=2)
    go_to(world, date(2026, 1, 21))
    # 16 of 31 days are left: half of 10,271 (a half won up: off), less the unused part of the 4,950 that were paid
    assert effect(change_plan(world, code, NOW, plan="gold")) == (10271 - 5136 - 2555, 0)
    go_to(world, date(2026, 3, 7))
    assert [row[2] for row in periods(world, code)] == [4950, 2580, 9950, 19900]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_discount_of_an_amount_is_given_once_however_often_a_period_changes(world: World):
    code = world.subscribe(starts_on=date(2026, 1, 6))
    request(world, ChangeKind.DISCOUNT, code, NOW, amount=3000, periods=2)
    for day in (11, 21, 31):
        go_to(world, date(2026, 1, day))
        for quantity in (2, 1):
            world.wait(hours=1)
            change_plan(world, code, NOW, quantity=quantity)
            world.tick()
    go_to(world, date(2026, 4, 7))
    credited = world.sql("SELECT sum(amount_left) FROM adjustments WHERE kind = 'credit'")[0][0]
    assert credited == 0
    assert 0 <= 6900 + 6900 + 9900 + 9900 - kept(world) <= 6  # a won for each time that days are rounded
    assert_contiguous(world, code)
    world.assert_books_agree()
