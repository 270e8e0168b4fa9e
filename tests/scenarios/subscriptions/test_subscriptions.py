"""Pauses, cancellations and key changes with open charges: nothing is lost, and nothing charged too early."""

from __future__ import annotations

from datetime import date, timedelta

from tests.scenarios.conftest import World
from tests.support import acts
from worker.sandbox.rules.behaviours import decline, pay
from worker.subscriptions import key_change

DAY = timedelta(days=1)


def pause(world: World, code: str) -> None:
    acts.pause(world.runtime.sessions, code, reason="holiday", now=world.now)


def resume(world: World, code: str) -> None:
    acts.resume(world.runtime.sessions, code, reason="back", now=world.now)


def test_charge_due_before_a_pause_is_charged_after_it(world: World):
    code = world.subscribe()  # due for two hours; no tick has come
    pause(world, code)
    world.live(days=1)
    assert world.statuses() == {"due": 1}
    resume(world, code)
    world.live(days=1)
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


def test_charge_due_before_a_cancellation_is_recorded_as_void(world: World):
    code = world.subscribe()
    acts.cancel(world.runtime.sessions, code, reason="moved", now=world.now)
    world.live(days=3)
    assert world.statuses() == {"void": 1}
    world.assert_books_agree()


def test_pause_does_not_move_the_next_charge_before_the_paid_period_ends(world: World):
    code = world.subscribe(starts_on=date(2025, 12, 10))
    world.sql("UPDATE subscriptions SET next_charge_at = '2026-04-10T01:00:00Z' RETURNING id")
    pause(world, code)
    resume(world, code)
    world.live(days=90, step=DAY)
    assert world.charges() == []
    world.live(days=10, step=DAY)
    assert [charge.period_start.date() for charge in world.charges()] == [date(2026, 4, 10)]


def test_periods_during_a_pause_are_not_owed(world: World):
    code = world.subscribe()
    world.tick()
    pause(world, code)
    world.live(days=40, step=DAY)
    resume(world, code)
    world.live(days=25, step=DAY)
    assert [charge.period_start.date() for charge in world.charges()] == [date(2026, 1, 5), date(2026, 3, 5)]
    world.assert_books_agree()


def test_new_key_pays_what_a_dead_one_left_unpaid(world: World):
    code = world.subscribe(decline("CC54", "유효기간 경과"), pg="payco")
    world.tick()
    assert world.statuses() == {"past_due": 1}
    other = world.subscribe(pay(), pg="payco", starts_on=date(2026, 6, 1))  # whose key both use from now on
    key = str(world.subscription(other).billing_key_id)
    key_change.change_key(
        world.runtime.sessions, code, key, reason="new card", allow_duplicates=True, max_amount=10**6, now=world.now
    )
    world.tick()
    assert world.statuses() == {"paid": 1}
    assert world.subscription(code).status == "active"
    world.assert_books_agree()
