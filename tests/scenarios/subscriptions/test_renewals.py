"""The next renewal on another day: given days, lost days, and what was planned for it."""

from __future__ import annotations

from datetime import date

import pytest

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
from worker.domain.errors import Refused
from worker.sandbox.rules.behaviours import decline, pay

MOVE = ChangeKind.MOVE_RENEWAL


def test_later_renewal_gives_the_days_between(world: World):
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    requested = request(world, MOVE, code, on="2026-02-15")
    assert effect(requested) == (0, 0)
    assert "The 10 days between are given." in requested.change.preview["sentence"]["en"]
    go_to(world, date(2026, 3, 16))
    assert periods(world, code) == [
        ("2026-01-05", "2026-02-15", 9900, "paid"),
        ("2026-02-15", "2026-03-15", 9900, "paid"),
        ("2026-03-15", "2026-04-15", 9900, "paid"),
    ]
    assert_contiguous(world, code)
    assert kept(world) == 3 * 9900
    world.assert_books_agree()


def test_earlier_renewal_credits_the_days_that_are_lost(world: World):
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    assert effect(request(world, MOVE, code, on="2026-01-31")) == (0, 1597)  # 5 of 31 days
    go_to(world, date(2026, 3, 1))
    assert periods(world, code) == [
        ("2026-01-05", "2026-01-31", 9900, "paid"),
        ("2026-01-31", "2026-02-28", 9900 - 1597, "paid"),
        ("2026-02-28", "2026-03-31", 9900, "paid"),
    ]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_given_days_stay_given_in_a_later_change_of_plan(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    request(world, MOVE, code, on="2026-02-15")
    # 16 of 31 paid days are left: 10,271 of 19,900, less 5,110 of 9,900. The 10 given days stay given.
    changed = change_plan(world, code, Moment.NOW, plan="gold")
    assert effect(changed) == (10271 - 5110, 0)
    assert "for the days from 2026-02-05 on are given" in changed.change.preview["sentence"]["en"]
    go_to(world, date(2026, 2, 16))
    assert [row[2] for row in periods(world, code)] == [9900, 10271 - 5110, 19900]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_plan_changed_within_the_given_days_charges_and_credits_nothing_for_them(world: World):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    request(world, MOVE, code, on="2026-02-15")
    go_to(world, date(2026, 2, 8))
    assert effect(change_plan(world, code, Moment.NOW, plan="gold")) == (0, 0)
    go_to(world, date(2026, 2, 10))
    assert effect(change_plan(world, code, Moment.NOW, plan="monthly")) == (0, 0)
    go_to(world, date(2026, 2, 16))
    assert [row[2] for row in periods(world, code)] == [9900, 0, 0, 9900]
    assert_contiguous(world, code)
    world.assert_books_agree()


def test_renewal_of_a_subscription_that_is_to_be_canceled_does_not_come_before(world: World):
    code = world.subscribe()
    world.tick()
    request(world, ChangeKind.CANCEL, code)
    for on in ("2026-01-25", "2026-02-20"):
        with pytest.raises(Refused, match="again change undo 1"):
            request(world, MOVE, code, on=on)
    go_to(world, date(2026, 3, 1))
    assert kept(world) == 9900


def test_renewal_of_an_unpaid_period_stays(world: World):
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    world.tick()
    with pytest.raises(Refused, match="is not paid yet: charge 1 is past_due"):
        request(world, MOVE, code, on="2026-02-20")
    go_to(world, date(2026, 1, 10))
    request(world, MOVE, code, on="2026-02-20")
    assert_contiguous(world, code)
    world.assert_books_agree()
