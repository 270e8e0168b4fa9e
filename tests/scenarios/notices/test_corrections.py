"""What was told and is true no longer: told once more where it costs the customer more or earlier, and else not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.scenarios.conftest import World
from tests.scenarios.notices.test_ahead import SEOUL, charged, go, morning
from tests.support.notices import events, notices, tell
from worker.changes.prices import NewPrice, add_price
from worker.domain.changes import ChangeKind, Moment
from worker.domain.pricing.amounts import Amounts
from worker.sandbox.rules.behaviours import decline, pay

Act = Callable[[World, str], object]


def said(world: World) -> list[tuple[str, datetime, int]]:
    """Return what was sent about what comes: its kind, the day that it is about, and the amount."""
    return [(each.kind, each.about, each.content["amount"]) for each in notices(world)]


def told(world: World, days: int = 6, **terms: str) -> tuple[str, datetime]:
    """Return a subscription whose customer was told of the next charge, so many days before it."""
    world.plan(**{"notices": "renewal 7", **terms})
    world.plan("large", amount="19800", notices=terms.get("notices", "renewal 7"))
    code = world.subscribe(pay())
    world.tick()
    about = world.subscription(code).next_charge_at
    assert about is not None
    go(world, morning(about, days=days))
    assert said(world) == [("renewal", about, 9900)]
    return code, about


def later(world: World, about: datetime, days: int = 5) -> None:
    """Let ticks pass in the morning of a day before the charge, more than are needed."""
    go(world, morning(about, days=days))
    tell(world)
    world.wait(hours=1)
    tell(world)


def _raise_price(world: World, code: str) -> None:
    add_price(
        world.runtime.sessions,
        "monthly",
        NewPrice(Amounts(12_900, 0, None), on=None),
        max_amount=2_000_000,
        now=world.now,
    )
    world.change(ChangeKind.CHANGE_PRICE, code, Moment.PERIOD_END, version=2, agreed=True)


@pytest.mark.parametrize(
    ("act", "amount"),
    [
        (lambda world, code: world.change(ChangeKind.ONE_OFF, code, amount=5000, name="setup"), 14_900),
        (lambda world, code: world.change(ChangeKind.CHANGE_PLAN, code, Moment.PERIOD_END, plan="large"), 19_800),
        (lambda world, code: world.change(ChangeKind.CHANGE_PLAN, code, Moment.PERIOD_END, quantity=3), 29_700),
        (_raise_price, 12_900),
    ],
    ids=["one-off item", "another plan", "quantity", "price"],
)
def test_amount_that_rises_after_it_was_told_is_told_once_more(world: World, act: Act, amount: int):
    code, about = told(world)
    act(world, code)
    later(world, about)
    assert said(world) == [("renewal", about, 9900), ("renewal", about, amount)]
    later(world, about, days=1)
    go(world, about)
    assert said(world)[2:] == []
    assert charged(world, code)[about] == amount
    assert [(event.data["amount"], event.data["correction"]) for event in events(world)] == [(9900, 0), (amount, 1)]
    assert len({event.id for event in events(world)}) == 2
    world.assert_books_agree()


@pytest.mark.parametrize(
    ("act", "amount"),
    [
        (lambda world, code: world.change(ChangeKind.DISCOUNT, code, percent=30, periods=1), 6930),
        (lambda world, code: world.change(ChangeKind.CREDIT, code, amount=5000, name="sorry"), 4900),
        (lambda world, code: world.change(ChangeKind.CANCEL, code, Moment.PERIOD_END), None),
        (lambda world, code: world.change(ChangeKind.PAUSE, code, Moment.PERIOD_END), None),
    ],
    ids=["discount", "credit", "cancellation", "pause"],
)
def test_amount_that_falls_after_it_was_told_is_not_told_again(world: World, act: Act, amount: int | None):
    code, about = told(world)
    act(world, code)
    later(world, about)
    go(world, about)
    assert said(world) == [("renewal", about, 9900)]
    assert charged(world, code).get(about) == amount
    world.assert_books_agree()


def test_change_before_its_day_is_in_the_notice_and_one_taken_back_is_not(world: World):
    world.plan(notices="renewal 7")
    world.plan("large", amount="19800", notices="renewal 7")
    changed, taken_back, paused, canceled = (world.subscribe(pay()) for _ in range(4))
    world.tick()
    about = world.subscription(changed).next_charge_at
    assert about is not None
    go(world, morning(about, days=9))
    for code in (changed, taken_back):
        change = world.change(ChangeKind.CHANGE_PLAN, code, Moment.PERIOD_END, plan="large")
    world.undo(change)
    world.change(ChangeKind.PAUSE, paused, Moment.NOW)
    world.change(ChangeKind.CANCEL, canceled, Moment.PERIOD_END)
    go(world, morning(about, days=6))
    assert {each.code: each.content["amount"] for each in notices(world)} == {changed: 19_800, taken_back: 9900}
    go(world, about)
    assert [charged(world, code).get(about) for code in (changed, taken_back, paused, canceled)] == [
        19_800,
        9900,
        None,
        None,
    ]
    world.assert_books_agree()


def test_discount_that_was_told_and_is_gone_is_told_as_the_higher_amount(world: World):
    world.plan(notices="renewal 7")
    world.plan("large", amount="19800", notices="renewal 7")
    code = world.subscribe(pay())
    world.tick()
    about = world.subscription(code).next_charge_at
    assert about is not None
    change = world.change(ChangeKind.CHANGE_PLAN, code, Moment.PERIOD_END, plan="large")
    world.change(ChangeKind.DISCOUNT, code, percent=50, periods=1)
    go(world, morning(about, days=6))
    assert said(world) == [("renewal", about, 9900)]
    world.undo(change)  # half of 9,900: less than was told
    later(world, about)
    assert said(world) == [("renewal", about, 9900)]
    world.change(ChangeKind.CHANGE_PLAN, code, Moment.PERIOD_END, plan="large", quantity=2)
    later(world, about, days=4)
    assert said(world) == [("renewal", about, 9900), ("renewal", about, 19_800)]
    go(world, about)
    assert charged(world, code)[about] == 19_800
    world.assert_books_agree()


def test_amount_that_rises_twice_is_told_each_time_and_one_that_came_back_is_not(world: World):
    code, about = told(world)
    first = world.change(ChangeKind.ONE_OFF, code, amount=1000, name="setup")
    later(world, about)
    world.change(ChangeKind.DISCOUNT, code, percent=10, periods=1)
    later(world, about, days=4)
    world.change(ChangeKind.ONE_OFF, code, amount=7000, name="more")
    later(world, about, days=3)
    assert first.status == "applied"
    assert [amount for _, _, amount in said(world)] == [9900, 10_900, 16_910]
    go(world, about)
    assert charged(world, code)[about] == 16_910
    world.assert_books_agree()


def test_day_that_moves_is_told_again_and_told_once_more_when_it_comes_back_earlier(world: World):
    code, about = told(world)
    day = about.astimezone(SEOUL).date()
    world.change(ChangeKind.MOVE_RENEWAL, code, Moment.NOW, on=str(day + timedelta(days=1)))
    later(world, about)
    moved = world.subscription(code).next_charge_at
    assert moved is not None
    assert moved > about
    assert [each[1] for each in said(world)] == [about, moved]
    world.change(ChangeKind.MOVE_RENEWAL, code, Moment.NOW, on=str(day))
    later(world, about, days=4)
    assert [each[1] for each in said(world)] == [about, moved, about]
    assert len({event.id for event in events(world)}) == 3
    go(world, about)
    assert said(world)[-1][2] == charged(world, code)[about]
    world.assert_books_agree()


def test_correction_waits_for_the_morning_unless_that_is_too_late(world: World):
    code, about = told(world)
    world._clock[0] = morning(about, days=4).replace(hour=23).astimezone(UTC)
    world.change(ChangeKind.ONE_OFF, code, amount=5000, name="setup")
    tell(world)
    assert len(said(world)) == 1
    world.wait(hours=9)
    tell(world)
    assert said(world)[1:] == [("renewal", about, 14_900)]
    (_, correction) = notices(world)
    assert correction.sent_at.astimezone(SEOUL).hour == 8


def test_higher_price_than_was_told_is_told_once_more(world: World):
    world.plan(notices="price 30")
    code = world.subscribe(pay())
    world.tick()
    for amount in (12_000, 15_000, 11_000):
        price = NewPrice(Amounts(amount, 0, None), on=None)
        add_price(world.runtime.sessions, "monthly", price, max_amount=2_000_000, now=world.now)
    on = world.now.astimezone(SEOUL).date().replace(month=3, day=5)
    at = world.change(ChangeKind.CHANGE_PRICE, code, on, version=2, agreed=True).effective_at
    go(world, morning(at, days=30))
    assert said(world) == [("price", at, 12_000)]
    for version, days in ((3, 25), (4, 20)):
        world.change(ChangeKind.CHANGE_PRICE, code, on, version=version, agreed=True)
        later(world, at, days=days)
    assert said(world) == [("price", at, 12_000), ("price", at, 15_000)]
    assert "9,900원에서 15,000원으로" in notices(world)[-1].content["texts"]["ko"]["body"]
    go(world, at + timedelta(hours=12))
    paid = charged(world, code)
    assert paid[max(paid)] == 11_000
    world.assert_books_agree()


def test_trial_whose_first_charge_becomes_dearer_is_told_once_more(world: World):
    world.plan(trial_days="14", notices="trial 7, renewal 7")
    code = world.subscribe(pay(), starts_on=(world.now + timedelta(days=14)).astimezone(SEOUL).date())
    about = world.subscription(code).next_charge_at
    assert about is not None
    go(world, morning(about, days=6))
    world.change(ChangeKind.ONE_OFF, code, amount=5000, name="setup")
    later(world, about)
    assert said(world) == [("trial", about, 9900), ("trial", about, 14_900)]
    go(world, about)
    assert charged(world, code) == {about: 14_900}
    world.assert_books_agree()


def test_decline_of_the_night_names_the_next_try_that_it_has_in_the_morning(world: World):
    world.plan(notices="declined")
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    world._clock[0] = world.now.astimezone(SEOUL).replace(hour=23).astimezone(UTC)
    world.tick()
    tell(world)
    (charge,) = world.charges(code)
    later_day = (world.now + timedelta(days=9)).astimezone(SEOUL).date()
    world.change(ChangeKind.POSTPONE, charge.id, until=str(later_day))
    world.wait(hours=12)
    tell(world)
    (notice,) = notices(world)
    assert f"{later_day.month}월 {later_day.day}일" in notice.content["texts"]["ko"]["body"]
    world.assert_books_agree()
