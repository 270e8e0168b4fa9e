"""Stories of another card: the new key is active before the old one goes, and what waited is charged by it."""

from __future__ import annotations

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from worker.checkout import Progress
from worker.domain.states import SubscriptionStatus
from worker.sandbox.rules.behaviours import decline

LOST_CARD = decline("CC04", "분실 또는 사용불가 카드")


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def replaced(till: Till, subscription: str, pg: str = "kakaopay") -> str:
    code = till.link(subscription, pg=pg)
    assert till.complete(code, till.approve(till.open(code))).progress is Progress.DONE
    return code


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
def test_dunning_resumes_with_the_new_key_and_the_old_one_is_deleted_at_portone(world: World, till: Till, pg: str):
    subscription = world.subscribe(LOST_CARD, pg="payco")
    world.tick()
    assert till.view(till.link(subscription)).owed == 9900
    replaced(till, subscription, pg)
    assert till.keys() == ["dead", "active"]
    world.tick()
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    assert world.subscription(subscription).status is SubscriptionStatus.ACTIVE
    assert till.keys() == ["deleted", "active"]
    assert len(till.keys_at_portone()) == 1
    world.assert_books_agree()


def test_old_key_is_deleted_again_until_portone_confirms(world: World, till: Till):
    subscription = world.subscribe()
    world.tick()
    replaced(till, subscription)
    assert till.keys() == ["active", "active"]
    world.portone.switch(outage="error")
    till.run_maintenance()
    assert (till.keys(), len(till.keys_at_portone())) == (["deleted", "active"], 2)
    world.portone.switch(outage="none")
    till.run_maintenance()
    assert len(till.keys_at_portone()) == 2, "not before its time"
    world.wait(minutes=16)
    till.run_maintenance()
    assert (till.keys(), len(till.keys_at_portone())) == (["deleted", "active"], 1)
    assert till.run_maintenance().deleted_keys == 0


def test_key_missing_at_portone_counts_as_deleted(world: World, till: Till):
    subscription = world.subscribe()
    replaced(till, subscription)
    (old,) = world.sql("SELECT customer_uid FROM billing_keys ORDER BY id LIMIT 1")
    from tests.support.sandbox import Api

    with Api(world.runtime.settings.gateway_url) as api:
        api.delete(f"/subscribe/customers/{old.customer_uid}")
    till.run_maintenance()
    assert till.keys() == ["deleted", "active"]


def test_old_key_that_another_subscription_uses_is_kept(world: World, till: Till):
    first, second = world.subscribe(), world.subscribe()
    world.sql("UPDATE subscriptions SET billing_key_id = (SELECT min(id) FROM billing_keys)")
    replaced(till, second)
    world.wait(hours=1)
    till.run_maintenance()
    assert world.subscription(first).billing_key_id == 1
    assert till.keys() == ["active", "active", "active"]


def test_abandoned_window_changes_no_key(world: World, till: Till):
    subscription = world.subscribe()
    code = till.link(subscription, pg="payco")
    till.open(code)
    world.live(days=2)
    assert (till.status(code), till.keys()) == ("expired", ["active", "registering"])
    assert world.subscription(subscription).billing_key_id == 1
    world.assert_books_agree()


def test_key_registered_in_an_old_window_is_still_taken(world: World, till: Till):
    world.portone.switch(window_life_seconds=86_400)
    subscription = world.subscribe()
    code = till.link(subscription, pg="payco")
    parameters = till.agree(code)
    world.wait(hours=20)
    window = world.portone.open_window(parameters)["window"]["window_id"]
    world.live(days=0)
    world.wait(hours=5)
    till.run_maintenance()
    assert till.status(code) == "expired"
    till.receive_webhook(till.webhook(till.approve(window)))
    assert (till.status(code), world.subscription(subscription).billing_key_id) == ("done", 2)


def test_key_replaced_twice_in_two_tabs_is_one_key_in_the_end(world: World, till: Till):
    subscription = world.subscribe()
    code = till.link(subscription, pg="payco")
    first, second = till.open(code), till.open(code)
    imp_uid = till.approve(first)
    assert world.portone.decide(second)["state"] == "approved", "it registers the same key, and takes no money"
    for _ in range(2):
        assert till.complete(code, imp_uid).progress is Progress.DONE
    till.run_maintenance()
    assert (till.keys(), len(till.keys_at_portone())) == (["deleted", "active"], 1)
