"""A key that has used up its contract's monthly quota: its charges wait for the next month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support.acts import cancel, no_longer_owed
from tests.support.attempts import SEOUL
from worker.domain.states import ChargeStatus, SubscriptionStatus
from worker.sandbox.rules.behaviours import decline, pay

FIRST_OF_FEBRUARY = datetime(2026, 2, 1, 10, tzinfo=SEOUL).astimezone(UTC)
A_DAY = timedelta(days=1)


def test_charge_beyond_the_monthly_quota_waits_for_the_first_of_next_month(world: World):
    code = world.subscribe(decline("-752", "월 결제 가능 횟수 초과"), pay())
    world.tick()
    (charge,) = world.charges()
    assert (charge.status, charge.next_attempt_at, charge.declines) == (ChargeStatus.DUE, FIRST_OF_FEBRUARY, 0)
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE, "a customer in good standing"
    assert world.sql("SELECT FROM stops") == []
    world.live(days=26, step=2 * A_DAY)
    assert len(world.attempts()) == 1, "asked again this month, Kakao Pay would say the same"
    world.live(days=6, step=A_DAY)
    assert [each.status for each in world.charges()] == [ChargeStatus.PAID, ChargeStatus.PAID]
    assert [each.number for each in world.attempts()] == [1, 2, 1]
    world.assert_books_agree()


def test_later_periods_of_a_month_with_a_spent_quota_wait_too(world: World):
    world.plan("daily", cadence="day")
    world.wait(days=24)  # 29 January
    world.subscribe(decline("-752", "월 결제 가능 횟수 초과", times=3), pay(), plan="daily")
    world.live(days=2, step=A_DAY)
    assert {each.next_attempt_at for each in world.charges()} == {FIRST_OF_FEBRUARY}
    world.live(days=2, step=A_DAY)
    for _ in range(4):
        world.tick()
    assert world.statuses() == {"paid": len(world.charges())}
    world.assert_books_agree()


def test_subscription_canceled_while_its_charge_waits_for_quota_owes_nothing(world: World):
    code = world.subscribe(decline("-752", "월 결제 가능 횟수 초과"), pay())
    world.tick()
    canceled = cancel(world.runtime.sessions, code, reason="the customer asked", now=world.now)
    assert no_longer_owed(canceled) == 9900
    world.live(days=30, step=2 * A_DAY)
    assert world.statuses() == {"void": 1}
    assert len(world.attempts()) == 1
    world.assert_books_agree()


def test_charge_waiting_for_quota_can_be_paid_by_hand_or_another_card(world: World):
    till = Till(world)
    by_hand, another = (
        world.subscribe(decline("-752", "월 결제 가능 횟수 초과")),
        world.subscribe(decline("-752", "월 초과")),
    )
    world.tick()
    (charge,) = world.charges(by_hand)
    for code in (till.link(charge=charge.id, pg="payco"), till.link(another, pg="payco")):
        till.complete(code, till.approve(till.open(code)))
    world.tick()
    assert world.statuses() == {"paid": 2}
    world.assert_books_agree()
