"""Pausing and resuming, by hand and on dates: the pause is not owed, and nothing is charged twice."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.scenarios.conftest import World
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus
from worker.sandbox.rules.behaviours import decline, pay

A_DAY = timedelta(days=1)


def months(world: World, code: str) -> list[tuple[int, str]]:
    return [(charge.period_start.month, charge.status.value) for charge in world.charges(code)]


def test_subscription_paused_across_periods_is_charged_again_on_its_own_day(world: World):
    code = world.subscribe(pay())  # on the 5th
    world.tick()
    preview = world.preview(ChangeKind.PAUSE, code, until="2026-04-20")
    assert [period.start.month for period in preview.periods] == [5, 6, 7]
    world.change(ChangeKind.PAUSE, code, until="2026-04-20")
    world.live(days=45, step=A_DAY)
    assert world.subscription(code).status == SubscriptionStatus.PAUSED
    world.live(days=90, step=A_DAY)
    assert months(world, code) == [(1, "paid"), (5, "paid")]
    world.assert_books_agree()
    world.assert_money_agrees()


def test_pause_with_a_debt_charges_it_after_the_pause(world: World):
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    world.tick()
    world.change(ChangeKind.PAUSE, code, Moment.NOW, until="2026-02-20")
    world.live(days=40, step=A_DAY)
    assert months(world, code) == [(1, "past_due")]
    world.live(days=10, step=A_DAY)
    assert months(world, code)[0] == (1, "paid")
    world.assert_books_agree()


def test_pause_undone_takes_its_end_along(world: World):
    code = world.subscribe(pay())
    world.tick()
    pause = world.change(ChangeKind.PAUSE, code, until="2026-03-20")
    world.undo(pause)
    world.live(days=80, step=A_DAY)
    assert months(world, code) == [(1, "paid"), (2, "paid"), (3, "paid")]
    world.assert_books_agree()


def test_subscription_resumed_by_hand_is_not_resumed_again_on_the_date(world: World):
    code = world.subscribe(pay())
    world.tick()
    world.change(ChangeKind.PAUSE, code, Moment.NOW, until="2026-04-20")
    world.wait(days=10)
    world.change(ChangeKind.RESUME, code)
    world.live(days=120, step=A_DAY)
    assert [row.status for row in world.sql("SELECT status FROM changes WHERE kind = 'resume' ORDER BY id")] == [
        "superseded",
        "applied",
    ]
    assert months(world, code) == [(month, "paid") for month in (1, 2, 3, 4, 5)]
    world.assert_books_agree()


@pytest.mark.parametrize("until", ["2026-01-06", "2026-01-01", "soon", "2040-01-01"])
def test_pause_with_an_impossible_end_is_refused(world: World, until: str):
    code = world.subscribe(pay())
    world.tick()
    with pytest.raises(Refused):
        world.change(ChangeKind.PAUSE, code, date(2026, 1, 10), until=until)
    assert world.sql("SELECT id FROM changes") == []
