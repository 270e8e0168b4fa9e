"""What is owed is what a page says, what a new card is charged with, and what can be paid by hand."""

from __future__ import annotations

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from worker import checkout
from worker.sandbox.rules.behaviours import decline, pay


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def test_replacement_page_names_a_charge_that_waits_for_next_month(world: World, till: Till):
    subscription = world.subscribe(decline("-752", "월 결제 가능 횟수 초과"), pay())
    world.tick()
    code = till.link(subscription, pg="payco")
    promised = till.view(code).owed
    till.complete(code, till.approve(till.open(code)))
    world.tick()
    assert world.portone.report().charged_krw == promised


def test_charge_of_a_spent_month_can_be_paid_after_an_abandoned_window(world: World, till: Till):
    world.subscribe(decline("-752", "월 결제 가능 횟수 초과"), pay())
    world.tick()
    (charge,) = world.charges()
    till.open(till.link(charge=charge.id, pg="kakaopay"))
    world.live(days=2)
    till.approve(till.open(till.link(charge=charge.id, pg="kakaopay")))
    world.tick()
    assert world.portone.report().charges == 1


def test_uncollectible_charge_can_be_paid_on_a_hosts_pages(world: World, till: Till):
    world.plan(dunning="1")
    world.subscribe(decline(times=9))
    world.tick()
    world.live(days=3)
    (charge,) = world.charges()
    assert charge.status == "uncollectible"
    assert till.link(charge=charge.id, pg="kakaopay")
    (reference,) = world.sql("SELECT customer_reference AS r FROM subscriptions")
    listed = checkout.subscriptions_of(world.runtime.sessions, reference.r)
    assert [each.id for every in listed for each in every.overdue] == [charge.id]
