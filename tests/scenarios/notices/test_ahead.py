"""What customers are told some days ahead: each thing once, with the amount that is charged then."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.scenarios.conftest import World
from tests.support.notices import events, notices, tell
from worker.changes.prices import NewPrice, add_price
from worker.domain.changes import ChangeKind, Moment
from worker.domain.pricing.amounts import Amounts
from worker.sandbox.rules.behaviours import pay

SEOUL = ZoneInfo("Asia/Seoul")


def go(world: World, at: datetime) -> None:
    """Let it be that instant, with every tick."""
    world._clock[0] = at.astimezone(UTC)
    world.tick()
    tell(world)


def morning(at: datetime, *, days: int) -> datetime:
    """Return half past eight in Seoul, so many days before an instant's day."""
    return at.astimezone(SEOUL).replace(hour=8, minute=30) - timedelta(days=days)


def charged(world: World, code: str) -> dict[datetime, int]:
    """Return what the sandbox's ledger was paid for each period."""
    paid = {period for (of, period), times in world.paid_periods().items() if of == code and times == 1}
    return {each.period_start: each.amount for each in world.charges(code) if each.period_start in paid}


def told(world: World, kind: str, code: str | None = None) -> dict[datetime, int]:
    return {each.about: each.content["amount"] for each in notices(world, kind, code)}


def test_each_renewal_of_a_year_is_announced_once_with_what_is_charged(world: World):
    world.plan(notices="renewal 7")
    code = world.subscribe(pay())
    world.tick()
    for count in range(12):
        about = world.subscription(code).next_charge_at
        assert about is not None
        for days, told_by_then in ((8, count), (7, count + 1), (1, count + 1)):
            go(world, morning(about, days=days))
            assert len(notices(world)) == told_by_then
        go(world, about)
    paid = charged(world, code)
    assert len(paid) == 13
    assert told(world, "renewal") == {start: amount for start, amount in paid.items() if start != min(paid)}
    assert all(each.about - each.sent_at >= timedelta(days=7) for each in notices(world))
    assert Counter(event.data["about"] for event in events(world)) == Counter(
        each.about.isoformat().replace("+00:00", "Z") for each in notices(world)
    )
    world.assert_books_agree()


def test_trial_is_announced_a_week_before_it_is_paid_and_a_canceled_one_is_not(world: World):
    world.plan(trial_days="14", notices="trial 7, renewal 3")
    first = (world.now + timedelta(days=14)).astimezone(SEOUL).date()
    code = world.subscribe(pay(), starts_on=first)
    canceled = world.subscribe(pay(), starts_on=first)
    about = world.subscription(code).next_charge_at
    assert about is not None
    go(world, morning(about, days=8))
    world.change(ChangeKind.CANCEL, canceled, Moment.PERIOD_END)
    assert notices(world) == []
    go(world, morning(about, days=7))
    go(world, morning(about, days=3))
    go(world, about)
    (notice,) = notices(world)
    assert (notice.kind, notice.code, notice.about) == ("trial", code, about)
    assert notice.about - notice.sent_at >= timedelta(days=7)
    assert charged(world, code) == {notice.about: notice.content["amount"]}
    texts: Any = notice.content["texts"]
    assert "9,900원" in texts["ko"]["body"]
    assert f"{first.year}년 {first.month}월 {first.day}일" in texts["ko"]["body"]
    assert f"ends on {first}; 9,900 KRW will then be charged" in texts["en"]["body"]
    world.assert_books_agree()


def test_amount_announced_is_charged_though_a_discount_and_another_plan_are_to_come(world: World):
    world.plan(notices="renewal 7")
    world.plan("large", amount="19800", notices="renewal 7")
    discounted, changed, free = world.subscribe(pay()), world.subscribe(pay()), world.subscribe(pay())
    world.tick()
    world.wait(days=1)
    world.change(ChangeKind.DISCOUNT, discounted, percent=30, periods=1)
    world.change(ChangeKind.CHANGE_PLAN, changed, Moment.PERIOD_END, plan="large")
    world.change(ChangeKind.DISCOUNT, free, percent=100, periods=1)
    about = world.subscription(discounted).next_charge_at
    assert about is not None
    go(world, morning(about, days=7))
    go(world, about)
    assert told(world, "renewal", discounted) == {about: 6930}
    assert told(world, "renewal", changed) == {about: 19_800}
    assert notices(world, "renewal", free) == []
    assert [charged(world, code)[about] for code in (discounted, changed)] == [6930, 19_800]
    world.assert_books_agree()


def test_rising_price_is_announced_with_both_prices_and_a_falling_one_is_not(world: World):
    world.plan(notices="price 30")
    rising, falling = world.subscribe(pay()), world.subscribe(pay())
    world.tick()
    for amount in (12_000, 8000):
        price = NewPrice(Amounts(amount, 0, None), on=None)
        add_price(world.runtime.sessions, "monthly", price, max_amount=2_000_000, now=world.now)
    on = world.now.astimezone(SEOUL).date().replace(month=3, day=5)
    change = world.change(ChangeKind.CHANGE_PRICE, rising, on, version=2, agreed=True)
    world.change(ChangeKind.CHANGE_PRICE, falling, on, version=3)
    go(world, change.effective_at - timedelta(days=31))
    assert notices(world) == []
    go(world, change.effective_at - timedelta(days=30, hours=4, minutes=30))
    go(world, change.effective_at + timedelta(hours=12))
    (notice,) = notices(world)
    assert (notice.kind, notice.code, notice.content["amount"]) == ("price", rising, 12_000)
    assert notice.about - notice.sent_at >= timedelta(days=30)
    assert "9,900원에서 12,000원으로" in notice.content["texts"]["ko"]["body"]
    paid = charged(world, rising)
    assert paid[max(paid)] == 12_000
    world.assert_books_agree()


def test_subscription_that_is_resumed_late_is_told_in_the_morning(world: World):
    world.plan(notices="renewal 7")
    code = world.subscribe(pay())
    world.tick()
    world.change(ChangeKind.PAUSE, code, Moment.NOW)
    world.wait(days=26)
    go(world, morning(world.now, days=-1))
    assert notices(world) == []
    world._clock[0] = world.now.astimezone(SEOUL).replace(hour=22).astimezone(UTC)
    world.change(ChangeKind.RESUME, code, Moment.NOW)
    tell(world)
    assert notices(world) == []
    go(world, morning(world.now, days=-1))
    assert len(notices(world)) == 1
    world.assert_books_agree()
