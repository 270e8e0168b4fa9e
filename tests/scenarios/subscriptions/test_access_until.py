"""Until when a host gives access: what is paid, the plan's days of grace, and the end of a trial."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support import acts
from worker import checkout
from worker.sandbox.rules.behaviours import decline, pay
from worker.subscriptions import queries

DAY = timedelta(days=1)
LOST_CARD = decline("CC04", "분실 또는 사용불가 카드")


def access_until(world: World, code: str) -> datetime | None:
    """What a host is told, which is what `again subscription show` says too."""
    with world.runtime.sessions() as session:
        shown = queries.shown(session, code)
    assert shown is not None
    ((reference),) = world.sql("SELECT customer_reference FROM subscriptions WHERE code = :code", code=code)[0]
    listed = checkout.subscriptions_of(world.runtime.sessions, reference, now=world.now)
    for each in listed:
        if each.code == code:
            assert each.access_until == shown["access_until"]
    until: datetime | None = shown["access_until"]
    return until


def renewal(world: World, code: str) -> datetime:
    at = world.subscription(code).next_charge_at
    assert at is not None
    return at


def test_access_goes_on_for_the_days_of_grace_while_a_renewal_is_past_due(world: World):
    world.plan(grace_days="3")
    code = world.subscribe(pay(), LOST_CARD)
    world.tick()
    paid_until = renewal(world, code)
    assert access_until(world, code) == paid_until + 3 * DAY
    world._clock[0] = paid_until
    world.tick()
    assert world.statuses() == {"paid": 1, "past_due": 1}
    assert access_until(world, code) == paid_until + 3 * DAY


def test_access_without_days_of_grace_ends_with_what_is_paid(world: World):
    world.plan()
    code = world.subscribe(pay(), LOST_CARD)
    world.tick()
    paid_until = renewal(world, code)
    world._clock[0] = paid_until
    world.tick()
    assert access_until(world, code) == paid_until


def test_trial_has_access_until_its_end_and_the_grace_only_after_a_decline(world: World):
    world.plan(trial_days="14", grace_days="2")
    trial = Till(world).pending()
    assert access_until(world, trial) is None
    link = Till(world).link(trial, pg="payco")
    till = Till(world)
    till.complete(link, till.approve(till.open(link)))
    ends_at = renewal(world, trial)
    assert world.subscription(trial).status == "trialing"
    assert access_until(world, trial) == ends_at
    ((customer_uid,),) = world.sql("SELECT customer_uid FROM billing_keys")
    world.portone.behave(LOST_CARD, customer_uids=[customer_uid])
    world._clock[0] = ends_at
    world.tick()
    assert world.subscription(trial).status == "past_due"
    assert access_until(world, trial) == ends_at + 2 * DAY


def test_first_charge_that_was_declined_gives_no_access(world: World):
    world.plan(grace_days="3")
    code = world.subscribe(LOST_CARD)
    world.tick()
    assert world.subscription(code).status == "past_due"
    assert access_until(world, code) is None


@pytest.mark.parametrize("end", ["canceled", "paused"])
def test_what_is_over_or_paused_has_what_was_paid_and_no_grace(world: World, end: str):
    world.plan(grace_days="3")
    code = world.subscribe()
    world.tick()
    paid_until = renewal(world, code)
    if end == "canceled":
        acts.cancel(world.runtime.sessions, code, reason="moved", now=world.now)
    else:
        acts.pause(world.runtime.sessions, code, reason="a journey", now=world.now)
    assert access_until(world, code) == paid_until


def test_what_was_paid_elsewhere_has_grace_after_its_first_renewal_here(world: World):
    world.plan(grace_days="3")
    code = world.subscribe(LOST_CARD, starts_on=(world.now + 9 * DAY).date())
    starts_at = renewal(world, code)
    assert access_until(world, code) == starts_at + 3 * DAY
    world._clock[0] = starts_at
    world.tick()
    assert world.subscription(code).status == "past_due"
    assert access_until(world, code) == starts_at + 3 * DAY
