"""What was paid, until when, and how much of it was refunded, is visible whatever became of the subscription."""

from __future__ import annotations

import pytest

from tests.scenarios.checkout_story import Till
from tests.scenarios.conftest import World
from worker import checkouts, subscriptions
from worker.lifecycle import SubscriptionStatus


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def test_canceled_subscription_is_listed_for_its_host_until_its_paid_period_ends(world: World, till: Till):
    code = world.subscribe()
    world.tick()
    (charge,) = world.charges(code)
    link = till.link(code)
    subscriptions.cancel(world.runtime.sessions, code, reason="moved", now=world.now)
    (listed,) = checkouts.subscriptions_of(world.runtime.sessions, "customer-1", now=world.now)
    assert (listed.status, listed.paid_until, listed.next_charge_at) == (
        SubscriptionStatus.CANCELED,
        charge.period_end,
        None,
    )
    assert till.view(link).paid_until == charge.period_end
    world._clock[0] = charge.period_end
    assert checkouts.subscriptions_of(world.runtime.sessions, "customer-1", now=world.now) == ()


def test_period_that_was_refunded_in_full_is_not_paid(world: World):
    code = world.subscribe()
    world.tick()
    (payment,) = world.portone.payments()
    world.portone.cancel_in_console(payment["imp_uid"])
    world.wait(hours=1)
    world.sweep()
    assert [charge.refunded for charge in world.charges(code)] == [9900]
    (listed,) = checkouts.subscriptions_of(world.runtime.sessions, "customer-1", now=world.now)
    assert listed.paid_until is None


def test_subscription_that_was_never_paid_has_no_paid_until(world: World, till: Till):
    till.pending()
    (listed,) = checkouts.subscriptions_of(world.runtime.sessions, "gildong", now=world.now)
    assert listed.paid_until is None
