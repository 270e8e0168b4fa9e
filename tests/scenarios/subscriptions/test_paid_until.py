"""What was paid, until when, and how much was refunded, is visible in every state of the subscription."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support import acts
from worker import checkout
from worker.domain.states import SubscriptionStatus
from worker.sandbox.rules.behaviours import Reply, troubled


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def test_canceled_subscription_is_listed_for_its_host_until_its_paid_period_ends(world: World, till: Till):
    code = world.subscribe()
    world.tick()
    (charge,) = world.charges(code)
    link = till.link(code)
    acts.cancel(world.runtime.sessions, code, reason="moved", now=world.now)
    (listed,) = checkout.subscriptions_of(world.runtime.sessions, "customer-1", now=world.now)
    assert (listed.status, listed.paid_until, listed.next_charge_at) == (
        SubscriptionStatus.CANCELED,
        charge.period_end,
        None,
    )
    assert till.view(link).paid_until == charge.period_end
    world._clock[0] = charge.period_end
    assert checkout.subscriptions_of(world.runtime.sessions, "customer-1", now=world.now) == ()


def test_canceled_subscription_ends_when_its_paid_period_is_over(world: World):
    code = world.subscribe()
    world.tick()
    (charge,) = world.charges(code)
    acts.cancel(world.runtime.sessions, code, reason="moved", now=world.now)
    world.tick()
    assert (world.subscription(code).status, world.subscription(code).ends_at) == ("canceled", charge.period_end)
    world._clock[0] = charge.period_end
    world.tick()
    assert (world.subscription(code).status, world.subscription(code).ends_at) == ("ended", None)
    world.assert_books_agree()


def test_canceled_subscription_without_paid_time_ends_with_the_next_tick(world: World):
    code = world.subscribe(starts_on=(world.now + timedelta(days=9)).date())
    acts.cancel(world.runtime.sessions, code, reason="never mind", now=world.now)
    assert world.tick()["opened"]["ended"] == 1
    assert world.subscription(code).status == SubscriptionStatus.ENDED


def test_charge_in_flight_at_the_cancellation_is_waited_for_before_the_end(world: World):
    code = world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    acts.cancel(world.runtime.sessions, code, reason="moved", now=world.now)
    world.live(days=2, step=timedelta(hours=1))
    (charge,) = world.charges(code)
    assert (charge.status, world.subscription(code).status) == ("paid", "canceled")
    world._clock[0] = charge.period_end
    world.tick()
    assert world.subscription(code).status == SubscriptionStatus.ENDED
    world.assert_books_agree()


def test_period_that_was_refunded_in_full_is_not_paid(world: World):
    code = world.subscribe()
    world.tick()
    (payment,) = world.portone.payments()
    world.portone.cancel_in_console(payment["imp_uid"])
    world.wait(hours=1)
    world.sweep()
    assert [charge.refunded for charge in world.charges(code)] == [9900]
    (listed,) = checkout.subscriptions_of(world.runtime.sessions, "customer-1", now=world.now)
    assert listed.paid_until is None


def test_subscription_that_was_never_paid_has_no_paid_until(world: World, till: Till):
    till.pending()
    (listed,) = checkout.subscriptions_of(world.runtime.sessions, "gildong", now=world.now)
    assert listed.paid_until is None
